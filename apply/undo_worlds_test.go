package apply_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// asked gathers what a change to the world's tunnel is planned from.
func (w *world) asked(intent change.Intent, version int) vpn.TunnelChange {
	w.Helper()
	intent.Site, intent.Far, intent.Tunnel = "hq", "fengshan", w.tunnel.Name
	return vpn.TunnelChange{
		Intent: intent, Estate: w.estate, Tunnel: w.tunnel,
		Definition: change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name, Version: version},
		Snapshots:  [2]change.Snapshot{w.snapshot("gw-hq"), w.snapshot("gw-fengshan")}, PSK: "psk", Mark: "psk:00112233",
	}
}

// planUndo plans to take done back, or tells why that is refused.
func (w *world) planUndo(done change.Request, before *vpn.Tunnel, version int, rotated ...change.Request) (*change.Plan, string) {
	w.Helper()
	in := vpn.TunnelUndo{
		TunnelChange: w.asked(change.Intent{Verb: "rollback", Undo: done.Number}, version), Done: done, Before: before, Rotated: rotated,
	}
	if before == nil {
		in.PSK, in.Mark = "", ""
	}
	plan, err := vpn.PlanUndoTunnel(in)
	if r, ok := errors.AsType[*vpn.Refusal](err); ok {
		return nil, fmt.Sprint(r.Text)
	}
	if err != nil {
		w.Fatal(err)
	}
	return &plan, ""
}

// define has the ledger hold the tunnel's definition.
func (w *world) define(version int) {
	w.Helper()
	body, err := w.tunnel.Encode()
	if err != nil {
		w.Fatal(err)
	}
	w.ledger.defs = []change.Definition{{DefinitionRef: change.DefinitionRef{Kind: vpn.KindTunnel, Name: w.tunnel.Name, Version: version}, Body: body}}
}

// keyless are rows without the bot's marks and without the keys that it wrote, in
// no order.
func keyless(rows map[string][]schema.Row, peers ...string) map[string][]string {
	out := map[string][]schema.Row{}
	for path, list := range rows {
		for _, row := range list {
			row = row.Clone()
			if row["comment"] = change.Unmarked(row["comment"]); path == "/ip/ipsec/identity" && slices.Contains(peers, row["peer"]) {
				delete(row, "secret")
			}
			out[path] = append(out[path], row)
		}
	}
	list := alike(out)
	for path := range list {
		slices.Sort(list[path])
	}
	return list
}

// strangers are the rows that are not the tunnel's, in their order, byte for byte.
func strangers(rows map[string][]schema.Row, peers []string, steps []change.Step) map[string][]schema.Row {
	ours := func(path string, row schema.Row) bool {
		if path == "/ip/ipsec/policy" || path == "/ip/ipsec/identity" {
			return slices.Contains(peers, row["peer"])
		}
		return slices.ContainsFunc(steps, func(s change.Step) bool {
			return s.Menu == path && (s.After["name"] != "" && s.After["name"] == row["name"] || s.Before["name"] != "" && s.Before["name"] == row["name"] ||
				row["src-address"] != "" && s.Match["src-address"] == row["src-address"] && s.Match["dst-address"] == row["dst-address"])
		})
	}
	out := map[string][]schema.Row{}
	for path, list := range rows {
		out[path] = slices.DeleteFunc(slices.Clone(list), func(r schema.Row) bool { return ours(path, r) })
	}
	return out
}

// peersOf are the peers of a change, before and after.
func peersOf(plan change.Plan) []string {
	var list []string
	for _, s := range plan.Steps {
		if s.Menu == "/ip/ipsec/peer" {
			list = append(list, s.Match["name"])
		}
	}
	return list
}

// asBefore fails unless a router holds what it held before done, but for ids, keys,
// marks, the place of rows that came again, and rules that keep packets out of
// address translation: those of done stay while the tunnel needs them.
func (w *world) asBefore(name string, before map[string][]schema.Row, done change.Request, undone change.Plan) {
	w.Helper()
	const nat = "/ip/firewall/nat"
	peers := peersOf(done.Plan)
	want, got := keyless(before, peers...), keyless(w.all(name), peers...)
	rules := done.Plan // of which neither is taken back
	rules.Steps = slices.DeleteFunc(slices.Clone(rules.Steps), func(s change.Step) bool {
		return s.Menu != nat || slices.ContainsFunc(undone.Steps, func(b change.Step) bool {
			return b.Menu == nat && b.Router == s.Router && (s.Action == schema.Add && s.Finds(b.Before) || b.Action == schema.Add && b.Finds(s.Before))
		})
	})
	want[nat] = keyless(planned(w, before, rules, name, done.Number))[nat]
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("rows of %s (-before +after the rollback):\n%s", name, diff)
	}
	if diff := cmp.Diff(strangers(before, peers, done.Plan.Steps), strangers(w.all(name), peers, done.Plan.Steps)); diff != "" {
		w.Errorf("other people's rows on %s (-before +after):\n%s", name, diff)
	}
}

