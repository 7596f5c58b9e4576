package apply_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// wild is a tunnel between two routers as people leave them, drawn by chance.
type wild struct {
	Exchange string // of the rows
	Defined  string // of the definition
	Networks [2]int // at each site
	IDs      bool   // both ends have fqdn IDs, in rows and definition
	Ends     [2]wildEnd
	Broken   [2]string // what keeps each end from working, "" nothing
	InBand   bool
	Absent   bool // there is no tunnel yet
}

// wildEnd is one router of a wild world.
type wildEnd struct {
	Version                 string // of RouterOS
	Peer, Profile, Proposal string
	SharedProfile           bool // a stranger's peer refers to it too
	SharedProposal          bool
	Comments                [4]string // of peer, identity, policies, bypasses
	Level                   string
	Local, DialIn           bool
	Strangers               int // policies of somebody else in front of ours
	Behind                  int // and behind
	Left                    bool
	Contact, NoTrack        bool // what people set on peers and identities besides
	NAT                     []string
	Boxed                   bool // a box of the provider's translates its address, one to one
	Second                  bool // it has another WAN, and people said which one the tunnel takes
	Emptied                 bool // values that WinBox opened and left empty
	Copied                  bool // rows that somebody copied in WinBox and left off
	Dangling                bool // others' rows that refer to what is gone
	Clients                 int  // people who have dialled in
	Filter                  []schema.Row
}

// comments are bytes that people leave on rows.
var comments = []string{"", "\xbb\xf1\xa4\x73", "總公司到鳳山", `"a" $b \c ?`, "tunnel [vpnbot 7.3]", "\xa4\xa4\xff\x01", "  spaces  "}

// drawWild draws a world; a tidy one holds a tunnel that works but for chance.
func drawWild(t *rapid.T, tidy bool) wild {
	w := wild{
		Exchange: rapid.SampledFrom([]string{"main", "ike2"}).Draw(t, "exchange"),
		InBand:   rapid.IntRange(0, 4).Draw(t, "in band") == 4,
	}
	w.Defined = w.Exchange
	for i := range w.Networks {
		w.Networks[i] = rapid.IntRange(1, 2).Draw(t, "networks")
		w.Ends[i] = drawEnd(t)
	}
	if i := rapid.IntRange(-6, 1).Draw(t, "boxed"); i >= 0 { // one end must be there to be called
		w.Ends[i].Boxed = w.Exchange == "ike2"
	}
	for i := range w.Ends { // the number of pairs is known by now
		w.Ends[i].NAT = drawNAT(t, w.Networks[0]*w.Networks[1], tidy)
		if !tidy && rapid.IntRange(0, 2).Draw(t, "broken") == 2 {
			w.Broken[i] = rapid.SampledFrom(slices.Sorted(maps.Keys(breakages()))).Draw(t, "breakage")
		}
	}
	w.IDs = w.Exchange == "ike2" && (rapid.Bool().Draw(t, "IDs") || w.Ends[0].Boxed || w.Ends[1].Boxed)
	return w
}

func drawEnd(t *rapid.T) wildEnd {
	e := wildEnd{
		Version:  rapid.SampledFrom(rossim.Profiles()).Draw(t, "version"),
		Peer:     rapid.SampledFrom([]string{"by hand", "\xbb\xf1\xa4\x73", "鳳山", `q"u$o\te`, "hq-fengshan-1"}).Draw(t, "peer"),
		Profile:  rapid.SampledFrom([]string{"p1", "default", "hq-fengshan-1"}).Draw(t, "profile"),
		Proposal: rapid.SampledFrom([]string{"p2", "default", `p"2`}).Draw(t, "proposal"),
		Level:    rapid.SampledFrom([]string{"require", "unique"}).Draw(t, "level"),
		Local:    rapid.Bool().Draw(t, "local address"), DialIn: rapid.IntRange(0, 3).Draw(t, "dial-in") == 3,
		SharedProfile: rapid.IntRange(0, 3).Draw(t, "shared profile") == 3, SharedProposal: rapid.IntRange(0, 3).Draw(t, "shared proposal") == 3,
		Strangers: rapid.IntRange(0, 2).Draw(t, "strangers"), Behind: rapid.IntRange(0, 2).Draw(t, "behind"),
		Left: rapid.IntRange(0, 3).Draw(t, "left") == 3, Contact: rapid.Bool().Draw(t, "initial contact"),
		NoTrack: rapid.IntRange(0, 3).Draw(t, "no tracking") == 3, Second: rapid.IntRange(0, 3).Draw(t, "second WAN") == 3,
		Emptied: rapid.IntRange(0, 3).Draw(t, "emptied") == 3, Copied: rapid.IntRange(0, 3).Draw(t, "copied") == 3,
		Dangling: rapid.IntRange(0, 3).Draw(t, "dangling") == 3, Clients: rapid.IntRange(0, 2).Draw(t, "clients"),
	}
	if e.Second {
		e.Local = true
	}
	for i := range e.Comments {
		e.Comments[i] = rapid.SampledFrom(comments).Draw(t, "comment")
	}
	return e
}

