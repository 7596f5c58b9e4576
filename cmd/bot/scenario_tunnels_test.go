//go:build !nodemo

package main

import (
	"net/netip"
	"slices"
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
// waiting for the other to call, or with the roles that the sites have; or with
// other networks of a site.
func (p *scene) definition(_ bool, args []string) {
	const usage = "definition TUNNEL waits|calls|joins SITE PREFIX…"
	p.need(args, 2, usage)
	ctx := p.t.Context()
	def, err := p.sys.store.Definition(ctx, vpn.KindTunnel, args[0])
	p.ts.Check(err)
	t, err := vpn.DecodeTunnel(def)
	p.ts.Check(err)
	switch {
	case args[1] == "waits":
		t.Ends[0].Role, t.Ends[1].Role = vpn.Respond, vpn.Respond
	case args[1] == "calls":
		t.Ends[0].Role, t.Ends[1].Role = vpn.Both, vpn.Both
	case args[1] == "joins" && len(args) > 3:
		p.joins(&t, args[2], args[3:])
	default:
		p.ts.Fatalf("usage: %s", usage)
	}
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

// joins gives a tunnel's end at a site other networks.
func (p *scene) joins(t *vpn.Tunnel, site string, prefixes []string) {
	for i := range t.Ends {
		if t.Ends[i].Site != site {
			continue
		}
		t.Ends[i].Prefixes = nil
		for _, text := range prefixes {
			prefix, err := netip.ParsePrefix(text)
			p.ts.Check(err)
			t.Ends[i].Prefixes = append(t.Ends[i].Prefixes, prefix)
		}
	}
	if problems := t.Problems(p.sys.cfg.Estate, nil, nil); len(problems) > 0 {
		p.ts.Fatalf("no such definition can be: %v", problems)
	}
}

// routerOS lets a behaviour be other than it is assumed to be.
func (p *scene) routerOS(_ bool, args []string) {
	p.need(args, 1, "routeros SWITCH")
	switches := map[string]func(*rossim.Switches){
		"off-keeps": func(s *rossim.Switches) {
			s.PeerEdits = slices.DeleteFunc(slices.Clone(s.PeerEdits), func(a string) bool { return a == "disabled" })
		},
		"gone-keeps": func(s *rossim.Switches) { s.PeerRemovalKeeps = true },
	}
	edit, ok := switches[args[0]]
	if !ok {
		p.ts.Fatalf("RouterOS has no switch %q", args[0])
	}
	p.internet.SetSwitches(edit)
}
