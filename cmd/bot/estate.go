//go:build !nodemo

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// dialer is a person's computer that dials in to a simulated site.
type caller struct {
	account, from, note string
	online              bool
}

// place is a simulated site: one router with a LAN, a WAN and a dial-in server.
type place struct {
	router, identity string
	lan, wan         string // the router's own addresses with mask length
	dhcp             string // range of the LAN's DHCP server
	pool             string // range for dial-in clients
	local            string // the router's end of every dial-in session
	psk              string
	callers          []caller
}

// user is a login of a simulated router.
type user struct{ name, group, password string }

// groups are those of deploy/router.rsc.
func groups() []schema.Row {
	const none = "!local,!telnet,!ssh,!ftp,!reboot,!policy,!winbox,!password,!web,!sniff,!sensitive,!romon,!rest-api"
	return []schema.Row{
		{"name": "vpnbot-ro", "policy": "read,test,api,!write," + none},
		{"name": "vpnbot-rw", "policy": "read,write,test,api," + none},
	}
}

// furnish fills r as an administrator would who followed the notes: LAN, WAN,
// pools, PPP profile, L2TP server with IPsec, accounts, and who is connected.
func furnish(r *rossim.Router, p place, users []user) error {
	logins := make([]schema.Row, 0, len(users))
	for _, u := range users {
		logins = append(logins, schema.Row{"name": u.name, "group": u.group, "password": u.password})
	}
	secrets := make([]schema.Row, 0, len(p.callers))
	for _, c := range p.callers {
		secrets = append(secrets, schema.Row{
			"name": c.account, "password": "demo-" + c.account, "service": "l2tp", "profile": "vpn-users", "comment": c.note,
		})
	}
	err := r.Load(map[string][]schema.Row{
		"/system/identity":  {{"name": p.identity}},
		"/user/group":       groups(),
		"/user":             logins,
		"/interface/bridge": {{"name": "bridge", "comment": "LAN"}},
		"/ip/address": {
			{"address": p.lan, "interface": "bridge", "comment": "LAN"},
			{"address": p.wan, "interface": "ether1", "comment": "WAN"},
		},
		"/ip/pool": {
			{"name": "dhcp-lan", "ranges": p.dhcp},
			{"name": "vpn-pool", "ranges": p.pool},
		},
		"/ip/dhcp-server": {{"name": "lan", "interface": "bridge", "address-pool": "dhcp-lan"}},
		"/ppp/profile": {{
			"name": "vpn-users", "local-address": p.local, "remote-address": "vpn-pool",
			"change-tcp-mss": "yes", "use-encryption": "yes",
		}},
		"/ppp/secret": secrets,
		"/interface/l2tp-server/server": {{
			"enabled": "yes", "authentication": "mschap2", "default-profile": "vpn-users",
			"use-ipsec": "required", "ipsec-secret": p.psk, "max-mtu": "1400", "max-mru": "1400",
		}},
	})
	if err != nil {
		return fmt.Errorf("furnishing %s: %w", p.router, err)
	}
	for _, c := range p.callers {
		if !c.online {
			continue
		}
		_, err := r.Connect(rossim.DialIn{Account: c.account, Password: "demo-" + c.account, CallerID: c.from, PSK: p.psk})
		if err != nil {
			return fmt.Errorf("connecting %s to %s: %w", c.account, p.router, err)
		}
	}
	return nil
}

// certificate returns the certificate of a simulated router: the one under dir,
// or a new one that is kept there, so that its fingerprint stays.
func certificate(dir, name string) (tls.Certificate, string, error) {
	path := filepath.Join(dir, name+".pem")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return newCertificate(dir, path)
	}
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("reading a router's certificate: %w", err)
	}
	cert, err := tls.X509KeyPair(data, data)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("%s: %w", path, err)
	}
	return cert, rossim.Fingerprint(cert.Certificate[0]), nil
}

func newCertificate(dir, path string) (tls.Certificate, string, error) {
	cert, fingerprint, err := rossim.Certificate("127.0.0.1")
	if err != nil {
		return cert, "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return cert, "", fmt.Errorf("encoding a router's key: %w", err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return cert, "", err
	}
	return cert, fingerprint, os.WriteFile(path, data, 0o600)
}