// drawNAT returns what a router's address translation is made of, in order: the
// bypass of pair 0, 1, …, and rules of others.
func drawNAT(t *rapid.T, pairs int, tidy bool) []string {
	translations, bypasses := []string{"masquerade", "masquerade outside", "src-nat"}, []string{"clean", "twice", "off", "left open", "tcp only", "none"}
	if tidy && rapid.IntRange(0, 4).Draw(t, "untidy") < 4 {
		translations = translations[1:2]
	}
	rules := []string{rapid.SampledFrom(translations).Draw(t, "translation")}
	for n := range pairs {
		switch kind := rapid.SampledFrom(bypasses).Draw(t, "bypass"); kind {
		case "none":
		case "twice":
			rules = append(rules, fmt.Sprint("clean ", n), fmt.Sprint("clean again ", n))
		default:
			rules = append(rules, fmt.Sprint(kind, " ", n))
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "other rules") {
		rules = append(rules, rapid.SampledFrom([]string{"other accept", "other masquerade", "dst-nat", "gone masquerade"}).Draw(t, "other rule"))
	}
	rules = rapid.Permutation(rules).Draw(t, "order")
	if rapid.Bool().Draw(t, "dynamic rule in front") {
		rules = slices.Insert(rules, 0, "dynamic")
	}
	return rules
}

// wildWorld builds what was drawn.
func wildWorld(t tester, d wild) *world {
	t.Helper()
	w := &world{tester: t, estate: d.estate(), places: d.places()}
	w.tunnel = vpn.Tunnel{Name: "hq-fengshan", Exchange: d.Defined, Ends: [2]vpn.End{{Site: "hq"}, {Site: "fengshan"}}}
	for i, site := range w.estate.Sites[:2] {
		for _, lan := range site.LAN {
			w.tunnel.Ends[i].Probes = append(w.tunnel.Ends[i].Probes, lan.Addr().Next())
		}
		if d.IDs {
			w.tunnel.Ends[i].ID = "fqdn:" + site.Name
		}
		w.tunnel.Ends[i].WAN = "ether1"
	}
	w.tunnel = w.tunnel.WithDefaults(w.estate)
	w.build(rossim.Switches{}, func(x vpn.ExpectedEnd) (string, map[string][]schema.Row) {
		i := slices.Index(names, x.Router)
		if d.Ends[i].Boxed {
			x.Local = inside(i)
		}
		return d.Ends[i].Version, d.rows(i, x)
	})
	for i, name := range names {
		w.force(name, d.Ends[i])
		w.callIn(name, d.Ends[i])
		if f := breakages()[d.Broken[i]]; f != nil {
			if err := f(w.in.Router(name), d.Ends[i]); err != nil {
				w.Fatal(err)
			}
		}
	}
	w.settle()
	return w
}

// estate are the two sites of the world.
func (d wild) estate() vpn.Estate {
	e := sites()
	e.Sites[0].LAN = e.Sites[0].LAN[:d.Networks[0]]
	if d.Networks[1] == 2 {
		e.Sites[1].LAN = append(e.Sites[1].LAN, netip.MustParsePrefix("192.168.89.0/24"))
	}
	for i, end := range d.Ends {
		if end.Boxed {
			e.Sites[i].WANs[0].NAT = vpn.OneToOneNAT
		}
		if end.Second {
			e.Sites[i].WANs = append(e.Sites[i].WANs, vpn.WAN{Interface: "ether3", Address: second(i), NAT: vpn.NoNAT, Role: vpn.Both})
		}
	}
	return e
}

// places are where routers that do not have their public address themselves are.
func (d wild) places() map[string]rossim.Place {
	places := map[string]rossim.Place{}
	for i, end := range d.Ends {
		if end.Boxed {
			public := sites().Sites[i].WANs[0].Address
			places[names[i]] = rossim.Place{Addresses: []netip.Addr{public}, NAT: []rossim.NAT{{Inside: inside(i), Public: public}}}
		}
	}
	return places
}

// inside is the address of a router behind a box, second that of a site's other WAN.
func inside(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 255, byte(i), 2}) }