// Ensure that a change to any tunnel, applied and taken back, leaves the rows that
// were there before it at both ends, and every row of others byte for byte.
func TestEngine_UndoTunnel_Worlds(t *testing.T) {
	for _, c := range []struct {
		name   string
		make   planner
		intent change.Intent
		worlds int
	}{
		{"redo", vpn.PlanRedo, change.Intent{Verb: "redo"}, 16},
		{"set", vpn.PlanSet, change.Intent{Verb: "tunnel set"}, 16},
		{"remove", vpn.PlanRemove, change.Intent{Verb: "tunnel remove"}, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			worlds := c.worlds
			if sparse {
				worlds /= 4
			}
			outcomes := map[string]int{}
			property(t, worlds, func(t *rapid.T) {
				d := drawWild(t, rapid.IntRange(0, 3).Draw(t, "tidy") > 0)
				intent := c.intent
				if c.name == "set" {
					intent.Settings = drawValues(t, d)
				}
				keys := 0
				if c.name != "remove" {
					keys = rapid.IntRange(-2, 2).Draw(t, "keys since")
				}
				outcomes[undoWorld(t, d, c.make, intent, keys)]++
			})
			t.Log(outcomes)
		})
	}
}

// drawValues draws what the definition is to have: another mode, another lifetime,
// fewer networks.
func drawValues(t *rapid.T, d wild) []change.Setting {
	mode := map[string]string{"main": "ike2", "ike2": "main"}[d.Defined]
	settings := []change.Setting{{Key: "exchange", Value: mode}, {Key: "profile.lifetime", Value: "8h"}}
	if d.Networks[0] == 2 {
		settings = append(settings, change.Setting{Key: "hq.prefixes", Value: "192.168.77.0/24"})
	}
	n := rapid.IntRange(1, len(settings)).Draw(t, "settings")
	return rapid.Permutation(settings).Draw(t, "which")[:n]
}

// undoWorld plays one world: a change, so many new keys after it, and its rollback.
func undoWorld(t tester, d wild, make planner, intent change.Intent, keys int) string {
	w := wildWorld(t, d)
	defer w.close()
	stood := d.Broken == [2]string{} && w.up() && w.carries()
	before := map[string]map[string][]schema.Row{}
	for _, name := range names {
		before[name] = w.all(name)
	}
	w.define(1)
	was := w.tunnel
	plan, err := make(w.asked(intent, 1))
	if err != nil {
		return "refused " + err.Error()
	}
	done := w.carry(plan)
	if done.State != change.Committed {
		return "first " + string(done.State)
	}
	var left *vpn.Tunnel
	if !plan.Retires {
		if w.tunnel, err = vpn.DecodeTunnel(w.ledger.defs[0]); err != nil {
			w.Fatal(err)
		}
		left = &w.tunnel
	}
	rotated := w.rotate(keys)
	version := w.ledger.defs[0].Version
	changed := map[string]map[string][]schema.Row{}
	for _, name := range names {
		changed[name] = w.all(name)
	}
	back, refused := w.planUndo(done, &was, version, rotated...)
	if back == nil {
		if stood {
			w.Errorf("a tunnel that stood does not come back: %s", refused)
		}
		return strings.Fields(refused)[0]
	}
	r := w.carry(*back)
	if r.State != change.Committed {
		if stood {
			w.Errorf("%s %v", r.State, r.Outcome)
		}
		return fmt.Sprint(r.State, " ", r.Outcome.ID)
	}
	for _, name := range names {
		w.asBefore(name, before[name], done, *back)
	}
	now, err := vpn.DecodeTunnel(w.ledger.defs[0])
	if err != nil {
		w.Fatal(err)
	}
	if d := was.Differences(now); len(d) > 0 || w.ledger.defs[0].Version != version+1 || w.ledger.defs[0].Retired {
		w.Errorf("definition %d, %v", w.ledger.defs[0].Version, d)
	}
	w.clean()
	w.tunnel = was
	time.Sleep(30 * time.Second)
	if !w.up() || !w.carries() {
		w.Errorf("up %v, carries %v", w.up(), w.carries())
	}
	return string(r.State) + ", and back: " + w.backAgain(r, left, changed)
}

// rotate gives the tunnel so many new keys.
func (w *world) rotate(keys int) (done []change.Request) {
	w.Helper()
	for range keys {
		plan, err := vpn.PlanRotatePSK(w.asked(change.Intent{Verb: "rotate psk"}, w.ledger.defs[0].Version))
		if err != nil {
			w.Fatal(err)
		}
		if r := w.carry(plan); r.State == change.Committed {
			done = append(done, r)
		}
	}
	return done
}

