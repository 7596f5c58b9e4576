package rossim

import (
	"net/netip"
	"strconv"
	"time"

	"vpnbot/ros/schema"
)

// pinging is a ping command.
type pinging struct {
	src, dst netip.Addr
	count    int // 0: until cancelled
	interval time.Duration
	size     int
}

// roundTripTime is what every answered ping takes.
const roundTripTime = 9 * time.Millisecond

// parsePing reads the arguments of /ping. Those that change nothing here are
// taken and not used.
func parsePing(args schema.Row) (pinging, error) {
	p := pinging{interval: time.Second, size: 56}
	var err error
	for _, name := range args.Names() {
		value := args[name]
		switch name {
		case "address":
			p.dst, err = netip.ParseAddr(value)
		case "src-address":
			p.src, err = netip.ParseAddr(value)
		case "count":
			p.count, err = strconv.Atoi(value)
		case "size":
			p.size, err = strconv.Atoi(value)
		case "interval":
			p.interval, err = schema.ParseDuration(value)
		case "ttl", "dscp", "do-not-fragment", "proplist", ".proplist":
		default:
			return p, errUnknownParameter(name)
		}
		if err != nil || p.count < 0 || p.interval < 10*time.Millisecond || p.size < 14 || p.size > 65535 {
			return p, errInvalid(name)
		}
	}
	if !p.dst.IsValid() {
		return p, errMissing([]string{"address"})
	}
	return p, nil
}

// ping answers one sentence a packet until all are sent or the command is
// cancelled.
func (c *conn) ping(k call) {
	p, err := parsePing(k.args)
	if err != nil {
		c.refuse(k, err)
		return
	}
	c.beside(k, func(f *follow) bool {
		over := c.pings(p, f)
		if over {
			c.send(k.reply("!done"))
		}
		return over
	})
}

// pings returns false when the command was stopped.
func (c *conn) pings(p pinging, f *follow) bool {
	id, got := c.r.pingID(), 0
	for seq := 0; p.count == 0 || seq < p.count; seq++ {
		if seq > 0 && !wait(p.interval, f.stop, c.done) {
			return false
		}
		ok := c.r.ping(p.src, p.dst, id, p.size)
		if ok {
			got++
		}
		c.send(f.call.reply(append([]string{"!re"}, words(pingRow(p, seq, got, ok), nil)...)...))
	}
	return true
}

// pingRow is the sentence for one packet.
func pingRow(p pinging, seq, got int, ok bool) schema.Row {
	row := schema.Row{
		"seq": itoa(seq), "host": p.dst.String(), "sent": itoa(seq + 1), "received": itoa(got),
		"packet-loss": itoa((seq + 1 - got) * 100 / (seq + 1)),
	}
	if ok {
		row["size"], row["ttl"], row["time"] = itoa(p.size), "63", schema.FormatDuration(roundTripTime)
	} else {
		row["status"] = "timeout"
	}
	if got > 0 {
		for _, name := range []string{"min-rtt", "avg-rtt", "max-rtt"} {
			row[name] = schema.FormatDuration(roundTripTime)
		}
	}
	return row
}

func wait(d time.Duration, stop, done <-chan struct{}) bool {
	t := time.NewTimer(max(d, 1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
	case <-done:
	}
	return false
}

// pingID tells the packets of one command from those of another.
func (r *Router) pingID() uint16 {
	in := r.internet()
	if in == nil {
		return 0
	}
	var id uint16
	in.with(func() { id = uint16(in.id()) })
	return id
}

// ping sends one packet. A router that is attached to nothing reaches itself
// only.
func (r *Router) ping(src, dst netip.Addr, id uint16, size int) bool {
	if in := r.internet(); in != nil {
		ok := false
		in.with(func() { ok = in.ping(in.nodeOf(r), src, dst, id, size) })
		return ok
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.st.tables["/ip/address"] {
		if p, ok := r.st.addressOf(rec); ok && p.Addr() == dst {
			return true
		}
	}
	return false
}
