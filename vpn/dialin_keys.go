package vpn

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
)

// dialInKey is one value of a dial-in server's definition that people can name:
// the table of them is what "dialin setup" and "dialin set" understand. Names are
// those of the definition's YAML.
type dialInKey struct {
	name  string
	also  []string
	shown string // an example
	set   func(d *DialIn, value string) bool
}

func dialInKeys() []dialInKey {
	name := func(field func(*DialIn) *string) func(*DialIn, string) bool {
		return func(d *DialIn, v string) bool { *field(d) = v; return rosName.MatchString(v) }
	}
	return []dialInKey{
		{"server", []string{"host", "伺服器"}, "vpn.example.com", func(d *DialIn, v string) bool { d.Server = v; return validHost(v) }},
		{"router", []string{"路由器"}, "gw-hq", name(func(d *DialIn) *string { return &d.Router })},
		{"pool", nil, "vpn-pool", name(func(d *DialIn) *string { return &d.Pool })},
		{"profile", nil, "vpn-users", name(func(d *DialIn) *string { return &d.Profile })},
		{"ranges", []string{"range", "addresses", "位址"}, "192.168.178.10-192.168.178.99", func(d *DialIn, v string) bool {
			d.Setup.Ranges = strings.Split(v, ",")
			return len(spans(v)) == len(d.Setup.Ranges)
		}},
		{"local", []string{"local-address"}, "192.168.178.1", func(d *DialIn, v string) bool {
			ip, err := netip.ParseAddr(v)
			d.Setup.Local = ip
			return err == nil && ip.Is4()
		}},
		{"dns", nil, "192.168.77.1", func(d *DialIn, v string) bool { return readDNS(d.Setup, v) }},
		{"return", []string{"lan-return", "回程"}, string(ByProxyARP), func(d *DialIn, v string) bool {
			d.Setup.Return = LANReturn(strings.ToLower(v))
			return slices.Contains([]LANReturn{ByGateway, ByProxyARP, ByMasquerade}, d.Setup.Return)
		}},
		{"legacy", nil, "no", func(d *DialIn, v string) bool {
			v = strings.ToLower(v)
			d.Setup.Legacy = v == "yes" || v == "true" || v == "是"
			return d.Setup.Legacy || v == "no" || v == "false" || v == "否"
		}},
		{"reach", []string{"reaches", "可達"}, "fengshan", func(d *DialIn, v string) bool { return readReach(d.Setup, v) }},
	}
}

// readReach takes names of sites joined by commas, or "none".
func readReach(s *DialInSetup, v string) bool {
	s.Reach = nil
	if strings.EqualFold(v, "none") || v == "無" {
		return true
	}
	for word := range strings.SplitSeq(strings.ReplaceAll(v, "、", ","), ",") {
		if word = strings.TrimSpace(word); word == "" {
			return false
		}
		s.Reach = append(s.Reach, word)
	}
	return true
}

// readDNS takes addresses joined by commas, or "none".
func readDNS(s *DialInSetup, v string) bool {
	s.DNS = nil
	if strings.EqualFold(v, "none") {
		return true
	}
	for word := range strings.SplitSeq(v, ",") {
		ip, err := netip.ParseAddr(strings.TrimSpace(word))
		if err != nil || !ip.Is4() {
			return false
		}
		s.DNS = append(s.DNS, ip)
	}
	return true
}

// DialInKeys returns the names of the values that "dialin setup" and "dialin set"
// understand, each with an example: "dns=192.168.77.1".
func DialInKeys() []string {
	var list []string
	for _, k := range dialInKeys() {
		list = append(list, k.name+"="+k.shown)
	}
	return list
}

// ReadDialInSetting reads "key=value" as people type it. It returns a *Refusal that
// repeats no word of what it does not know.
func ReadDialInSetting(word string) (change.Setting, error) {
	key, value, paired := strings.Cut(word, "=")
	key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
	if slices.Contains([]string{"psk", "secret", "password", "金鑰", "密碼"}, key) {
		return change.Setting{}, refuse("dialin_secret")
	}
	keys := dialInKeys()
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
		if !paired || k.name != key && !slices.Contains(k.also, key) {
			continue
		}
		if !k.set(&DialIn{Setup: &DialInSetup{}}, value) {
			return change.Setting{}, refuse("dialin_value", "key", k.name, "example", k.shown)
		}
		return change.Setting{Key: k.name, Value: value}, nil
	}
	if near := Nearest(key, names); near != "" {
		return change.Setting{}, refuse("dialin_near", "near", near)
	}
	return change.Setting{}, refuse("dialin_key", "keys", strings.Join(names, ", "))
}

// WithSettings returns d with values set. One without setup so far gets what suits
// most: no name servers, and the way back from the LAN that its addresses ask for.
func (d DialIn) WithSettings(site Site, settings []change.Setting) DialIn {
	set := DialInSetup{}
	if d.Setup != nil {
		set = *d.Setup
	}
	d.Setup = &set
	for _, s := range settings {
		for _, k := range dialInKeys() {
			if k.name == s.Key {
				k.set(&d, s.Value)
			}
		}
	}
	if d.Site == "" {
		d.Site = site.Name
	}
	if d.Router == "" && len(site.Routers) == 1 {
		d.Router = site.Routers[0]
	}
	if d.Pool == "" {
		d.Pool = "vpn-pool"
	}
	if d.Profile == "" {
		d.Profile = "vpn-users"
	}
	if set.Return == "" {
		set.Return = ByGateway
		if slices.ContainsFunc(spans(strings.Join(set.Ranges, ",")), func(a span) bool { return slices.ContainsFunc(site.LAN, a.touches) }) {
			set.Return = ByProxyARP
		}
	}
	return d
}

// CheckDialIn returns a *Refusal that says what the definition of a server that is
// to be set up lacks, or what cannot work.
func CheckDialIn(d DialIn, e Estate) error {
	site, ok := e.Site(d.Site)
	if !ok {
		return refuse("no_definition", "site", d.Site)
	}
	for _, k := range dialInKeys() {
		missing := map[string]bool{
			"server": !validHost(d.Server), "router": !slices.Contains(site.Routers, d.Router),
			"ranges": len(d.Setup.Ranges) == 0, "local": !d.Setup.Local.Is4(),
		}
		if missing[k.name] {
			return refuse("dialin_missing", "key", k.name, "example", k.shown, "site", site.Name)
		}
	}
	total := spans(strings.Join(d.Setup.Ranges, ","))
	for _, other := range e.Sites {
		if other.Name != site.Name && slices.ContainsFunc(total, func(a span) bool { return slices.ContainsFunc(other.LAN, a.touches) }) {
			return refuse("dialin_elsewhere", "site", other.Name)
		}
	}
	inside := slices.ContainsFunc(total, func(a span) bool { return slices.ContainsFunc(site.LAN, a.touches) })
	switch {
	case inRanges(strings.Join(d.Setup.Ranges, ","), d.Setup.Local):
		return refuse("dialin_local", "address", d.Setup.Local.String())
	case d.Setup.Return == ByGateway && inside:
		return refuse("dialin_inside", "site", site.Name)
	case d.Setup.Return == ByProxyARP && !inside:
		return refuse("dialin_outside", "site", site.Name)
	}
	return nil
}
