package vpn

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// Values of state attributes that Judge goes by.
const (
	established = "established"
	mature      = "mature"
	dying       = "dying"
)

// The states that RouterOS is known to show. A row in another one is not
// understood, and no verdict rests on it.
var (
	phase1States = []string{
		"spawning", "starting", "message-1-sent", "message-1-received", "message-2-sent", "message-2-received", "message-3-sent",
		"message-3-received", "message-4-sent", "message-4-received", established, "expired", "no-phase1", "eap", "crypto", "qkd",
	}
	phase2States = []string{
		"no-phase2", "spawning", "starting", "ready-to-send", "getspi-sent", "getspi-done", "msg1-sent", "ready-to-establish",
		"commiting", //nolint:misspell // RouterOS writes it so
		"adding-sa", established, "expired",
	}
	saStates = []string{"larval", mature, dying, "dead"}
)

// reader reads attributes of one row and notes the first that it does not
// understand.
type reader struct {
	menu string
	row  schema.Row
	odd  string
}

func (r *reader) doubt(attr string) {
	if r.odd == "" {
		r.odd = attr
	}
}

func (r *reader) text(attr string) string { return ReadableBytes(defaulted(r.menu, r.row, attr)) }

func (r *reader) flag(attr string) bool {
	switch r.row[attr] {
	case "true", "yes":
		return true
	case "", "false", "no":
		return false
	}
	r.doubt(attr)
	return false
}

func (r *reader) state(attr string, known []string) string {
	s := r.row[attr]
	if !slices.Contains(known, s) {
		r.doubt(attr)
		return ReadableBytes(s)
	}
	return s
}

func (r *reader) count(attr string) uint64 {
	s, ok := r.row[attr]
	if !ok {
		return 0 // RouterOS prints no counter before the first packet
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		r.doubt(attr)
	}
	return n
}

func (r *reader) duration(attr string) time.Duration {
	d, err := schema.ParseDuration(r.row[attr])
	if err != nil || d < 0 {
		return 0 // shown to people only
	}
	return d
}

func (r *reader) address(attr string) netip.Addr {
	ip, err := netip.ParseAddr(r.row[attr])
	if err != nil {
		r.doubt(attr)
	}
	return ip.Unmap()
}

// optional is an address that may be absent or unspecified.
func (r *reader) optional(attr string) netip.Addr {
	ip, err := netip.ParseAddr(r.row[attr])
	if err != nil || ip.IsUnspecified() {
		return netip.Addr{}
	}
	return ip.Unmap()
}

func (r *reader) prefix(attr string) netip.Prefix {
	s := defaulted(r.menu, r.row, attr)
	p, err := netip.ParsePrefix(s)
	if err == nil {
		return p.Masked()
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		r.doubt(attr)
		return netip.Prefix{}
	}
	return netip.PrefixFrom(ip, ip.BitLen())
}

// cookie reads 16 hexadecimal digits.
func (r *reader) cookie(attr string) string {
	s := strings.ToLower(strings.TrimPrefix(r.row[attr], "0x"))
	if _, err := strconv.ParseUint(s, 16, 64); err != nil || len(s) != 16 {
		return ""
	}
	return s
}

func (r *reader) activePeer() ActivePeer {
	p := ActivePeer{
		Local: r.address("local-address"), Remote: r.address("remote-address"), Port: r.row["port"], ID: r.text("id"),
		State: r.state("state", phase1States), NATT: r.flag("natt-peer"), SPII: r.cookie("spii"), SPIR: r.cookie("spir"),
		Uptime: r.duration("uptime"), LastSeen: r.duration("last-seen"),
		RxBytes: r.count("rx-bytes"), RxPackets: r.count("rx-packets"), TxBytes: r.count("tx-bytes"), TxPackets: r.count("tx-packets"),
	}
	p.Initiator = r.row["side"] == "initiator" || (r.row["side"] == "" && !r.flag("responder"))
	if p.State == established && (p.SPII == "" || p.SPIR == "") {
		r.doubt("spii")
	}
	return p
}

// sa reads an SA; where it leads to is the caller's to say.
func (r *reader) sa() (sa SA, source, destination netip.AddrPort) {
	sa = SA{
		Source: r.text("src-address"), Destination: r.text("dst-address"), State: r.state("state", saStates),
		Encryption: r.text("enc-algorithm"), Auth: r.text("auth-algorithm"), KeySize: r.text("enc-key-size"),
		Left: r.duration("expires-in"), Bytes: r.count("current-bytes"), Packets: r.count("current-packets"),
	}
	if _, hard, ok := strings.Cut(r.row["add-lifetime"], "/"); ok && sa.Left > 0 {
		if d, err := schema.ParseDuration(hard); err == nil && d > sa.Left {
			sa.Age = d - sa.Left
		}
	}
	sa.number = r.spi()
	sa.SPI = fmt.Sprintf("0x%X", sa.number)
	return sa, r.endpoint("src-address"), r.endpoint("dst-address")
}

func (r *reader) spi() uint32 {
	s := strings.TrimPrefix(strings.ToLower(r.row["spi"]), "0x")
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || n == 0 {
		r.doubt("spi")
	}
	return uint32(n)
}

// endpoint reads an address that carries a port under NAT-T.
func (r *reader) endpoint(attr string) netip.AddrPort {
	s := r.row[attr]
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(ip.Unmap(), 0)
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		r.doubt(attr)
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func (r *reader) peer() Peer {
	return Peer{
		Name: r.text("name"), Address: r.text("address"), Exchange: r.text("exchange-mode"), Profile: r.text("profile"),
		Disabled: r.flag("disabled"), Passive: r.flag("passive"), Dynamic: r.flag("dynamic"),
		Shadowed: strings.Contains(r.row[".about"], "unreachable"),
	}
}

// policy reads a policy; carries is false for rows that are no tunnel at all.
func (r *reader) policy() (p Policy, carries bool) {
	p = Policy{
		Selectors: Selectors{r.prefix("src-address"), r.prefix("dst-address")}, Rows: 1,
		Disabled: r.flag("disabled"), Invalid: r.flag("invalid"), Dynamic: r.flag("dynamic"), Proposal: r.text("proposal"),
	}
	tunnel, template := r.flag("tunnel"), r.flag("template")
	if template || !tunnel || defaulted(r.menu, r.row, "action") != "encrypt" || defaulted(r.menu, r.row, "protocol") != "all" ||
		defaulted(r.menu, r.row, "src-port") != "any" || defaulted(r.menu, r.row, "dst-port") != "any" {
		return p, false
	}
	if names := r.text("peer"); names != "" {
		p.Peers = strings.Split(names, ",")
	}
	if !p.Disabled && !p.Invalid {
		p.State = r.state("ph2-state", phase2States)
	}
	return p, true
}
