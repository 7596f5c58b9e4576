package rossim

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// Outcomes of a dial-in, as the client sees them.
var (
	// ErrNoAnswer means that the router does not take L2TP clients: off, or in
	// clear where IPsec is required (Windows: 809).
	ErrNoAnswer = errors.New("the dial-in server does not answer")
	// ErrIPsec means that the pre-shared keys differ (Windows: 789).
	ErrIPsec = errors.New("the IPsec negotiation did not complete")
	// ErrLogin means that account and password were refused (Windows: 691).
	ErrLogin = errors.New("account or password refused")
	// ErrAddress means that the router has no address for the client.
	ErrAddress = errors.New("no address for the client")
	// ErrSessions means that a limit on sessions was reached.
	ErrSessions = errors.New("too many sessions")
)

// DialIn is an L2TP client that connects. What stands after PSK means something
// only to a router that is attached to an Internet.
type DialIn struct {
	Account  string
	Password string
	CallerID string // the client's public address
	PSK      string // the client's IPsec pre-shared key; empty: the client has no IPsec
	System   string // windows (when empty), macos, ios or android
	// Behind names a router: the client sits in its LAN, and its packets come from
	// that router's public address. CallerID is not read then.
	Behind string
	Local  netip.Addr // the client's own address; 192.168.1.100 when zero
	To     netip.Addr // the public address dialled; the router's main one when zero
}

