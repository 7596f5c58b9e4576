package rossim

import (
	"net/netip"
	"slices"
	"time"

	"vpnbot/ros/schema"
)

// connection is one that a router tracks. What its first packet was translated
// to holds for all that follow, whatever the rules say later.
type connection struct {
	id    uint64
	node  int
	first packet
	src   netip.Addr // first.src after translation
	row   uint64
	flows int
	ends  time.Time // when it is forgotten; zero while traffic flows
}

// patience is how long a router remembers a connection without traffic.
func (c *connection) patience() time.Duration {
	switch c.first.protocol {
	case "tcp":
		return 24 * time.Hour
	case "udp":
		return 3 * time.Minute
	}
	return 10 * time.Second
}

// track finds the connection of a packet that is about to leave by an interface,
// or begins one, and translates the packet.
func (in *Internet) track(i int, p packet, out string, w *walk) packet {
	for _, c := range in.conns {
		if c.node != i {
			continue
		}
		translated := c.first
		translated.src = c.src
		switch p {
		case c.first:
			w.meet(c)
			w.count(gauge{i, connections, c.row, "orig-packets"}, 1)
			return translated
		case translated.reply():
			w.meet(c)
			w.count(gauge{i, connections, c.row, "repl-packets"}, 1)
			in.seenReply(c)
			return c.first.reply()
		}
	}
	c := &connection{id: in.id(), node: i, first: p, src: in.translate(i, p, out)}
	row := schema.Row{
		"protocol": p.protocol, "src-address": p.src.String(), "dst-address": p.dst.String(), "reply-src-address": p.dst.String(),
		"reply-dst-address": c.src.String(), "srcnat": boolText(c.src != p.src), "dstnat": "false", "seen-reply": "false", "confirmed": "true",
		"timeout": schema.FormatDuration(c.patience()),
	}
	if p.protocol != "icmp" {
		row["src-port"], row["dst-port"] = itoa(int(p.sport)), itoa(int(p.dport))
	}
	c.row = in.addState(in.nodes[i], connections, row, nil, []string{"orig-packets", "orig-bytes", "repl-packets", "repl-bytes"})
	in.conns = append(in.conns, c)
	w.meet(c)
	w.count(gauge{i, connections, c.row, "orig-packets"}, 1)
	p.src = c.src
	return p
}

const connections = "/ip/firewall/connection"

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func (in *Internet) seenReply(c *connection) {
	r := in.nodes[c.node].r
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.st.bySerial(connections, c.row); rec != nil {
		rec.vals["seen-reply"] = "true"
	}
}

// forget ends the memory of a connection.
func (in *Internet) forget(c *connection) {
	in.conns = slices.DeleteFunc(in.conns, func(o *connection) bool { return o == c })
	in.removeState(in.nodes[c.node], connections, c.row)
}
