package vpn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// KindTunnel is the kind of a tunnel's definition.
const KindTunnel = "tunnel"

// Tunnel defines IPsec between two sites. Names of algorithms are RouterOS's
// own, and so is the way in which times are written.
type Tunnel struct {
	Name     string   `json:"name"`
	Ends     [2]End   `json:"ends"`
	Exchange string   `json:"exchange"` // exchange-mode: main, aggressive or ike2
	Profile  Profile  `json:"profile"`
	Proposal Proposal `json:"proposal"`
	// PSK names the sealed pre-shared key that was imported, PSKMark the key mark
	// of the key in use. A key that the bot wrote itself is kept nowhere, so that
	// its mark stands alone; both are empty while the bot does not know the key.
	PSK     secret.Ref `json:"psk,omitempty"`
	PSKMark string     `json:"pskMark,omitempty"`
	Note    string     `json:"note,omitempty"`
}

// End is one end of a tunnel. A policy joins each of its prefixes with each of
// the other end's.
type End struct {
	Site     string         `json:"site"`
	Router   string         `json:"router"`
	WAN      string         `json:"wan"` // interface of one of the site's WANs
	Prefixes []netip.Prefix `json:"prefixes"`
	// ID is what this end calls itself, as RouterOS writes my-id:
	// "fqdn:hq.example.com". Empty means auto.
	ID   string  `json:"id,omitempty"`
	Role WANRole `json:"role"`
	// Probes are addresses behind this end that answer a ping. A prefix without
	// one cannot be proven to carry traffic.
	Probes []netip.Addr `json:"probes,omitempty"`
	// Pools are networks of dial-in clients at this end that reach the other. They
	// follow from the definitions of dial-in servers: see Reached.
	Pools []netip.Prefix `json:"-"`
}

// Profile holds what phase 1 may use.
type Profile struct {
	Encryption   []string `json:"encryption"` // enc-algorithm
	Hash         string   `json:"hash"`       // hash-algorithm
	DHGroups     []string `json:"dhGroups"`   // dh-group
	Lifetime     string   `json:"lifetime"`
	DPDInterval  string   `json:"dpdInterval"` // "8s" or "disable-dpd"
	DPDFailures  int      `json:"dpdFailures"` // dpd-maximum-failures
	NATTraversal bool     `json:"natTraversal"`
}

// Proposal holds what phase 2 may use.
type Proposal struct {
	Encryption []string `json:"encryption"`     // enc-algorithms
	Auth       []string `json:"auth,omitempty"` // auth-algorithms; empty with AEAD ciphers only
	PFSGroup   string   `json:"pfsGroup"`
	Lifetime   string   `json:"lifetime"`
}

// Encode returns the body that DecodeTunnel reads.
func (t Tunnel) Encode() (json.RawMessage, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encoding tunnel definition %s: %w", t.Name, err)
	}
	return b, nil
}

// DecodeTunnel reads the body of a definition. Fields that it does not know come
// from a newer version and are refused.
func DecodeTunnel(def change.Definition) (Tunnel, error) {
	if def.Kind != KindTunnel {
		return Tunnel{}, fmt.Errorf("decoding definition %s: kind %q is not %q", def.Name, def.Kind, KindTunnel)
	}
	dec := json.NewDecoder(bytes.NewReader(def.Body))
	dec.DisallowUnknownFields()
	var t Tunnel
	if err := dec.Decode(&t); err != nil {
		return Tunnel{}, fmt.Errorf("decoding tunnel definition %s: %w", def.Name, err)
	}
	return t, nil
}

// Touches tells whether one end of t is at site.
func (t Tunnel) Touches(site string) bool {
	return SameName(t.Ends[0].Site, site) || SameName(t.Ends[1].Site, site)
}
