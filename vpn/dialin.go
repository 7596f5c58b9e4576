package vpn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// KindDialIn is the kind of a dial-in server's definition.
const KindDialIn = "dialin"

// DialIn defines a site's L2TP/IPsec server: what accounts are made for. A
// definition is named after its site.
type DialIn struct {
	Site    string `json:"site"`
	Router  string `json:"router"`
	Server  string `json:"server"` // what a client dials: a DNS name or an address
	Pool    string `json:"pool"`
	Profile string `json:"profile"` // PPP profile of the accounts
	// PSK names the sealed pre-shared key of the server, PSKMark its key mark.
	// Both are empty while nobody has told the bot the key.
	PSK     secret.Ref `json:"psk,omitempty"`
	PSKMark string     `json:"pskMark,omitempty"`
	Note    string     `json:"note,omitempty"`
}

// Encode returns the body that DecodeDialIn reads.
func (d DialIn) Encode() (json.RawMessage, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding dial-in definition of %s: %w", d.Site, err)
	}
	return b, nil
}

// DecodeDialIn reads the body of a definition. Fields that it does not know come
// from a newer version and are refused.
func DecodeDialIn(def change.Definition) (DialIn, error) {
	if def.Kind != KindDialIn {
		return DialIn{}, fmt.Errorf("decoding definition %s: kind %q is not %q", def.Name, def.Kind, KindDialIn)
	}
	dec := json.NewDecoder(bytes.NewReader(def.Body))
	dec.DisallowUnknownFields()
	var d DialIn
	if err := dec.Decode(&d); err != nil {
		return DialIn{}, fmt.Errorf("decoding dial-in definition of %s: %w", def.Name, err)
	}
	return d, nil
}

// rosName is what the bot accepts as the name of a pool or profile: RouterOS
// takes more, but nothing else comes back the same from every tool.
var rosName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,62}$`)

// Problems returns what is wrong with d, and with its place in e. Paths begin at
// the definition.
func (d DialIn) Problems(e Estate) []Problem {
	var ps problems
	site, ok := e.Site(d.Site)
	if !ok {
		ps.add("expected the name of a site in the configuration", "site")
	}
	if r, known := e.Router(d.Router); !known || (ok && r.Site != site.Name) {
		ps.add("expected a router of this site", "router")
	}
	if !validHost(d.Server) {
		ps.add("expected the DNS name or IPv4 address that clients dial", "server")
	}
	if !rosName.MatchString(d.Pool) {
		ps.add("expected the name of the IP pool", "pool")
	}
	if !rosName.MatchString(d.Profile) {
		ps.add("expected the name of the PPP profile", "profile")
	}
	if !plainText(d.Note, maxNote) {
		ps.add("expected one line of at most 200 characters", "note")
	}
	return ps
}
