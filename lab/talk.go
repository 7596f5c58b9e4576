package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Talk is a host behind one router that pings one behind the other, on and on.
type Talk struct {
	conn  *net.IPConn
	to    netip.Addr
	id    uint16
	stop  chan struct{}
	wg    sync.WaitGroup
	count atomic.Int64

	mu       sync.Mutex
	sent     []time.Time // by number, from 0
	answered []bool
}

// Silence is how much of a Talk was lost.
type Silence struct {
	Sent, Lost int
	// Longest is from the first to behind the last of the longest row of pings
	// without answer.
	Longest time.Duration
}

// String returns "12 of 300 pings lost, 1.1s without an answer".
func (s Silence) String() string {
	return fmt.Sprintf("%d of %d pings lost, %v without an answer", s.Lost, s.Sent, s.Longest.Round(time.Millisecond))
}

// Add is the silence of two talks together.
func (s Silence) Add(o Silence) Silence {
	return Silence{s.Sent + o.Sent, s.Lost + o.Lost, max(s.Longest, o.Longest)}
}

// Talk begins to ping from a host in one LAN to a host in a LAN of the other
// router.
func (v *Live) Talk(from, to netip.Prefix, every time.Duration) (*Talk, error) {
	i := slices.IndexFunc(v.sides[:], func(s Side) bool { return slices.Contains(s.LANs, from) })
	if i < 0 {
		return nil, fmt.Errorf("no LAN %s", from)
	}
	_, source := ends(from)
	_, target := ends(to)
	t := &Talk{to: target, id: uint16(v.talks.Add(1)), stop: make(chan struct{})}
	err := v.lab.sites[i].host.do(func() (err error) {
		t.conn, err = net.ListenIP("ip4:icmp", &net.IPAddr{IP: source.AsSlice()})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pinging from %s: %w", source, err)
	}
	t.wg.Go(t.hear)
	t.wg.Go(func() { t.speak(every) })
	return t, nil
}

// speak pings at a steady pace. A ping that cannot be sent is lost.
func (t *Talk) speak(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		t.mu.Lock()
		n := len(t.sent)
		t.sent, t.answered = append(t.sent, time.Now()), append(t.answered, false)
		t.mu.Unlock()
		_, _ = t.conn.WriteTo(echo(t.id, uint16(n)), &net.IPAddr{IP: t.to.AsSlice()})
		t.count.Add(1)
		select {
		case <-t.stop:
			return
		case <-tick.C:
		}
	}
}

// hear notes the answers until the connection is closed.
func (t *Talk) hear() {
	buf := make([]byte, 1500)
	for {
		n, _, err := t.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if n < 8 || buf[0] != 0 || binary.BigEndian.Uint16(buf[4:]) != t.id {
			continue
		}
		t.mu.Lock()
		// The latest number that the sixteen bits on the wire can mean.
		seq := int(binary.BigEndian.Uint16(buf[6:]))
		seq += (len(t.sent) - 1 - seq) >> 16 << 16
		if seq >= 0 && seq < len(t.answered) {
			t.answered[seq] = true
		}
		t.mu.Unlock()
	}
}

// Sent returns how many pings have left so far.
func (t *Talk) Sent() int { return int(t.count.Load()) }

// Hang ends a Talk, after a moment for the last answers, and says what was lost.
func (t *Talk) Hang() Silence {
	close(t.stop)
	ended := time.Now()
	time.Sleep(200 * time.Millisecond)
	_ = t.conn.Close() // what was heard is heard
	t.wg.Wait()
	return t.silence(ended)
}

// silence counts what was lost until a time.
func (t *Talk) silence(ended time.Time) Silence {
	s := Silence{Sent: len(t.sent)}
	var since time.Time
	over := func(at time.Time) {
		if !since.IsZero() {
			s.Longest = max(s.Longest, at.Sub(since))
		}
		since = time.Time{}
	}
	for i, at := range t.sent {
		switch {
		case t.answered[i]:
			over(at)
		case since.IsZero():
			since = at
			fallthrough
		default:
			s.Lost++
		}
	}
	over(ended)
	return s
}