// backAgain takes the rollback back: the rows that the change had left are there again.
// left is the definition that it had left, nil when it had ended it.
func (w *world) backAgain(r change.Request, left *vpn.Tunnel, changed map[string]map[string][]schema.Row) string {
	w.Helper()
	w.inBand = false
	plan, refused := w.planUndo(r, left, w.ledger.defs[0].Version)
	if plan == nil {
		w.Errorf("a rollback is not taken back: %s", refused)
		return refused
	}
	again := w.carry(*plan)
	if again.State != change.Committed {
		w.Errorf("a rollback is not taken back: %s %v", again.State, again.Outcome)
		return string(again.State)
	}
	for _, name := range names {
		w.asBefore(name, changed[name], r, *plan)
	}
	if retired := w.ledger.defs[0].Retired; retired != (left == nil) {
		w.Errorf("definition retired: %v", retired)
	}
	return string(again.State)
}

// Ensure a rollback is taken back although a new key has come to stand on a peer of
// the name that has to come again.
func TestEngine_UndoTunnel_NameTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, rossim.Switches{}, everything())
		defer w.close()
		w.define(1)
		plan, err := vpn.PlanRedo(w.asked(change.Intent{Verb: "redo"}, 1))
		if err != nil {
			t.Fatal(err)
		}
		first := w.carry(plan)
		was := w.tunnel
		plans := []*change.Plan{}
		for _, keys := range []int{0, 1} {
			back, refused := w.planUndo(first, &was, w.ledger.defs[0].Version, w.rotate(keys)...)
			if back == nil {
				t.Fatal(refused)
			}
			plans = append(plans, back)
			if first = w.carry(*back); first.State != change.Committed {
				t.Fatalf("%s %v", first.State, first.Outcome)
			}
		}
		if got := peersOf(*plans[1]); !slices.Contains(got, "hq-fengshan-1") || !slices.Contains(got, "hq-fengshan-2") {
			t.Errorf("peers of the second rollback: %q", got)
		}
		w.clean()
		if time.Sleep(30 * time.Second); !w.up() || !w.carries() {
			t.Errorf("up %v, carries %v", w.up(), w.carries())
		}
	})
}

// Ensure a proposal that names no hash, as one does for AES-GCM, comes again like that,
// and that a tunnel which nobody let in for certain comes again without rules for it.
func TestEngine_UndoTunnel_AsWritten(t *testing.T) {
	for _, c := range []struct {
		verb string
		make planner
	}{{"redo", vpn.PlanRedo}, {"tunnel remove", vpn.PlanRemove}} {
		t.Run(c.verb, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { playAsWritten(t, c.verb, c.make) }) })
	}
}

func playAsWritten(t *testing.T, verb string, make planner) {
	w := newWorld(t, rossim.Switches{}, outside())
	defer w.close()
	w.tunnel.Proposal = vpn.Proposal{Encryption: []string{"aes-128-gcm"}, PFSGroup: "modp2048", Lifetime: "30m"}
	for _, name := range names {
		r := w.in.Router(name)
		for _, err := range []error{
			r.Set("/ip/ipsec/proposal", "p2", schema.Row{"auth-algorithms": "", "enc-algorithms": "aes-128-gcm"}),
			r.Load(map[string][]schema.Row{
				"/ip/firewall/filter": {
					{"chain": "input", "action": "accept", "connection-state": "established,related"},
					{"chain": "input", "action": "drop", "in-interface": "ether1", "protocol": "!icmp"},
				},
			}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	w.settle()
	w.define(1)
	was := w.tunnel
	plan, err := make(w.asked(change.Intent{Verb: verb}, 1))
	if err != nil {
		t.Fatal(err)
	}
	done := w.carry(plan)
	back, refused := w.planUndo(done, &was, w.ledger.defs[0].Version)
	if back == nil {
		t.Fatal(done.State, refused)
	}
	if r := w.carry(*back); r.State != change.Committed {
		t.Fatalf("%s: %s %v", verb, r.State, r.Outcome)
	}
	for _, name := range names {
		if rules := w.in.Router(name).Rows("/ip/firewall/filter"); len(rules) != 2 {
			t.Errorf("%s: rules of %s: %v", verb, name, rules)
		}
		for _, row := range w.in.Router(name).Rows("/ip/ipsec/proposal") {
			if row["name"] == "p2" && row["auth-algorithms"] != "" {
				t.Errorf("%s: the proposal of %s: %v", verb, name, row)
			}
		}
	}
}
