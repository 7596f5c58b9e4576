package lab

import (
	"fmt"
	"strings"

	"vpnbot/ros/schema"
)

// phase1Ciphers, hashes and groups are the daemon's names of RouterOS's
// algorithms; what is missing the daemon does not have.
var phase1Ciphers = map[string]string{
	"aes-128": "aes128", "aes-192": "aes192", "aes-256": "aes256", "3des": "3des",
}

var hashes = map[string]string{
	"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha384": "sha384", "sha512": "sha512",
}

var groups = map[string]string{
	"modp768": "modp768", "modp1024": "modp1024", "modp1536": "modp1536", "modp2048": "modp2048",
	"modp3072": "modp3072", "modp4096": "modp4096", "modp6144": "modp6144", "modp8192": "modp8192",
	"ecp256": "ecp256", "ecp384": "ecp384", "ecp521": "ecp521", "x25519": "curve25519",
}

var phase2Ciphers = map[string]string{
	"aes-128-cbc": "aes128", "aes-192-cbc": "aes192", "aes-256-cbc": "aes256", "3des": "3des",
	"aes-128-ctr": "aes128ctr", "aes-192-ctr": "aes192ctr", "aes-256-ctr": "aes256ctr",
	"aes-128-gcm": "aes128gcm16", "aes-192-gcm": "aes192gcm16", "aes-256-gcm": "aes256gcm16",
	"chacha20poly1305": "chacha20poly1305",
}

// identityKinds are the daemon's prefixes of the kinds of ID.
var identityKinds = map[string]string{"address": "", "fqdn": "fqdn:", "user-fqdn": "email:", "key-id": "keyid:"}

// combined tells whether a cipher of phase 2 needs no hash beside it.
func combined(cipher string) bool {
	return strings.HasSuffix(cipher, "-gcm") || cipher == "chacha20poly1305"
}

// unknown is a value that the daemons do not know.
type unknown struct {
	menu, id, attr, value string
}

// Error names the row.
func (u *unknown) Error() string {
	return fmt.Sprintf("%s %s %s=%s: not known to the daemons", u.menu, u.id, u.attr, u.value)
}

// translate maps each word of a list attribute.
func translate(menu string, r schema.Row, attr, instead string, table map[string]string) ([]string, error) {
	var names []string
	for _, w := range words(or(r, attr, instead)) {
		name, ok := table[w]
		if !ok {
			return nil, &unknown{menu, r[schema.ID], attr, w}
		}
		names = append(names, name)
	}
	return names, nil
}

// phase1Proposals are the transforms of a profile, one combination each: in
// IKEv1 a daemon offers only the first algorithm of each kind in a proposal. The
// pseudo-random function is negotiated in IKEv2 alone; in IKEv1 it is the hash's.
func phase1Proposals(profile schema.Row, exchange string) ([]string, error) {
	ciphers, err := translate(menuProfile, profile, "enc-algorithm", "aes-128,3des", phase1Ciphers)
	if err != nil {
		return nil, err
	}
	hash, err := translate(menuProfile, profile, "hash-algorithm", "sha1", hashes)
	if err != nil {
		return nil, err
	}
	dh, err := translate(menuProfile, profile, "dh-group", "modp2048,modp1024", groups)
	if err != nil {
		return nil, err
	}
	prf := []string{""}
	if v := or(profile, "prf-algorithm", "auto"); v != "auto" && exchange == "ike2" {
		if _, ok := hashes[v]; !ok {
			return nil, &unknown{menuProfile, profile[schema.ID], "prf-algorithm", v}
		}
		prf = []string{"prf" + v}
	}
	return product(ciphers, hash, prf, dh), nil
}

// phase2Proposals are the transforms of a proposal, for ESP or AH.
func phase2Proposals(proposal schema.Row, protocol string) ([]string, error) {
	ciphers := words(or(proposal, "enc-algorithms", "aes-256-cbc,aes-192-cbc,aes-128-cbc"))
	auth, err := translate(menuProposal, proposal, "auth-algorithms", "sha1", hashes)
	if err != nil {
		return nil, err
	}
	pfs := []string{""}
	if v := or(proposal, "pfs-group", "modp1024"); v != "none" {
		name, ok := groups[v]
		if !ok {
			return nil, &unknown{menuProposal, proposal[schema.ID], "pfs-group", v}
		}
		pfs = []string{name}
	}
	if protocol == "ah" {
		return product(auth, pfs), nil
	}
	var all []string
	for _, c := range ciphers {
		name, ok := phase2Ciphers[c]
		switch {
		case !ok:
			return nil, &unknown{menuProposal, proposal[schema.ID], "enc-algorithms", c}
		case combined(c):
			all = append(all, product([]string{name}, pfs)...)
		default:
			all = append(all, product([]string{name}, auth, pfs)...)
		}
	}
	return all, nil
}

// product joins one word of each list with dashes, in every combination.
func product(lists ...[]string) []string {
	all := []string{""}
	for _, list := range lists {
		var next []string
		for _, head := range all {
			for _, w := range list {
				next = append(next, strings.Trim(head+"-"+w, "-"))
			}
		}
		all = next
	}
	return all
}

// nameOf finds RouterOS's name of what the daemon calls name.
func nameOf(table map[string]string, name string) string {
	for k, v := range table {
		if v == name {
			return k
		}
	}
	return name
}

// identityText is an ID as the daemon reads it; "%any" accepts each.
func identityText(menu string, r schema.Row, attr, auto string) (string, error) {
	value := or(r, attr, "auto")
	if value == "auto" || value == "ignore" {
		return auto, nil
	}
	kind, text, _ := strings.Cut(value, ":")
	prefix, ok := identityKinds[kind]
	if !ok || text == "" {
		return "", &unknown{menu, r[schema.ID], attr, value}
	}
	return prefix + text, nil
}
