//go:build !nodemo

package main

import (
	"strings"
	"sync/atomic"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// atScript has something happen to a router around one of the scripts that a
// change in phases hands it.
func (p *scene) atScript(o *office, args []string) {
	const usage = "router SITE at arm|cut-over|commit before|after FAULT|removes MENU NAME"
	p.need(args, 3, usage)
	nth, ok := map[string]int64{"arm": 1, "cut-over": 2, "commit": 3}[args[0]]
	if !ok || args[1] != "before" && args[1] != "after" {
		p.ts.Fatalf("usage: %s", usage)
	}
	var scripts atomic.Int64
	o.router.SetFaults(rossim.Faults{OnWrite: func(_ int, when rossim.When, menu string, _ schema.Action) {
		if menu != "/execute" {
			return
		}
		if when == rossim.Before {
			scripts.Add(1)
		}
		if scripts.Load() == nth && (when == rossim.Before) == (args[1] == "before") {
			if args[2] != "removes" {
				p.strike(o, args[2])
				return
			}
			if err := o.router.Remove(args[3], args[4]); err != nil {
				p.t.Error(err)
			}
		}
	}})
}

// definition writes the next version of a tunnel's definition: with both ends
// waiting for the other to call, or with the roles that the sites have.
func (p *scene) definition(_ bool, args []string) {
	const usage = "definition TUNNEL waits|calls"
	p.need(args, 2, usage)
	role := map[string]vpn.WANRole{"waits": vpn.Respond, "calls": vpn.Both}[args[1]]
	ctx := p.t.Context()
	def, err := p.sys.store.Definition(ctx, vpn.KindTunnel, args[0])
	p.ts.Check(err)
	t, err := vpn.DecodeTunnel(def)
	p.ts.Check(err)
	t.Ends[0].Role, t.Ends[1].Role = role, role
	def.Body, err = t.Encode()
	p.ts.Check(err)
	def.Version++
	def.At = time.Now()
	_, err = p.sys.store.Commit(ctx, change.Move{
		Definitions: []change.Definition{def},
		Events:      []change.Event{{At: def.At, Kind: change.EventDefinition, Actor: change.SystemPerson, Facts: map[string]string{"name": strings.ToLower(args[0])}}},
	})
	p.ts.Check(err)
}
