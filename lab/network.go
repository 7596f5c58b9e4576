package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// become makes ns have exactly these addresses and routes beside its own.
func (s *site) become(ns *namespace, lines []string) error {
	slices.Sort(lines)
	lines = slices.Compact(lines)
	var batch []string
	order := func(verb, line string) string {
		object, rest, _ := strings.Cut(line, " ")
		return object + " " + verb + " " + rest
	}
	// Routes go before the addresses that they need, and come after them.
	for _, line := range slices.Backward(s.lines[ns]) {
		if !slices.Contains(lines, line) {
			batch = append(batch, order("del", line))
		}
	}
	for _, line := range lines {
		if !slices.Contains(s.lines[ns], line) {
			batch = append(batch, order("add", line))
		}
	}
	if len(batch) == 0 {
		return nil
	}
	if err := ns.ip(batch...); err != nil {
		return err
	}
	s.lines[ns] = lines
	return nil
}

// place gives a site the addresses of a party and of what its policies cover.
// Behind address translation its router answers for the address that is seen, as
// whatever translates would. What is beyond the other router goes there when
// nothing takes it before.
func (s *site) place(own, seen, other netip.Addr, sources, beyond []netip.Prefix) error {
	router := []string{
		"addr " + own.String() + "/32 dev wan", "addr " + seen.String() + "/32 dev wan",
		"route " + other.String() + "/32 dev wan src " + own.String(),
	}
	for _, p := range beyond {
		router = append(router, "route "+p.String()+" via "+other.String()+" dev wan onlink")
	}
	host := []string{"route default via " + gateway + " dev lan onlink"}
	for _, p := range sources {
		if p.Bits() < 8 {
			continue // an address that is everywhere stands for none
		}
		first, behind := ends(p)
		router = append(router, "addr "+first.String()+"/32 dev lan")
		if behind != first {
			router = append(router, "route "+behind.String()+"/32 dev lan")
			host = append(host, "addr "+behind.String()+"/32 dev lan")
		}
	}
	return errors.Join(s.become(s.router, router), s.become(s.host, host))
}

// ends are the addresses of router and host in a prefix; one, when it has one.
func ends(p netip.Prefix) (router, host netip.Addr) {
	switch first := p.Addr(); {
	case p.IsSingleIP():
		return first, first
	case p.Bits() == p.Addr().BitLen()-1:
		return first, first.Next()
	default:
		return first.Next(), first.Next().Next()
	}
}

// connectSites puts both parties on the wire.
func (l *Lab) connectSites(s setup) error {
	var sources, destinations []netip.Prefix
	for _, k := range s.initiator.children {
		sources = append(sources, k.selector.src)
		destinations = append(destinations, k.selector.dst)
	}
	caller, answerer := l.sites[0], l.sites[1]
	if err := caller.place(s.Initiator.Local, s.Initiator.Seen, s.target, sources, nil); err != nil {
		return err
	}
	if err := caller.between(s.Initiator.Local, s.Initiator.Seen); err != nil {
		return err
	}
	return answerer.place(s.Responder.Local, s.Responder.Local, s.Initiator.Seen, destinations, nil)
}

// Ping sends an echo request from a host behind the initiator, with a source in
// from, to a host behind the responder in to. It returns nil on the first
// answer, and an error when none came before ctx ended, which it waits for.
func (l *Lab) Ping(ctx context.Context, from, to netip.Prefix) error {
	router, source := ends(from)
	_, target := ends(to)
	ns := l.sites[0].host
	if router == source {
		ns = l.sites[0].router
	}
	var conn *net.IPConn
	err := ns.do(func() (err error) {
		conn, err = net.ListenIP("ip4:icmp", &net.IPAddr{IP: source.AsSlice()})
		return err
	})
	if err != nil {
		return fmt.Errorf("pinging from %s: %w", source, err)
	}
	closing := func() { _ = conn.Close() } // a second close says so, and that is all
	defer closing()
	defer context.AfterFunc(ctx, closing)()
	id := uint16(time.Now().UnixNano()) // a flow of its own for address translation
	for n := uint16(1); ctx.Err() == nil; n++ {
		_, err = conn.WriteTo(echo(id, n), &net.IPAddr{IP: target.AsSlice()})
		if answered(conn, id) {
			return nil
		}
	}
	return fmt.Errorf("pinging %s from %s: %w", target, source, errors.Join(ctx.Err(), err))
}

// answered waits a little for an echo reply with id.
func answered(conn *net.IPConn, id uint16) bool {
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // reading fails where this does
	buf := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return false
		}
		if n >= 8 && buf[0] == 0 && binary.BigEndian.Uint16(buf[4:]) == id {
			return true
		}
	}
}

// echo is an ICMP echo request.
func echo(id, seq uint16) []byte {
	b := make([]byte, 8, 40)
	b[0] = 8
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], seq)
	b = append(b, "is this the other end of it now?"...)
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum))
	return b
}
