//go:build !nodemo

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/netip"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// demoTunnel is IPsec between two offices, set up by hand on both routers as
// the administrator's notes say: one profile, proposal, peer, identity and policy
// on each, and a NAT bypass. Far changes what the second router's profile says.
type demoTunnel struct {
	Name    string
	Sites   [2]string
	Profile schema.Row
	Far     schema.Row
}

func demoTunnels() []demoTunnel {
	notes := schema.Row{"dh-group": "modp1024", "enc-algorithm": "aes-128", "hash-algorithm": "sha1", "dpd-interval": "5m"}
	return []demoTunnel{
		{Name: "hq-fengshan", Sites: [2]string{"hq", "fengshan"}, Profile: notes},
		// Somebody made the group stronger at one end and was called away.
		{Name: "hq-taichung", Sites: [2]string{"hq", "taichung"}, Profile: notes, Far: schema.Row{"dh-group": "modp2048"}},
	}
}

// joinUp joins the offices and lets their routers negotiate by the model.
func (d *demo) joinUp() (err error) {
	d.internet, err = rossim.NewInternet(rossim.InternetOptions{
		Negotiator: ike.Model{}, Names: map[string]netip.Addr{"vpn.fengshan-foods.example": netip.MustParseAddr(d.routers[0].WAN)},
	})
	if err != nil {
		return err
	}
	for _, o := range d.routers {
		if err := d.internet.Attach(o.router, rossim.Place{Name: o.Router}); err != nil {
			return fmt.Errorf("joining router %s: %w", o.Router, err)
		}
	}
	for _, t := range demoTunnels() {
		if err := d.dig(t); err != nil {
			return fmt.Errorf("setting up tunnel %s: %w", t.Name, err)
		}
	}
	for _, o := range d.routers {
		if err := o.letIn(); err != nil {
			return err
		}
	}
	d.lead()
	return nil
}

// dig sets a tunnel up at both ends.
func (d *demo) dig(t demoTunnel) error {
	psk, err := keep(d.dir, t.Name+".psk", rand.Text)
	if err != nil {
		return err
	}
	near, far := d.office(t.Sites[0]), d.office(t.Sites[1])
	if near == nil || far == nil {
		return errors.New("an end has no office")
	}
	return errors.Join(near.dig(far, psk, t.Profile, nil), far.dig(near, psk, t.Profile, t.Far), d.converse(t.Name, near, far))
}

// converse lets a computer at each end talk with one at the other, through a
// tunnel when that is up.
func (d *demo) converse(tunnel string, near, far *office) error {
	from, err := netip.ParseAddr(near.LAN + ".31")
	if err != nil {
		return err
	}
	to, err := netip.ParseAddr(far.LAN + ".12")
	if err != nil {
		return err
	}
	hangUp, err := d.internet.StartFlow(rossim.Flow{From: from, To: to, Protocol: "tcp", FromPort: 50123, ToPort: 445, There: 4, Back: 7, Size: 600})
	if err != nil {
		return err
	}
	if d.calls == nil {
		d.calls = map[string]func(){}
	}
	d.calls[tunnel] = hangUp
	return nil
}

func (d *demo) office(site string) *office {
	for _, o := range d.routers {
		if o.Name == site {
			return o
		}
	}
	return nil
}

// dig sets one end of a tunnel up, in the order of the notes.
func (o *office) dig(to *office, psk string, profile, other schema.Row) error {
	name := "to-" + to.Name
	p := schema.Row{"name": name}
	maps.Copy(p, profile)
	maps.Copy(p, other)
	near, far := o.LAN+".0/24", to.LAN+".0/24"
	return o.router.Load(map[string][]schema.Row{
		"/ip/ipsec/profile":  {p},
		"/ip/ipsec/proposal": {{"name": name, "enc-algorithms": "aes-128-cbc", "auth-algorithms": "sha1", "pfs-group": "none"}},
		"/ip/ipsec/peer":     {{"name": name, "address": to.WAN + "/32", "exchange-mode": "main", "profile": name}},
		"/ip/ipsec/identity": {{"peer": name, "secret": psk}},
		"/ip/ipsec/policy":   {{"peer": name, "tunnel": "yes", "src-address": near, "dst-address": far, "proposal": name}},
		"/ip/firewall/nat":   {{"chain": "srcnat", "action": "accept", "src-address": near, "dst-address": far, "comment": "不做 NAT：" + to.Name}},
	})
}