func second(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(130 + 10*i)}) }

// rows are what one router holds.
func (d wild) rows(i int, x vpn.ExpectedEnd) map[string][]schema.Row {
	e := d.Ends[i]
	peer := schema.Row{"name": e.Peer, "address": x.Remote.String() + "/32", "profile": e.Profile, "exchange-mode": d.Exchange}
	if e.Local {
		peer["local-address"] = x.Local.String()
	}
	if !e.Contact {
		peer["send-initial-contact"] = "no"
	}
	identity := schema.Row{"peer": e.Peer, "secret": "old-key"}
	if e.NoTrack {
		identity["notrack-chain"] = "output"
	}
	if d.IDs {
		identity["my-id"], identity["remote-id"] = "fqdn:"+x.Site, "fqdn:"+d.far(x.Site)
	}
	other := schema.Row{"name": "elsewhere", "address": "192.0.2.99/32", "passive": "yes", "comment": "\xbb\xf1"}
	if e.SharedProfile {
		other["profile"] = e.Profile
	}
	menus := map[string][]schema.Row{
		"/ip/address":        {{"address": x.Local.String() + "/24", "interface": "ether1"}},
		"/ip/ipsec/profile":  {{"name": "p1", "hash-algorithm": "sha1", "enc-algorithm": "aes-128", "dh-group": "modp2048"}},
		"/ip/ipsec/proposal": {{"name": "nobody's"}},
		"/ip/ipsec/peer":     {other, with(peer, e.Comments[0])},
		"/ip/ipsec/identity": {{"peer": "elsewhere", "secret": "another-key"}, with(identity, e.Comments[1])},
		"/ip/firewall/nat":   {},
		"/system/scheduler":  {{"name": "nightly", "interval": "1d", "on-event": ":log info night"}},
	}
	if e.Second {
		menus["/ip/address"] = append(menus["/ip/address"], schema.Row{"address": second(i).String() + "/28", "interface": "ether3"})
	}
	if d.Absent {
		for _, path := range []string{"/ip/ipsec/peer", "/ip/ipsec/identity"} {
			menus[path] = menus[path][:1]
		}
		menus["/ip/firewall/filter"] = e.Filter
	}
	if e.Profile != "default" && e.Profile != "p1" {
		menus["/ip/ipsec/profile"] = append(menus["/ip/ipsec/profile"], schema.Row{"name": e.Profile, "hash-algorithm": "sha1", "enc-algorithm": "aes-128", "dh-group": "modp2048"})
	}
	if e.Proposal != "default" {
		menus["/ip/ipsec/proposal"] = append(menus["/ip/ipsec/proposal"], schema.Row{"name": e.Proposal, "auth-algorithms": "sha1", "enc-algorithms": "aes-128-cbc", "pfs-group": "modp1024"})
	}
	for _, p := range x.Policies {
		lan := schema.Row{"address": p.Source.Addr().Next().String() + "/24", "interface": "ether2"}
		if !slices.ContainsFunc(menus["/ip/address"], func(r schema.Row) bool { return r["address"] == lan["address"] }) {
			menus["/ip/address"] = append(menus["/ip/address"], lan)
		}
	}
	menus["/ip/ipsec/policy"] = d.policies(e, x)
	for _, rule := range e.NAT {
		menus["/ip/firewall/nat"] = append(menus["/ip/firewall/nat"], natRule(rule, e, x))
	}
	if e.DialIn {
		menus["/ip/pool"] = []schema.Row{{"name": "vpn", "ranges": "10.9.0.2-10.9.0.9"}}
		menus["/ppp/profile"] = []schema.Row{{"name": "vpn", "local-address": "10.9.0.1", "remote-address": "vpn"}}
		menus["/interface/l2tp-server/server"] = []schema.Row{{"enabled": "yes", "use-ipsec": "required", "ipsec-secret": "l2tp", "default-profile": "vpn"}}
		menus["/ppp/secret"] = []schema.Row{{"name": "mei", "password": "pw mei", "service": "l2tp", "profile": "vpn"}, {"name": "chen", "password": "pw chen", "service": "l2tp", "profile": "vpn"}}
	}
	if e.Copied { // with the name that WinBox gives a copy
		menus["/ip/ipsec/peer"] = append(menus["/ip/ipsec/peer"], schema.Row{"name": "peer1", "address": peer["address"], "exchange-mode": d.Exchange, "disabled": "yes", "comment": "\xc2\xc2"})
	}
	if e.Left { // by an earlier change of the bot's
		menus["/ip/ipsec/peer"] = append(menus["/ip/ipsec/peer"], schema.Row{
			"name": "hq-fengshan-3", "address": x.Remote.String() + "/32", "exchange-mode": d.Exchange, "disabled": "yes", "comment": "[vpnbot 7.3]",
		})
		menus["/ip/ipsec/identity"] = append(menus["/ip/ipsec/identity"], schema.Row{"peer": "hq-fengshan-3", "secret": "left-key", "comment": "[vpnbot 7.4]"})
	}
	return menus
}

