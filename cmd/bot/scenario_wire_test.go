//go:build !nodemo

package main

import (
	"net"
	"sync"
)

// buffered is a connection whose writes do not wait for the far end, as the
// system's buffers have it. On a bare pipe two ends that write at once, such as
// one that refuses the certificate which the other is still sending, wait for
// each other.
type buffered struct {
	net.Conn
	mu     sync.Mutex // guards queue; never held while waiting
	queue  [][]byte
	closed bool
	more   chan struct{}
}

func newBuffered(c net.Conn) net.Conn {
	b := &buffered{Conn: c, more: make(chan struct{}, 1)}
	go b.send()
	return b
}

// Write queues p.
func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	b.queue = append(b.queue, append([]byte(nil), p...))
	b.wake()
	return len(p), nil
}

// Close drops what was not read by the far end.
func (b *buffered) Close() error {
	b.mu.Lock()
	b.closed = true
	b.wake()
	b.mu.Unlock()
	return b.Conn.Close()
}

func (b *buffered) wake() {
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// send writes what is queued until the connection ends.
func (b *buffered) send() {
	for range b.more {
		b.mu.Lock()
		queue, closed := b.queue, b.closed
		b.queue = nil
		b.mu.Unlock()
		for _, p := range queue {
			if _, err := b.Conn.Write(p); err != nil {
				closed = true
				break
			}
		}
		if closed {
			return
		}
	}
}
