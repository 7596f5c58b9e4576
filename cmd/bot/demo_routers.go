//go:build !nodemo

package main

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// demoSite is one site of the demo: a router, its LAN and who dials in there.
type demoSite struct {
	Name, Alias, Router string
	LAN                 string // the first three numbers
	WAN                 string
	Accounts            []schema.Row      // of the dial-in server; none: no server
	Live                map[string]string // account to the client's public address
}

func demoSites() []demoSite {
	return []demoSite{
		{
			Name: "hq", Alias: "總公司", Router: "gw-hq", LAN: "192.168.77", WAN: "203.0.113.10",
			Accounts: []schema.Row{
				{"name": "chen-yh", "comment": "陳雅惠 業務部"},
				{"name": "lin-ct", "comment": "林建廷 資訊部"},
				{"name": "huang-sl", "comment": "黃淑玲 會計部"},
				{"name": "tsai-old", "comment": "蔡先生 已離職", "disabled": "yes"},
			},
			Live: map[string]string{"chen-yh": "198.51.100.71", "lin-ct": "198.51.100.88"},
		},
		{
			Name: "fengshan", Alias: "鳳山", Router: "gw-fengshan", LAN: "192.168.88", WAN: "198.51.100.20",
			Accounts: []schema.Row{
				{"name": "kuo-mf", "comment": "郭明發 廠務"},
				{"name": "printer-svc", "comment": "影印機廠商", "remote-address": "192.168.88.250"},
			},
			Live: map[string]string{"kuo-mf": "203.0.113.150"},
		},
		{Name: "taichung", Alias: "台中", Router: "gw-taichung", LAN: "192.168.99", WAN: "192.0.2.30"},
	}
}

// office is a site of the demo with its router running.
type office struct {
	demoSite
	Address, Fingerprint string
	cert                 tls.Certificate
	router               *rossim.Router
	way                  *way // of the bot
	serving              errgroup.Group
}

func newOffice(n network, dir string, site demoSite) (*office, error) {
	r, err := rossim.New(rossim.Options{Name: site.Router})
	if err != nil {
		return nil, err
	}
	o := &office{demoSite: site, router: r, way: n.wayTo(site.Name)}
	if err := o.furnish(dir); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if o.cert, o.Fingerprint, err = rossim.Certificate("127.0.0.1"); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if err := o.serve(n, "127.0.0.1:0"); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return o, nil
}

// serve answers at address, which may leave the port open.
func (o *office) serve(n network, address string) error {
	l, err := n.listen(address)
	if err != nil {
		return err
	}
	o.Address = l.Addr().String()
	o.serving.Go(func() error { return served(o.router.ServeTLS(led{l, o.way}, o.cert)) })
	return nil
}

func (o *office) close() error { return errors.Join(o.router.Close(), o.serving.Wait()) }

// furnish sets the router up as an administrator did years ago, with the bot's
// users added.
func (o *office) furnish(dir string) error {
	if err := o.botUsers(dir); err != nil {
		return err
	}
	err := o.router.Load(map[string][]schema.Row{"/ip/address": {
		{"address": o.WAN + "/24", "interface": "ether1", "comment": "WAN"},
		{"address": o.LAN + ".1/24", "interface": "ether2", "comment": "LAN"},
	}})
	if err == nil && len(o.Accounts) > 0 {
		err = o.dialInServer(dir)
	}
	if err != nil {
		return fmt.Errorf("filling in the router: %w", err)
	}
	return nil
}

// dialInServer sets up what people dial in to.
func (o *office) dialInServer(dir string) error {
	psk, err := keep(dir, o.Name+".psk", rand.Text)
	if err != nil {
		return err
	}
	for _, a := range o.Accounts {
		a["service"], a["profile"], a["password"] = "l2tp", "vpn-users", rand.Text()
	}
	return o.router.Load(map[string][]schema.Row{
		"/interface/l2tp-server/server": {{"enabled": "yes", "use-ipsec": "required", "authentication": "mschap2", "default-profile": "vpn-users", "ipsec-secret": psk}},
		"/ip/pool":                      {{"name": "vpn-pool", "ranges": o.LAN + ".200-" + o.LAN + ".220"}},
		"/ppp/profile":                  {{"name": "vpn-users", "local-address": o.LAN + ".1", "remote-address": "vpn-pool"}},
		"/ppp/secret":                   o.Accounts,
	})
}

// letIn lets some people dial in, and everybody out: the rule that hides the LAN
// stands below the rules of the tunnels.
func (o *office) letIn() error {
	if _, err := o.router.Add("/ip/firewall/nat", schema.Row{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1"}); err != nil {
		return fmt.Errorf("hiding the LAN of %s: %w", o.Name, err)
	}
	for account, from := range o.Live {
		if _, err := o.router.Connect(o.client(account, from)); err != nil {
			return fmt.Errorf("letting %s dial in: %w", account, err)
		}
	}
	return nil
}

// client is a computer with an account's credentials. It knows the password from
// the router itself: only the owner was shown it.
func (o *office) client(account, from string) rossim.DialIn {
	c := rossim.DialIn{Account: account, CallerID: from}
	for _, row := range o.router.Rows("/interface/l2tp-server/server") {
		c.PSK = row["ipsec-secret"]
	}
	for _, row := range o.router.Rows("/ppp/secret") {
		if row["name"] == account {
			c.Password = row["password"]
		}
	}
	return c
}

// botUsers adds the groups and users that the RouterOS script in deploy adds.
func (o *office) botUsers(dir string) error {
	var users []schema.Row
	for user, file := range map[string]string{"vpnbot-ro": "read", "vpnbot-rw": "write"} {
		password, err := keep(dir, o.Router+"-"+file, rand.Text)
		if err != nil {
			return err
		}
		users = append(users, schema.Row{"name": user, "group": user, "password": password, "comment": "vpnbot"})
	}
	return o.router.Load(map[string][]schema.Row{"/user/group": botGroups(), "/user": users})
}

// botGroups are the groups of deploy/router.rsc. A group that is added is granted
// nothing else, whatever tokens the version knows.
func botGroups() []schema.Row {
	return []schema.Row{
		{"name": "vpnbot-ro", "policy": "api,read,test"},
		{"name": "vpnbot-rw", "policy": "api,read,write,test"},
	}
}