func (d wild) far(site string) string {
	if site == "hq" {
		return "fengshan"
	}
	return "hq"
}

// policies are ours, with a stranger's in front and behind.
func (d wild) policies(e wildEnd, x vpn.ExpectedEnd) (list []schema.Row) {
	stranger := func(n int) schema.Row {
		row := schema.Row{"peer": "elsewhere", "tunnel": "yes", "src-address": fmt.Sprintf("10.%d.0.0/24", n), "dst-address": "10.200.0.0/24", "comment": "\xa4\xa4"}
		if e.SharedProposal {
			row["proposal"] = e.Proposal
		}
		return row
	}
	for n := range e.Strangers {
		list = append(list, stranger(n+1))
	}
	for _, p := range x.Policies {
		if d.Absent {
			break
		}
		list = append(list, with(schema.Row{
			"peer": e.Peer, "tunnel": "yes", "src-address": p.Source.String(), "dst-address": p.Destination.String(), "proposal": e.Proposal, "level": e.Level,
		}, e.Comments[2]))
	}
	for n := range e.Behind {
		list = append(list, stranger(n+101))
		if e.Copied { // RouterOS calls the second of two invalid
			list = append(list, stranger(n+101))
		}
	}
	return list
}

// with gives a row a comment, where there is one.
func with(row schema.Row, comment string) schema.Row {
	if comment != "" {
		row["comment"] = comment
	}
	return row
}

// natRule is one drawn rule.
func natRule(rule string, e wildEnd, x vpn.ExpectedEnd) schema.Row {
	switch rule {
	case "masquerade":
		return schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1"}
	case "masquerade outside":
		return schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1", "ipsec-policy": "out,none"}
	case "src-nat":
		return schema.Row{"chain": "srcnat", "action": "src-nat", "out-interface": "ether1", "to-addresses": x.Local.String()}
	case "other accept":
		return schema.Row{"chain": "srcnat", "action": "accept", "src-address": "10.1.0.0/16", "comment": "other \xbb\xf1"}
	case "other masquerade":
		return schema.Row{"chain": "srcnat", "action": "masquerade", "src-address": "10.1.0.0/16", "comment": "other"}
	case "dst-nat":
		return schema.Row{"chain": "dstnat", "action": "dst-nat", "protocol": "tcp", "dst-port": "443", "to-addresses": "192.168.77.9"}
	case "dynamic":
		return schema.Row{"chain": "srcnat", "action": "passthrough", "comment": "dynamic"}
	case "gone masquerade":
		return schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether4"}
	}
	var n int
	if _, err := fmt.Sscan(rule[strings.LastIndexByte(rule, ' ')+1:], &n); err != nil {
		panic(err)
	}
	pair := x.Policies[n]
	row := with(schema.Row{"chain": "srcnat", "action": "accept", "src-address": pair.Source.String(), "dst-address": pair.Destination.String()}, e.Comments[3])
	switch rule[:strings.LastIndexByte(rule, ' ')] {
	case "off":
		row["disabled"] = "yes"
	case "tcp only":
		row["protocol"] = "tcp"
	case "left open":
		row["comment"] = "left open " + e.Comments[3]
	}
	return row
}

