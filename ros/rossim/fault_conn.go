package rossim

import (
	"crypto/tls"
	"io"
	"net"
	"time"
)

// Texts of faults that name none.
const (
	fatalText   = "session terminated on request"
	trapText    = "failure: std failure: timeout (13)"
	garbageText = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" +
		"<html><head><title>400 Bad Request</title></head><body>the request could not be understood</body></html>\r\n"
	dripPause = time.Second
)

// oversizeLength announces a word of two gigabytes.
const oversizeLength = "\xF0\x7F\xFF\xFF\xFF"

// strike lets the faults of one moment strike. It returns false when the
// command goes no further: the connection is closed, mute or hung up for good,
// or the command is refused.
func (c *conn) strike(hits []Strike, when When, k call) bool {
	for _, s := range moment(hits, when) {
		if s.Kind == FaultInstant || s.Kind == FaultDrip {
			continue // where they matter
		}
		c.r.hit(s.Kind)
		if !c.suffer(s, k) {
			return false
		}
	}
	return true
}

// suffer is one fault at one connection.
func (c *conn) suffer(s Strike, k call) bool {
	switch s.Kind {
	case FaultHang:
		return c.wait()
	case FaultCertificate:
		c.r.SetCertificate(s.Certificate)
		return true
	case FaultClock:
		c.r.SetClock(c.r.Now().Add(s.By))
		return true
	case FaultAdministrator:
		if s.Do != nil {
			s.Do(c.r)
		}
		return true
	case FaultDrop:
		c.close()
	case FaultReboot:
		c.r.Reboot()
	case FaultTrap:
		c.blurt(s, sentenceBytes(k.trap(&trap{category: catGeneral, message: or(s.Text, trapText)}), k.reply("!done")))
	case FaultFatal:
		c.mute.Store(true)
		c.blurt(s, sentenceBytes([]string{"!fatal", or(s.Text, fatalText)}))
	case FaultGarbage:
		c.mute.Store(true)
		c.blurt(s, []byte(or(s.Text, garbageText)))
	case FaultOversize:
		c.mute.Store(true)
		c.blurt(s, []byte(oversizeLength))
	case FaultHalfOpen:
		c.mute.Store(true)
	}
	return false
}

func or(text, usual string) string {
	if text == "" {
		return usual
	}
	return text
}

func sentenceBytes(sentences ...[]string) []byte {
	var buf []byte
	for _, words := range sentences {
		buf = appendSentence(buf, words...)
	}
	return buf
}

// wait lasts until the faults are changed. It returns false when the connection
// ended meanwhile.
func (c *conn) wait() bool {
	_, change := c.r.fault()
	select {
	case <-change:
		return true
	case <-c.done:
		return false
	}
}

// raw is the connection below TLS.
func (c *conn) raw() net.Conn {
	if t, ok := c.nc.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c.nc
}

// blurt writes what a fault says: below TLS as long as nothing has come, and
// beside the reading where the client is still sending. A connection has ended
// with a fatal word.
func (c *conn) blurt(s Strike, buf []byte) {
	to := c.nc
	if !c.greeted.Load() {
		to = c.raw()
	}
	say := func() {
		if _, err := to.Write(buf); err != nil {
			c.close()
		}
		if s.Kind == FaultFatal {
			c.linger()
			c.close()
		}
	}
	if s.At == Inside || s.At == Answered || s.Class == Connections {
		c.r.wg.Go(say)
		return
	}
	say()
}

// deafen takes what the client still sends and answers nothing.
func (c *conn) deafen() {
	to := c.nc
	if !c.greeted.Load() {
		to = c.raw()
	}
	_, _ = io.Copy(io.Discard, to) // until the client or the router gives up
}

// answer writes the answer to a command between the faults that strike it. The
// caller holds the right to write.
func (c *conn) answer(sentences [][]string, hits []Strike, k call) error {
	if !c.strike(hits, After, k) {
		return nil
	}
	buf := sentenceBytes(sentences...)
	if len(moment(hits, Answering)) > 0 {
		last := len(sentences) - 1
		word := appendLength(nil, uint32(len(sentences[last][0])))
		cut := len(sentenceBytes(sentences[:last]...)) + len(word) + len(sentences[last][0])
		if err := c.deliver(buf[:cut], hits); err != nil || !c.strike(hits, Answering, k) {
			return err
		}
		buf = buf[cut:]
	}
	if ends := moment(hits, Answered); has(ends, FaultDrop) || has(ends, FaultReboot) {
		// What the client sends behind the answer must not be taken in any more.
		_ = c.raw().SetReadDeadline(time.Unix(1, 0))
	}
	if err := c.deliver(buf, hits); err != nil {
		return err
	}
	c.strike(hits, Answered, k)
	return nil
}

// deliver writes buf at once or drop by drop.
func (c *conn) deliver(buf []byte, hits []Strike) error {
	pause := time.Duration(0)
	for _, s := range hits {
		if s.Kind == FaultDrip {
			c.r.hit(s.Kind)
			if pause = s.By; pause <= 0 {
				pause = dripPause
			}
		}
	}
	if pause == 0 {
		_, err := c.nc.Write(buf)
		return err
	}
	t := time.NewTicker(pause)
	defer t.Stop()
	for i := range buf {
		select {
		case <-t.C:
		case <-c.done:
			return net.ErrClosed
		}
		if _, err := c.nc.Write(buf[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}
