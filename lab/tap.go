package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Tap counts what leaves both routers by their outer interfaces.
type Tap struct {
	inside  []netip.Prefix
	sockets [2]int
	ending  atomic.Bool
	wg      sync.WaitGroup
	clear   atomic.Int64
	sealed  atomic.Int64

	mu  sync.Mutex
	err error
}

// Tap begins to count.
func (v *Live) Tap() (*Tap, error) {
	t := &Tap{inside: slices.Concat(v.sides[0].LANs, v.sides[1].LANs)}
	for i, s := range v.lab.sites {
		err := s.router.do(func() (err error) {
			t.sockets[i], err = listen("wan")
			return err
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listening on the WAN of %s: %w", v.sides[i].Router, err), t.Close())
		}
		t.wg.Go(func() { t.count(t.sockets[i]) })
	}
	return t, nil
}

// listen opens a socket that gets every packet of an interface, from its IP header
// on, and wakes its reader ten times a second.
func listen(link string) (int, error) {
	at, err := net.InterfaceByName(link)
	if err != nil {
		return 0, err
	}
	// Only sockets for all protocols see what leaves.
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		return 0, err
	}
	err = errors.Join(
		unix.Bind(s, &unix.SockaddrLinklayer{Protocol: all, Ifindex: at.Index}),
		unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
	)
	if err != nil {
		return 0, errors.Join(err, unix.Close(s))
	}
	return s, nil
}

// count reads until the Tap ends.
func (t *Tap) count(s int) {
	buf := make([]byte, 128)
	for {
		n, from, err := unix.Recvfrom(s, buf, 0)
		switch {
		case errors.Is(err, unix.EAGAIN) && t.ending.Load():
			return
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			t.fail(err)
			return
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if ok && link.Pkttype == unix.PACKET_OUTGOING {
			t.look(buf[:n])
		}
	}
}

// look counts one packet: in clear when an address of a LAN stands in its outer
// header, sealed when it is ESP or ESP in UDP.
func (t *Tap) look(b []byte) {
	if len(b) < 28 || b[0]>>4 != 4 {
		return
	}
	ours := func(b []byte) bool {
		a := netip.AddrFrom4([4]byte(b))
		return slices.ContainsFunc(t.inside, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	body := b[min(int(b[0]&15)*4, len(b)):]
	switch {
	case ours(b[12:16]) || ours(b[16:20]):
		t.clear.Add(1)
	case b[9] == unix.IPPROTO_ESP:
		t.sealed.Add(1)
	case b[9] == unix.IPPROTO_UDP && len(body) >= 12 && binary.BigEndian.Uint16(body[2:]) == 4500 && binary.BigEndian.Uint32(body[8:]) != 0:
		t.sealed.Add(1)
	}
}

func (t *Tap) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = errors.Join(t.err, err)
}

// Clear returns how many packets with an address of a LAN have left so far.
func (t *Tap) Clear() int { return int(t.clear.Load()) }

// Sealed returns how many packets of ESP have left so far.
func (t *Tap) Sealed() int { return int(t.sealed.Load()) }

// Close counts what has left so far and ends. It fails when the Tap missed a packet.
func (t *Tap) Close() error {
	t.ending.Store(true)
	t.wg.Wait()
	for _, s := range t.sockets {
		if s == 0 {
			continue
		}
		missed, err := unix.GetsockoptTpacketStats(s, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err == nil && missed.Drops > 0 {
			err = fmt.Errorf("%d packets were not looked at", missed.Drops)
		}
		t.fail(errors.Join(err, unix.Close(s)))
	}
	return t.err
}