// breakages are what people do to one end of a tunnel.
func breakages() map[string]func(*rossim.Router, wildEnd) error {
	each := func(menu, by, value string, do func(r *rossim.Router, id string) error) func(*rossim.Router, wildEnd) error {
		return func(r *rossim.Router, e wildEnd) error {
			want := map[string]string{"peer": e.Peer, "profile": e.Profile, "proposal": e.Proposal}[value]
			for _, row := range r.Rows(menu) {
				if row[by] != want {
					continue
				}
				if err := do(r, row[schema.ID]); err != nil {
					return err
				}
			}
			return nil
		}
	}
	set := func(menu, by, value, attr, to string) func(*rossim.Router, wildEnd) error {
		return each(menu, by, value, func(r *rossim.Router, id string) error { return r.Set(menu, id, schema.Row{attr: to}) })
	}
	remove := func(menu, by, value string) func(*rossim.Router, wildEnd) error {
		return each(menu, by, value, func(r *rossim.Router, id string) error { return r.Remove(menu, id) })
	}
	return map[string]func(*rossim.Router, wildEnd) error{
		"peer off":       set("/ip/ipsec/peer", "name", "peer", "disabled", "yes"),
		"passive":        set("/ip/ipsec/peer", "name", "peer", "passive", "yes"),
		"identity gone":  remove("/ip/ipsec/identity", "peer", "peer"),
		"identity off":   set("/ip/ipsec/identity", "peer", "peer", "disabled", "yes"),
		"another key":    set("/ip/ipsec/identity", "peer", "peer", "secret", "old-key-2"),
		"policies gone":  remove("/ip/ipsec/policy", "peer", "peer"),
		"policies off":   set("/ip/ipsec/policy", "peer", "peer", "disabled", "yes"),
		"stranger's":     set("/ip/ipsec/policy", "peer", "peer", "peer", "elsewhere"),
		"another hash":   set("/ip/ipsec/profile", "name", "profile", "hash-algorithm", "sha512"),
		"another group":  set("/ip/ipsec/proposal", "name", "proposal", "pfs-group", "modp8192"),
		"another cipher": set("/ip/ipsec/proposal", "name", "proposal", "enc-algorithms", "camellia-256"),
	}
}

// force makes what no write makes: dynamic rules, and matchers that WinBox opened
// and left without a value.
func (w *world) force(name string, e wildEnd) {
	w.Helper()
	r := w.in.Router(name)
	for n, row := range r.Rows("/ip/firewall/nat") {
		var err error
		switch {
		case e.NAT[n] == "dynamic":
			err = r.Force("/ip/firewall/nat", row[schema.ID], schema.Row{"dynamic": "true"})
		case strings.HasPrefix(e.NAT[n], "left open"):
			err = r.Force("/ip/firewall/nat", row[schema.ID], schema.Row{"src-address-type": ""})
		case e.NAT[n] == "gone masquerade": // its interface is no more
			err = r.Force("/ip/firewall/nat", row[schema.ID], schema.Row{"out-interface": "*A", "invalid": "true"})
		}
		if err != nil {
			w.Fatal(err)
		}
	}
	if e.Emptied {
		w.forceEach(name, "/ip/ipsec/peer", "name", e.Peer, schema.Row{"port": ""})
		w.forceEach(name, "/ip/ipsec/identity", "peer", e.Peer, schema.Row{"mode-config": "", "remote-certificate": ""})
		w.forceEach(name, "/ip/ipsec/policy", "peer", "elsewhere", schema.Row{"src-port": "", "comment": ""})
	}
	if e.Dangling {
		w.forceEach(name, "/ip/ipsec/policy", "peer", "elsewhere", schema.Row{"peer": "*6F", "proposal": "*9"})
		w.forceEach(name, "/ip/ipsec/peer", "name", "elsewhere", schema.Row{"profile": "*5"})
	}
}

// forceEach changes every row of a menu that has a value.
func (w *world) forceEach(name, menu, by, value string, to schema.Row) {
	w.Helper()
	for _, row := range w.in.Router(name).Rows(menu) {
		if row[by] != value {
			continue
		}
		force := schema.Row{}
		for attr, v := range to {
			if v != "" || row[attr] == "" {
				force[attr] = v
			}
		}
		if err := w.in.Router(name).Force(menu, row[schema.ID], force); err != nil {
			w.Fatal(err)
		}
	}
}

// callIn lets people dial in to a router: it gives them rows of its own making, in
// front of others'.
func (w *world) callIn(name string, e wildEnd) {
	w.Helper()
	if !e.DialIn {
		return
	}
	for i, account := range []string{"mei", "chen"}[:e.Clients] {
		_, err := w.in.Router(name).Connect(rossim.DialIn{Account: account, Password: "pw " + account, PSK: "l2tp", CallerID: fmt.Sprintf("192.0.2.%d", 60+i)})
		if err != nil {
			w.Logf("dialling in to %s: %v", name, err)
		}
	}
}
