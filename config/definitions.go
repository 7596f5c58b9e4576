package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// Imported is one definition as a file gives it: DialIn or Tunnel is set, as
// Kind says. PSK tells where its pre-shared key is kept; the importer seals it
// and fills in the definition's own reference and mark.
type Imported struct {
	Kind, Name string
	DialIn     vpn.DialIn
	Tunnel     vpn.Tunnel
	PSK        secret.Source
	Line       int
}

// Sealed returns im with its definition's own reference to the pre-shared key,
// and its mark.
func (im Imported) Sealed(ref secret.Ref, mark string) Imported {
	im.DialIn.PSK, im.DialIn.PSKMark = ref, mark
	im.Tunnel.PSK, im.Tunnel.PSKMark = ref, mark
	return im
}

// Encode returns the body of the definition.
func (im Imported) Encode() (json.RawMessage, error) {
	if im.Kind == vpn.KindTunnel {
		return im.Tunnel.Encode()
	}
	return im.DialIn.Encode()
}

// Definitions are definitions by kind, decoded.
type Definitions struct {
	DialIns []vpn.DialIn
	Tunnels []vpn.Tunnel
}

// Decode sorts definitions by kind. A kind that it does not know comes from a
// newer version and is refused.
func Decode(defs []change.Definition) (Definitions, error) {
	var d Definitions
	for _, def := range defs {
		switch def.Kind {
		case vpn.KindTunnel:
			t, err := vpn.DecodeTunnel(def)
			if err != nil {
				return Definitions{}, err
			}
			d.Tunnels = append(d.Tunnels, t)
		default:
			s, err := vpn.DecodeDialIn(def)
			if err != nil {
				return Definitions{}, err
			}
			d.DialIns = append(d.DialIns, s)
		}
	}
	return d, nil
}

// ParseDefinitions reads the definitions in data, which stand at path, and
// checks them against e, each other and held, which the ledger holds already: of
// two with one name the ledger's counts, as it stays. Sites come back under
// their names and tunnels with their defaults. The error joins one *Error per
// mistake.
func ParseDefinitions(path string, data []byte, e vpn.Estate, held []change.Definition) ([]Imported, error) {
	before, err := Decode(held)
	if err != nil {
		return nil, err
	}
	doc, root, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	f := root.object("dialin", "tunnels")
	if !f["dialin"].present() && !f["tunnels"].present() {
		root.fail("expected dialin (dial-in servers by site) or tunnels (tunnels by name)")
	}
	list, paths := readDialIns(f["dialin"], e)
	for _, im := range list {
		before.DialIns = append(before.DialIns, im.DialIn)
	}
	list = append(list, readTunnels(f["tunnels"], e, before)...)
	for i, path := range paths {
		checkReach(doc, path, e, list, list[i].DialIn, before)
	}
	if err := join(doc.errs); err != nil {
		return nil, err
	}
	return list, nil
}

// readDialIns returns the servers, and where each of them stands.
func readDialIns(v value, e vpn.Estate) (list []Imported, paths [][]string) {
	for _, en := range v.entries("dial-in servers by site") {
		d := readDialIn(en)
		if s, ok := e.Site(en.name); ok {
			d.DialIn.Site = s.Name
		}
		d.Name = d.DialIn.Site
		if slices.ContainsFunc(list, func(o Imported) bool { return o.Name == d.Name }) {
			en.fail("this site has a definition above: expected one for each site")
		}
		for _, p := range d.DialIn.Problems(e) {
			if p.Path[0] == "site" {
				p.Path = nil
			}
			v.doc.failAt(append(slices.Clone(en.path), p.Path...), p.Message)
		}
		list, paths = append(list, d), append(paths, en.path)
	}
	return list, paths
}

// checkReach checks which sites the clients of d are to reach, when all tunnels are
// known. Sites come back under their names.
func checkReach(doc *document, path []string, e vpn.Estate, list []Imported, d vpn.DialIn, held Definitions) {
	if d.Setup == nil {
		return
	}
	for i, name := range d.Setup.Reach {
		if site, known := e.Site(name); known {
			d.Setup.Reach[i] = site.Name
		}
	}
	tunnels := slices.Clone(held.Tunnels)
	for _, im := range list {
		if im.Kind == vpn.KindTunnel {
			tunnels = append(tunnels, im.Tunnel)
		}
	}
	for _, p := range d.ReachProblems(e, tunnels, held.DialIns) {
		doc.failAt(append(slices.Clone(path), p.Path...), p.Message)
	}
}

