//go:build !nodemo

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"vpnbot/chat/slacksim"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// outside is what a person at the page can make happen around the bot, and where
// the levers stand.
type outside struct {
	mu   sync.Mutex // held for the fields only
	down map[string]bool
	kill chan struct{} // the bot dies
}

func newOutside() *outside { return &outside{down: map[string]bool{}, kill: make(chan struct{}, 1)} }

// flip moves a toggle and returns where it stands now.
func (o *outside) flip(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down[id] = !o.down[id]
	return o.down[id]
}

// lever is a lever of the page and what it does.
type lever struct {
	slacksim.Lever
	pull func(on bool) (string, error)
}

// levers are those of the demo. The page asks for them again and again.
func (d *demo) levers() []slacksim.Lever {
	var list []slacksim.Lever
	for _, l := range d.machinery() {
		d.outside.mu.Lock()
		l.On = d.outside.down[l.ID]
		d.outside.mu.Unlock()
		list = append(list, l.Lever)
	}
	return list
}

// pull moves one lever.
func (d *demo) pull(_ context.Context, id string) (string, error) {
	for _, l := range d.machinery() {
		if l.ID != id {
			continue
		}
		on := false
		if l.Toggle {
			on = d.outside.flip(id)
		}
		return l.pull(on)
	}
	return "", errors.New("that is no longer there")
}

func (d *demo) machinery() []lever {
	const people, line, router, bot = "A Windows computer dials hq", "The line between hq and fengshan", "Router gw-fengshan", "The bot"
	return []lever{
		{slacksim.Lever{ID: "dial-home", Group: people, Label: "from home", Hint: "黃淑玲, at an address of her own"}, d.dialFrom("huang-sl", "")},
		{slacksim.Lever{ID: "dial-fengshan", Group: people, Label: "from the fengshan office", Hint: "陳雅惠, behind the address that the tunnel has"}, d.dialFrom("chen-yh", "gw-fengshan")},
		{slacksim.Lever{ID: "cut", Group: line, Label: "Cut", Hint: "the tunnel's packets go nowhere", Toggle: true}, d.cut},
		{slacksim.Lever{ID: "silent", Group: router, Label: "Stops answering", Hint: "its API hangs; the tunnel goes on", Toggle: true}, d.silence},
		{slacksim.Lever{ID: "reboot", Group: router, Label: "Reboots"}, d.reboot},
		{slacksim.Lever{ID: "meddle", Group: router, Label: "Another administrator changes a row", Hint: "the lifetime in the tunnel's proposal"}, d.meddle},
		{slacksim.Lever{ID: "kill", Group: bot, Label: "Dies, and is started again"}, d.die},
	}
}

// dialFrom lets an account's computer hang up, if it is connected, and dial in.
func (d *demo) dialFrom(account, behind string) func(bool) (string, error) {
	return func(bool) (string, error) {
		hq := d.office("hq")
		client := hq.client(account, "198.51.100.77")
		client.System = "windows"
		if behind != "" {
			client.CallerID, client.Behind = "", behind
		}
		hq.router.Disconnect(account)
		got, err := hq.router.Connect(client)
		if err != nil {
			return fmt.Sprintf("%s is not connected: %v. Ask the bot: /vpn logs hq --topic ipsec,l2tp --since 5m", account, err), nil
		}
		return fmt.Sprintf("%s is connected and has %s.", account, got), nil
	}
}

func (d *demo) cut(on bool) (string, error) {
	if on {
		return "Cut. The routers notice when nobody answers them any more.", d.internet.Cut("gw-hq", "gw-fengshan")
	}
	return "Mended.", d.internet.Mend("gw-hq", "gw-fengshan")
}

func (d *demo) silence(on bool) (string, error) {
	r := d.office("fengshan").router
	r.SetFaults(rossim.Faults{Hang: on})
	if on {
		return "gw-fengshan takes connections and says nothing.", nil
	}
	r.Drop()
	return "gw-fengshan answers again.", nil
}

func (d *demo) reboot(bool) (string, error) {
	d.office("fengshan").router.Reboot()
	return "gw-fengshan is starting; its tunnels come back in some seconds.", nil
}

func (d *demo) meddle(bool) (string, error) {
	hq, r := d.office("hq"), d.office("fengshan").router
	for _, policy := range r.Rows("/ip/ipsec/policy") {
		if policy["tunnel"] != "true" || policy["dst-address"] != hq.LAN+".0/24" {
			continue // a template, or what people who dial in brought
		}
		for _, row := range r.Rows("/ip/ipsec/proposal") {
			if row["name"] != policy["proposal"] {
				continue
			}
			lifetime := "45m"
			if row["lifetime"] == lifetime {
				lifetime = "1h"
			}
			return fmt.Sprintf("The lifetime in proposal %s is %s now.", row["name"], lifetime),
				r.Set("/ip/ipsec/proposal", row[schema.ID], schema.Row{"lifetime": lifetime})
		}
	}
	return "There is no tunnel to meddle with.", nil
}

func (d *demo) die(bool) (string, error) {
	select {
	case d.outside.kill <- struct{}{}:
		return "The bot is dead. It is started again in two seconds and looks at what it left.", nil
	default:
		return "The bot is dead already.", nil
	}
}
