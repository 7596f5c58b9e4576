package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// Imported is one dial-in definition as a file gives it. PSK tells where its
// pre-shared key is kept; the importer seals it and fills in the definition's
// own reference and mark.
type Imported struct {
	DialIn vpn.DialIn
	PSK    secret.Source
	Line   int
}

// ParseDefinitions reads the definitions in data, which stand at path, and
// checks them against e. Sites come back under their names. The error joins one
// *Error per mistake.
func ParseDefinitions(path string, data []byte, e vpn.Estate) ([]Imported, error) {
	doc, root, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	dialin := root.object("dialin")["dialin"]
	if !dialin.present() {
		dialin.fail("expected dial-in servers by site")
	}
	var list []Imported
	for _, en := range dialin.entries("dial-in servers by site") {
		d := readDialIn(en)
		d.Line = doc.places[key(en.path)].Line
		if s, ok := e.Site(en.name); ok {
			d.DialIn.Site = s.Name
		}
		twice := slices.ContainsFunc(list, func(o Imported) bool { return o.DialIn.Site == d.DialIn.Site })
		if twice {
			en.fail("this site has a definition above: expected one for each site")
		}
		for _, p := range d.DialIn.Problems(e) {
			if p.Path[0] == "site" {
				p.Path = nil
			}
			doc.failAt(append(slices.Clone(en.path), p.Path...), p.Message)
		}
		list = append(list, d)
	}
	if err := join(doc.errs); err != nil {
		return nil, err
	}
	return list, nil
}

func readDialIn(e entry) Imported {
	f := e.object("router", "server", "pool", "profile", "psk", "note")
	d := vpn.DialIn{Site: e.name}
	for name, field := range map[string]*string{
		"router": &d.Router, "server": &d.Server, "pool": &d.Pool, "profile": &d.Profile, "note": &d.Note,
	} {
		*field, _ = f[name].text("one line of text")
	}
	return Imported{DialIn: d, PSK: f["psk"].source(false)}
}

// FormatDefinitions writes definitions as the file that ParseDefinitions reads,
// in the order of their names. A pre-shared key is never written, nor a
// reference to it: a comment tells its key mark.
func FormatDefinitions(defs []change.Definition) ([]byte, error) {
	sorted := slices.Clone(defs)
	slices.SortFunc(sorted, func(a, b change.Definition) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	b.WriteString("dialin:\n")
	if len(sorted) == 0 {
		return []byte("dialin: {}\n"), nil
	}
	for _, def := range sorted {
		d, err := vpn.DecodeDialIn(def)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "  %s:\n", quote(d.Site))
		for _, line := range [][2]string{
			{"router", d.Router}, {"server", d.Server}, {"pool", d.Pool}, {"profile", d.Profile}, {"note", d.Note},
		} {
			if line[1] != "" {
				fmt.Fprintf(&b, "    %s: %s\n", line[0], quote(line[1]))
			}
		}
		if d.PSK != "" {
			fmt.Fprintf(&b, "    # psk: the bot holds it (%s) and does not export it; name it here as file:, env: or credential:\n", d.PSKMark)
		}
	}
	return b.Bytes(), nil
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