func readDialIn(e entry) Imported {
	f := e.object("router", "server", "pool", "profile", "ranges", "local", "dns", "return", "legacy", "reach", "psk", "note")
	d := vpn.DialIn{Site: e.name}
	for name, field := range map[string]*string{
		"router": &d.Router, "server": &d.Server, "pool": &d.Pool, "profile": &d.Profile, "note": &d.Note,
	} {
		*field, _ = f[name].text("one line of text")
	}
	d.Setup = readSetup(f)
	return Imported{Kind: vpn.KindDialIn, DialIn: d, PSK: f["psk"].source(false), Line: e.line()}
}

// readSetup reads what "dialin setup" brings about, nil when the file says nothing
// of it.
func readSetup(f map[string]value) *vpn.DialInSetup {
	keys := []string{"ranges", "local", "dns", "return", "legacy", "reach"}
	if !slices.ContainsFunc(keys, func(k string) bool { return f[k].present() }) {
		return nil
	}
	s := &vpn.DialInSetup{Ranges: f["ranges"].words("ranges of IPv4 addresses"), Return: vpn.ByGateway}
	if text, ok := f["local"].required("an IPv4 address"); ok {
		s.Local = f["local"].addr(text)
	}
	for _, text := range f["dns"].words("IPv4 addresses") {
		s.DNS = append(s.DNS, f["dns"].addr(text))
	}
	if text, ok := f["return"].text("gateway, proxy-arp or masquerade"); ok {
		s.Return = vpn.LANReturn(text)
	}
	if f["legacy"].present() {
		s.Legacy = f["legacy"].flag()
	}
	if f["reach"].present() {
		s.Reach = f["reach"].words("names of sites")
	}
	return s
}

// addr reads text of v as an IPv4 address.
func (v value) addr(text string) netip.Addr {
	ip, err := netip.ParseAddr(text)
	if err != nil || !ip.Is4() {
		v.fail("expected an IPv4 address")
	}
	return ip
}

func (e entry) line() int { return e.doc.places[key(e.path)].Line }

// FormatDefinitions writes definitions as the file that ParseDefinitions reads,
// in the order of their names. A pre-shared key is never written, nor a
// reference to it: a comment tells its key mark.
func FormatDefinitions(defs []change.Definition) ([]byte, error) {
	sorted := slices.Clone(defs)
	slices.SortFunc(sorted, func(a, b change.Definition) int { return strings.Compare(a.Name, b.Name) })
	d, err := Decode(sorted)
	if err != nil {
		return nil, err
	}
	var w writer
	for i, s := range d.DialIns {
		if i == 0 {
			w.line(0, "dialin:")
		}
		w.dialIn(s)
	}
	for i, t := range d.Tunnels {
		if i == 0 {
			w.line(0, "tunnels:")
		}
		w.tunnel(t)
	}
	if len(defs) == 0 {
		w.line(0, "dialin: {}")
	}
	return w.Bytes(), nil
}

// writer writes YAML, key by key.
type writer struct{ bytes.Buffer }

func (w *writer) line(depth int, format string, args ...any) {
	w.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(w, format+"\n", args...)
}

// text writes a key unless its value is empty.
func (w *writer) text(depth int, key, value string) {
	if value != "" {
		w.line(depth, "%s: %s", key, quote(value))
	}
}

// list writes a key with a list in brackets.
func (w *writer) list(depth int, key string, values []string) {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	w.line(depth, "%s: [%s]", key, strings.Join(quoted, ", "))
}

// psk tells that the bot holds a key.
func (w *writer) psk(ref secret.Ref, mark string) {
	switch {
	case ref != "":
		w.line(2, "# psk: the bot holds it (%s) and does not export it; name it here as file:, env: or credential:", mark)
	case mark != "":
		w.line(2, "# psk: written to both routers by the bot (%s) and kept nowhere else", mark)
	}
}

func (w *writer) dialIn(d vpn.DialIn) {
	w.line(1, "%s:", quote(d.Site))
	w.text(2, "router", d.Router)
	w.text(2, "server", d.Server)
	w.text(2, "pool", d.Pool)
	w.text(2, "profile", d.Profile)
	if s := d.Setup; s != nil {
		w.list(2, "ranges", s.Ranges)
		w.text(2, "local", s.Local.String())
		if len(s.DNS) > 0 {
			w.list(2, "dns", texts(s.DNS))
		}
		w.text(2, "return", string(s.Return))
		if s.Legacy {
			w.line(2, "legacy: true")
		}
		if len(s.Reach) > 0 {
			w.list(2, "reach", s.Reach)
		}
	}
	w.text(2, "note", d.Note)
	w.psk(d.PSK, d.PSKMark)
}

// plain is text that YAML reads as the string it is, without quotes.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]$`)

// quote writes s as a YAML scalar: bare when nothing can mistake it, else in
// double quotes, of which JSON's are a subset.
func quote(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off":
	default:
		if plain.MatchString(s) {
			return s
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
