package ros

import (
	"errors"
	"net"
	"time"
)

// guard is the connection under a client. It counts what was written, scans
// what is read before the client sees it, and stops for good at the first
// error in either direction.
//
// The client starts a goroutine for every read and write and waits for it, so
// one goroutine at a time is in here and the fields need no lock. Only the
// deadline is set from outside.
type guard struct {
	net.Conn          // where bytes go: the TLS connection, or raw
	raw      net.Conn // what is closed: closing TLS politely can wait for the peer
	scan     scanner
	written  int   // bytes of the current command that the connection took
	err      error // first error of the connection, of the scanner or of the clock
}

// begin prepares for one command that must end by deadline.
func (g *guard) begin(deadline time.Time) error {
	g.written = 0
	g.scan.reset()
	return g.SetDeadline(deadline)
}

// Read hands on bytes that passed the scanner.
func (g *guard) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.Conn.Read(p)
	if scanErr := g.scan.feed(p[:n]); scanErr != nil {
		n, err = 0, scanErr
	}
	g.err = err
	return n, err
}

// Write counts what the connection took.
func (g *guard) Write(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.Conn.Write(p)
	g.scan.done = false // at login the client may send a second command
	g.written += n
	g.err = err
	return n, err
}

// Close closes the connection at once, without the farewell of TLS: a peer that
// does not read must not hold up a close.
func (g *guard) Close() error { return g.raw.Close() }

// timedOut tells whether the guard stopped because a deadline passed.
func (g *guard) timedOut() bool {
	var ne net.Error
	return errors.As(g.err, &ne) && ne.Timeout()
}