// Connect lets a client dial in. It returns the address that the client got,
// or one of the errors above; the router's log says why.
func (r *Router) Connect(d DialIn) (netip.Addr, error) {
	if in := r.internet(); in != nil {
		return in.connect(r, d)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.st.connect(d)
}

// Disconnect ends the sessions of account as its client does. It returns how
// many there were.
func (r *Router) Disconnect(account string) int {
	r.settle()
	defer r.settle()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, rec := range slices.Clone(r.st.tables["/ppp/active"]) {
		if rec.name() == account {
			r.st.endSession(rec, "peer-request")
			n++
		}
	}
	return n
}

func (s *state) connect(d DialIn) (netip.Addr, error) {
	server := s.setting("/interface/l2tp-server/server")
	if err := s.tunnel(server, d); err != nil {
		return netip.Addr{}, err
	}
	return s.admitClient(server, d)
}

// admitClient is L2TP and PPP.
func (s *state) admitClient(server schema.Row, d DialIn) (netip.Addr, error) {
	s.log("l2tp,info", "first L2TP UDP packet received from "+d.CallerID)
	secret := s.secretFor(d)
	if secret == nil {
		s.log("l2tp,ppp,error", fmt.Sprintf("<l2tp-%d>: user %s authentication failed", len(s.tables["/ppp/active"]), d.Account))
		return netip.Addr{}, ErrLogin
	}
	if err := s.sessionLimits(server, secret, d); err != nil {
		return netip.Addr{}, err
	}
	addr, pool, err := s.clientAddress(secret)
	if err != nil {
		s.log("l2tp,ppp,error", "<l2tp-"+d.Account+">: could not determine remote address")
		return netip.Addr{}, err
	}
	s.startSession(secret, d, addr, pool)
	return addr, nil
}

// tunnel is what comes before PPP: the server must run, and the keys must be
// equal where IPsec is used.
func (s *state) tunnel(server schema.Row, d DialIn) error {
	switch {
	case server["enabled"] != "true":
		return ErrNoAnswer
	case d.PSK == "" && server["use-ipsec"] == "required":
		return ErrNoAnswer
	case d.PSK != "" && server["use-ipsec"] == "no":
		return ErrIPsec
	case d.PSK != "" && d.PSK != server["ipsec-secret"]:
		s.log("ipsec,error", d.CallerID+" parsing packet failed, possible cause: wrong password")
		s.log("ipsec,error", d.CallerID+" phase1 negotiation failed.")
		return ErrIPsec
	}
	return nil
}

func (s *state) secretFor(d DialIn) *record {
	for _, r := range s.tables["/ppp/secret"] {
		v := r.vals
		if v["name"] == d.Account && v["disabled"] != "true" && (v["service"] == "any" || v["service"] == "l2tp") &&
			v["password"] == d.Password && (v["caller-id"] == "" || v["caller-id"] == d.CallerID) {
			return r
		}
	}
	return nil
}

func (s *state) sessionLimits(server schema.Row, secret *record, d DialIn) error {
	active := s.tables["/ppp/active"]
	if n, err := strconv.Atoi(server["max-sessions"]); err == nil && len(active) >= n {
		return ErrSessions
	}
	only := s.pppProfile(secret)["only-one"] == "yes"
	for _, rec := range active {
		if only && rec.name() == d.Account {
			return ErrSessions
		}
		if server["one-session-per-host"] == "true" && rec.vals["caller-id"] == d.CallerID {
			return ErrSessions
		}
	}
	return nil
}

func (s *state) pppProfile(secret *record) schema.Row {
	for _, r := range s.tables["/ppp/profile"] {
		if r.name() == secret.vals["profile"] {
			return r.vals
		}
	}
	return schema.Row{}
}

// clientAddress is the secret's address, else the profile's, else the lowest
// free one of the profile's pool.
func (s *state) clientAddress(secret *record) (addr netip.Addr, pool string, err error) {
	remote := secret.vals["remote-address"]
	if remote == "" {
		remote = s.pppProfile(secret)["remote-address"]
	}
	if ip, err := netip.ParseAddr(remote); err == nil {
		return ip, "", nil
	}
	for seen := map[string]bool{}; remote != "" && remote != "none" && !seen[remote]; {
		seen[remote] = true
		p, err := s.find(s.prof.menus["/ip/pool"], remote)
		if err != nil {
			break
		}
		if ip, ok := s.freeAddress(p); ok {
			return ip, remote, nil
		}
		remote = p.vals["next-pool"]
	}
	return netip.Addr{}, "", ErrAddress
}

func (s *state) freeAddress(pool *record) (netip.Addr, bool) {
	used := map[string]bool{}
	for _, r := range s.tables["/ppp/active"] {
		used[r.vals["address"]] = true
	}
	ranges, _ := addressRanges(pool.vals["ranges"])
	for _, rg := range ranges {
		for ip := rg.from; ip.IsValid() && !rg.to.Less(ip); ip = ip.Next() {
			if !used[ip.String()] {
				return ip, true
			}
		}
	}
	return netip.Addr{}, false
}

// countPool fills in how much of a pool is used.
func (s *state) countPool(pool *record, row schema.Row) {
	const most = 1 << 24
	total := 0
	ranges, _ := addressRanges(pool.vals["ranges"])
	for _, rg := range ranges {
		for ip := rg.from; ip.IsValid() && !rg.to.Less(ip) && total < most; ip = ip.Next() {
			total++
		}
	}
	used := 0
	for _, r := range s.tables["/ip/pool/used"] {
		if r.vals["pool"] == pool.name() {
			used++
		}
	}
	row["total"], row["used"], row["available"] = itoa(total), itoa(used), itoa(max(total-used, 0))
}

func (s *state) startSession(secret *record, d DialIn, addr netip.Addr, pool string) {
	s.sessions++
	n, name := s.sessions, "<l2tp-"+d.Account+">"
	encoding := ""
	if d.PSK != "" {
		encoding = "cbc(aes) + hmac(sha1)"
	}
	active := s.addDynamic("/ppp/active", schema.Row{
		"name": d.Account, "service": "l2tp", "caller-id": d.CallerID, "address": addr.String(), "encoding": encoding,
		"session-id": fmt.Sprintf("0x81A%05X", n), "limit-bytes-in": "0", "limit-bytes-out": "0", "radius": "false",
	}, n)
	active.since = s.now()
	if c := secret.vals["comment"]; c != "" {
		active.vals["comment"] = c
	}
	if pool != "" {
		s.addDynamic("/ip/pool/used", schema.Row{"pool": pool, "address": addr.String(), "owner": "PPP", "info": d.Account}, n)
	}
	iface := s.addDynamic("/interface/l2tp-server", schema.Row{
		"name": s.freeInterface(name), "user": d.Account, "mtu": "1450", "mru": "1450", "client-address": d.CallerID,
		"encoding": encoding, "running": "true", "disabled": "false",
	}, n)
	iface.since = active.since
	if local := s.pppProfile(secret)["local-address"]; local != "" {
		if ip, err := netip.ParseAddr(local); err == nil {
			s.addDynamic("/ip/address", schema.Row{
				"address": netip.PrefixFrom(ip, ip.BitLen()).String(), "network": addr.String(), "interface": iface.name(),
				"actual-interface": iface.name(), "disabled": "false",
			}, n)
		}
	}
	s.log("l2tp,ppp,info,account", d.Account+" logged in, "+addr.String()+" from "+d.CallerID)
	s.log("l2tp,ppp,info", name+": authenticated")
	s.log("l2tp,ppp,info", name+": connected")
}

func (s *state) freeInterface(name string) string {
	free := name
	for n := 1; s.exists("/interface", free); n++ {
		free = strings.TrimSuffix(name, ">") + "-" + itoa(n) + ">"
	}
	return free
}

// endSession removes every row of a session and notes its end in the secret,
// if that still exists: a session outlives its secret.
func (s *state) endSession(active *record, reason string) {
	name := active.name()
	s.effect(effect{path: "/ppp/active", verb: "ended", session: active.session})
	for path, recs := range s.tables {
		if path == "/ppp/active" {
			continue
		}
		for _, rec := range slices.Clone(recs) {
			if rec.session == active.session && rec.dynamic {
				s.delete(rec)
			}
		}
	}
	s.delete(active)
	for _, r := range s.tables["/ppp/secret"] {
		if r.name() == name {
			r.vals["last-logged-out"] = s.stamp()
			r.vals["last-caller-id"] = active.vals["caller-id"]
			r.vals["last-disconnect-reason"] = reason
			s.changed(r, false)
		}
	}
	how := "hungup"
	if reason == "nas-request" {
		how = "administrator request"
	}
	s.log("l2tp,ppp,info", "<l2tp-"+name+">: terminating... - "+how)
	seconds := int(s.now().Sub(active.since) / time.Second)
	s.log("l2tp,ppp,info,account", fmt.Sprintf("%s logged out, %d 0 0 0 0 from %s", name, seconds, active.vals["caller-id"]))
	s.log("l2tp,ppp,info", "<l2tp-"+name+">: disconnected")
}

// poolOrAddress checks a value that is an address or the name of a pool.
func (s *state) poolOrAddress(a attr, value string) (string, error) {
	if ip, err := netip.ParseAddr(value); err == nil {
		return ip.String(), nil
	}
	if value == "" {
		return "", errAmbiguous(a.Name)
	}
	if !s.exists("/ip/pool", value) {
		return "", errNoMatch(a.Name)
	}
	return value, nil
}
