package ros_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
	console "vpnbot/ros/rossim/script"
	"vpnbot/ros/schema"
)

var update = flag.Bool("update", false, "write golden files")

// awkward is a name that people give and that a script has to survive.
const awkward = `old "hq" $x\ 鳳`

// selectors of the plan: one that stays, one that comes, one that goes.
func selectors(source, destination string) change.Selectors {
	return change.Selectors{Source: netip.MustParsePrefix(source), Destination: netip.MustParsePrefix(destination)}
}

// phasedPlan re-creates one end of a tunnel: gw-hq's.
func phasedPlan() change.Plan {
	policy := func(destination string) schema.Row {
		return schema.Row{"src-address": "192.168.77.0/24", "dst-address": destination}
	}
	steps := []change.Step{
		{Menu: "/ip/ipsec/proposal", Action: schema.Add, Phase: change.PhaseStage, Match: schema.Row{"name": "hq-fengshan-2"}, After: schema.Row{"name": "hq-fengshan-2", "disabled": "yes"}},
		{Menu: "/ip/ipsec/identity", Action: schema.Add, Phase: change.PhaseStage, Match: schema.Row{"peer": "hq-fengshan-2"}, After: schema.Row{"peer": "hq-fengshan-2"}, Secrets: map[string]secret.Ref{"secret": "psk"}},
		{Menu: "/ip/ipsec/proposal", Action: schema.Enable, Phase: change.PhaseCutOver, Match: schema.Row{"name": "hq-fengshan-2"}},
		{Menu: "/ip/ipsec/peer", Action: schema.Disable, Phase: change.PhaseCutOver, Match: schema.Row{"name": awkward}},
		{
			Menu: "/ip/ipsec/policy", Action: schema.Change, Phase: change.PhaseCutOver, Match: policy("192.168.88.0/24"),
			Before: schema.Row{"peer": awkward, "proposal": "default"},
			After:  schema.Row{"peer": "hq-fengshan-2", "proposal": "hq-fengshan-2", "level": "unique"},
		},
		{Menu: "/ip/ipsec/policy", Action: schema.Enable, Phase: change.PhaseCutOver, Match: policy("192.168.89.0/24")},
		{Menu: "/ip/ipsec/policy", Action: schema.Disable, Phase: change.PhaseCutOver, Match: policy("192.168.90.0/24")},
		{Menu: "/ip/ipsec/peer", Action: schema.Enable, Phase: change.PhaseCutOver, Match: schema.Row{"name": "hq-fengshan-2"}},
		{Menu: "/ip/ipsec/policy", Action: schema.Remove, Phase: change.PhaseCommit, Match: policy("192.168.90.0/24")},
		{Menu: "/ip/ipsec/identity", Action: schema.Remove, Phase: change.PhaseCommit, Match: schema.Row{"peer": awkward}},
		{Menu: "/ip/ipsec/peer", Action: schema.Remove, Phase: change.PhaseCommit, Match: schema.Row{"name": awkward}},
	}
	for i := range steps {
		steps[i].ID, steps[i].Router = i+1, "gw-hq"
	}
	return change.Plan{
		Intent: change.Intent{Verb: "redo", Site: "fengshan"}, Routers: []string{"gw-fengshan", "gw-hq"}, Steps: steps,
		Tunnel: &change.TunnelPlan{
			Name: "hq-fengshan", Guard: 3 * time.Minute,
			Ends: [2]change.TunnelEnd{{Router: "gw-fengshan"}, {
				Router:    "gw-hq",
				Selectors: []change.Selectors{selectors("192.168.77.0/24", "192.168.88.0/24"), selectors("192.168.77.0/24", "192.168.89.0/24")},
			}},
		},
	}
}

// shelf is a router that holds rows and runs scripts on them.
type shelf struct {
	menus map[string][]schema.Row
	did   []string
	fails string // menu and verb that are refused
}

// stagedShelf is gw-hq when both guards are armed.
func stagedShelf() *shelf {
	policy := func(id, destination, peer, disabled string) schema.Row {
		return schema.Row{".id": id, "src-address": "192.168.77.0/24", "dst-address": destination, "peer": peer, "proposal": "default", "disabled": disabled, "dynamic": "false", "ph2-state": "no-phase2"}
	}
	return &shelf{menus: map[string][]schema.Row{
		"/system/scheduler":  {{".id": "*1", "name": "vpnbot-guard-42", "disabled": "false", "on-event": ":log info x"}, {".id": "*2", "name": "backup", "disabled": "false"}},
		"/ip/ipsec/profile":  {{".id": "*1", "name": "default"}},
		"/ip/ipsec/proposal": {{".id": "*0", "name": "default", "disabled": "false"}, {".id": "*1", "name": "hq-fengshan-2", "disabled": "true", "comment": "[vpnbot 42.1]"}},
		"/ip/ipsec/peer":     {{".id": "*1", "name": awkward, "disabled": "false"}, {".id": "*2", "name": "hq-fengshan-2", "disabled": "true"}, {".id": "*3", "name": "other", "disabled": "false"}},
		"/ip/ipsec/identity": {{".id": "*1", "peer": awkward}, {".id": "*2", "peer": "hq-fengshan-2", "comment": "[vpnbot 42.2]"}, {".id": "*3", "peer": "other"}},
		"/ip/ipsec/policy":   {policy("*1", "192.168.88.0/24", awkward, "false"), policy("*2", "192.168.89.0/24", "hq-fengshan-2", "true"), policy("*3", "192.168.90.0/24", awkward, "false"), policy("*4", "10.9.0.0/24", "other", "false")},
		"/ip/ipsec/active-peers": {
			{".id": "*A", "remote-address": "198.51.100.20", "spii": "a1b2c3d4e5f60718", "spir": "18f7e6d5c4b3a291"},
			{".id": "*B", "remote-address": "198.51.100.20", "spii": "1111111111111111", "spir": "2222222222222222"},
		},
	}}
}

func (s *shelf) Do(path, verb string, ids []string, values schema.Row) (string, error) {
	if s.fails == path+" "+verb {
		return "", errors.New("failure: configuration flagged")
	}
	for _, id := range ids {
		i := slices.IndexFunc(s.menus[path], func(r schema.Row) bool { return r[".id"] == id })
		row := s.menus[path][i]
		s.did = append(s.did, fmt.Sprintf("%s %s %s", path, verb, id))
		switch verb {
		case "enable":
			row["disabled"] = "false"
		case "disable":
			row["disabled"] = "true"
		case "remove":
			s.menus[path] = slices.Delete(s.menus[path], i, i+1)
		case "set":
			for name, value := range values {
				if unset, ok := strings.CutPrefix(name, "!"); ok {
					delete(row, unset)
				} else {
					row[name] = value
				}
			}
		}
	}
	return "", nil
}

func (s *shelf) Rows(path string) ([]schema.Row, error) { return s.menus[path], nil }
func (s *shelf) Log(topics, message string)             { s.did = append(s.did, topics+": "+message) }

func (s *shelf) Sleep(_ context.Context, d time.Duration) error {
	s.did = append(s.did, "sleep "+d.String())
	return nil
}

func (s *shelf) run(t *testing.T, name change.ActName, edit func(*change.Script)) error {
	t.Helper()
	ask := change.Script{Request: 42, Act: change.Act{Name: name, Router: "gw-hq"}, Plan: phasedPlan()}
	if edit != nil {
		edit(&ask)
	}
	text, err := ros.RenderScript(ask)
	if err != nil {
		t.Fatal(err)
	}
	if err := console.Parse(text); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	s.did = nil
	return console.Run(t.Context(), text, s)
}

func (s *shelf) guard(t *testing.T) error {
	t.Helper()
	text, err := ros.RenderGuard(phasedPlan(), "gw-hq", 42)
	if err != nil {
		t.Fatal(err)
	}
	s.did = nil
	return console.Run(t.Context(), text, s)
}

func (s *shelf) want(t *testing.T, did ...string) {
	t.Helper()
	if diff := cmp.Diff(did, s.did); diff != "" {
		t.Error(diff)
	}
}

// rows are what a script may have changed, and nothing that moves by itself.
func (s *shelf) rows() map[string][]schema.Row {
	rows := map[string][]schema.Row{}
	for path, list := range s.menus {
		for _, row := range list {
			rows[path] = append(rows[path], row.Clone())
		}
	}
	return rows
}

func (s *shelf) establish() {
	for _, row := range s.menus["/ip/ipsec/policy"] {
		row["ph2-state"] = "established"
	}
}

var cutOverDid = []string{
	"/ip/ipsec/proposal enable *1", "/ip/ipsec/peer disable *1", "/ip/ipsec/policy set *1", "/ip/ipsec/policy enable *2",
	"/ip/ipsec/policy disable *3", "/ip/ipsec/peer enable *2", "script,info: vpnbot 42: cut over",
}

// Ensure a cut-over does the plan's steps in their order and nothing else; that a
// second run does nothing; that the restoring script takes all of it back.
func TestScript_CutOver(t *testing.T) {
	s := stagedShelf()
	before := s.rows()
	if err := s.run(t, change.ActCutOver, nil); err != nil {
		t.Fatal(err)
	}
	s.want(t, cutOverDid...)
	after := s.rows()
	if err := s.run(t, change.ActCutOver, nil); err == nil {
		t.Error("a cut-over of rows that are not the old ones ran")
	}
	if err := s.run(t, change.ActCutOver, func(a *change.Script) { a.Again = true }); err != nil {
		t.Error(err)
	}
	s.want(t, "script,info: vpnbot 42: cut over")
	if diff := cmp.Diff(after, s.rows()); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		if err := s.run(t, change.ActRestore, nil); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(before, s.rows()); diff != "" {
			t.Error(diff)
		}
	}
	s.want(t, "script,info: vpnbot 42: old rows restored")
}

// Ensure a queued cut-over waits first, and ends the phase 1 that it was told of
// and no other.
func TestScript_CutOver_Queued(t *testing.T) {
	s := stagedShelf()
	err := s.run(t, change.ActCutOver, func(a *change.Script) {
		a.Delay = 7500 * time.Millisecond
		a.Drop = []change.Phase1{{Remote: netip.MustParseAddr("198.51.100.20"), SPII: "a1b2c3d4e5f60718", SPIR: "18f7e6d5c4b3a291"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Insert(slices.Clone(cutOverDid), 2, "/ip/ipsec/active-peers remove *A")
	s.want(t, slices.Insert(want, 0, "sleep 7.5s")...)
}

// Ensure a cut-over that finds other rows than planned, or no guard, writes
// nothing; and that one refused at its first write leaves all as it was.
func TestScript_CutOver_Refuses(t *testing.T) {
	for name, edit := range map[string]func(*shelf){
		"no guard":            func(s *shelf) { s.menus["/system/scheduler"] = s.menus["/system/scheduler"][1:] },
		"guard off":           func(s *shelf) { s.menus["/system/scheduler"][0]["disabled"] = "true" },
		"staged row gone":     func(s *shelf) { s.menus["/ip/ipsec/identity"] = slices.Delete(s.menus["/ip/ipsec/identity"], 1, 2) },
		"staged row not ours": func(s *shelf) { s.menus["/ip/ipsec/identity"][1]["comment"] = "mine" },
		"peer gone":           func(s *shelf) { s.menus["/ip/ipsec/peer"] = s.menus["/ip/ipsec/peer"][1:] },
		"twin policy":         func(s *shelf) { s.menus["/ip/ipsec/policy"][3]["dst-address"] = "192.168.88.0/24" },
		"policy re-pointed":   func(s *shelf) { s.menus["/ip/ipsec/policy"][0]["peer"] = "other" },
		"old peer off":        func(s *shelf) { s.menus["/ip/ipsec/peer"][0]["disabled"] = "true" },
		"flagged":             func(s *shelf) { s.fails = "/ip/ipsec/proposal enable" },
	} {
		t.Run(name, func(t *testing.T) {
			s := stagedShelf()
			edit(s)
			before := s.rows()
			if err := s.run(t, change.ActCutOver, nil); err == nil {
				t.Error("ran to its end")
			}
			if diff := cmp.Diff(before, s.rows()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Ensure the guard does nothing while every policy is established, and otherwise
// brings the old rows back, whichever part of a cut-over was done.
func TestScript_Guard(t *testing.T) {
	s := stagedShelf()
	before := s.rows()
	if err := s.guard(t); err != nil {
		t.Error(err)
	}
	s.want(t) // nothing is to be restored
	if err := s.run(t, change.ActCutOver, nil); err != nil {
		t.Fatal(err)
	}
	s.establish()
	if err := s.guard(t); err != nil {
		t.Error(err)
	}
	s.want(t)
	for _, spoil := range []func(){
		func() { s.menus["/ip/ipsec/policy"][1]["ph2-state"] = "no-phase2" },
		func() { s.menus["/ip/ipsec/policy"][0]["ph2-state"] = "msg1-sent" },
	} {
		spoil()
		if err := s.guard(t); err != nil {
			t.Error(err)
		}
		for path, rows := range s.rows() {
			for i, row := range rows {
				row["ph2-state"], before[path][i]["ph2-state"] = "", ""
				if diff := cmp.Diff(before[path][i], row); diff != "" {
					t.Errorf("%s: %s", path, diff)
				}
			}
		}
		if err := s.run(t, change.ActCutOver, nil); err != nil {
			t.Fatal(err)
		}
		s.establish()
	}
}

// Ensure every part of a cut-over is taken back, and that a guard without old
// rows to go back to leaves the new ones alone.
func TestScript_Guard_Partial(t *testing.T) {
	plan := phasedPlan()
	cut := plan.In(change.PhaseCutOver, "gw-hq")
	for n := range len(cut) + 1 {
		s := stagedShelf()
		before := s.rows()
		for _, step := range cut[:n] {
			menu, _ := s.Rows(step.Menu)
			for _, row := range menu {
				if (change.Query{Menu: step.Menu, Where: step.Match}).Matches(row) {
					_, _ = s.Do(step.Menu, string(step.Action), []string{row[".id"]}, step.After)
				}
			}
		}
		if err := s.guard(t); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(before, s.rows()); diff != "" {
			t.Errorf("after %d steps: %s", n, diff)
		}
	}
	s := stagedShelf()
	if err := s.run(t, change.ActCutOver, nil); err != nil {
		t.Fatal(err)
	}
	s.menus["/ip/ipsec/peer"] = s.menus["/ip/ipsec/peer"][1:]
	after := s.rows()
	if err := s.guard(t); err == nil {
		t.Error("a guard without old rows ran to its end")
	}
	if diff := cmp.Diff(after, s.rows()); diff != "" {
		t.Error(diff)
	}
}

// Ensure commit removes the guard and the old rows, may run again, and removes no
// old row while the new ones are not in place.
func TestScript_Commit(t *testing.T) {
	s := stagedShelf()
	if err := s.run(t, change.ActCommit, nil); err == nil {
		t.Error("committed before the cut-over")
	}
	s.want(t) // the guard is there

	s = stagedShelf()
	if err := s.run(t, change.ActCutOver, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.run(t, change.ActCommit, nil); err != nil {
		t.Fatal(err)
	}
	s.want(t, "/system/scheduler remove *1", "/ip/ipsec/policy remove *3", "/ip/ipsec/identity remove *1", "/ip/ipsec/peer remove *1", "script,info: vpnbot 42: committed")
	after := s.rows()
	for _, again := range []change.ActName{change.ActCommit, change.ActCutOver} {
		if err := s.run(t, again, func(a *change.Script) { a.Again = true }); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(after, s.rows()); diff != "" && again == change.ActCommit {
			t.Error(diff)
		}
	}
}

// Ensure commit stops before its first write where a new row is not as planned, and
// does not where that was looked at.
func TestScript_Commit_Edited(t *testing.T) {
	for name, edit := range map[string]func(s *shelf){
		"mark":  func(s *shelf) { s.menus["/ip/ipsec/identity"][1]["comment"] = "mine" },
		"value": func(s *shelf) { s.menus["/ip/ipsec/proposal"][1]["lifetime"] = "45m" },
		"gone":  func(s *shelf) { s.menus["/ip/ipsec/identity"] = s.menus["/ip/ipsec/identity"][:1] },
	} {
		t.Run(name, func(t *testing.T) {
			lasting := func(a *change.Script) {
				a.Plan.Steps = slices.Clone(a.Plan.Steps)
				a.Plan.Steps[0].After = schema.Row{"name": "hq-fengshan-2", "disabled": "yes", "lifetime": "30m"}
			}
			s := stagedShelf()
			s.menus["/ip/ipsec/proposal"][1]["lifetime"] = "30m"
			if err := s.run(t, change.ActCutOver, nil); err != nil {
				t.Fatal(err)
			}
			edit(s)
			if err := s.run(t, change.ActCommit, lasting); err == nil {
				t.Error("committed")
			}
			s.want(t)
			if err := s.run(t, change.ActCommit, func(a *change.Script) { lasting(a); a.Again = true }); err != nil {
				t.Error(err)
			}
		})
	}
}

// Ensure arming parses everything and switches the guard on, or leaves it off.
func TestScript_Arm(t *testing.T) {
	for event, want := range map[string]string{":log info x": "false", ":if (": "true"} {
		s := stagedShelf()
		s.menus["/system/scheduler"][0]["disabled"], s.menus["/system/scheduler"][0]["on-event"] = "true", event
		if err := s.run(t, change.ActArm, nil); err != nil {
			t.Error(err)
		}
		if got := s.menus["/system/scheduler"][0]["disabled"]; got != want {
			t.Errorf("%s: disabled is %s, want %s; %v", event, got, want, s.did)
		}
	}
}

// Ensure scripts are as they were read and approved by people, and hold no
// secret.
func TestScript_Golden(t *testing.T) {
	texts := map[string]string{}
	for _, name := range []change.ActName{change.ActArm, change.ActCutOver, change.ActCommit, change.ActRestore} {
		text, err := ros.RenderScript(change.Script{Request: 42, Act: change.Act{Name: name, Router: "gw-hq"}, Plan: phasedPlan()})
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.ReplaceAll(string(name), " ", "-")] = text
	}
	guard, err := ros.RenderGuard(phasedPlan(), "gw-hq", 42)
	if err != nil {
		t.Fatal(err)
	}
	texts["guard"] = guard
	for name, text := range texts {
		file := filepath.Join("testdata", "script", name+".rsc")
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err := console.Parse(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(text, "psk") {
			t.Errorf("%s names a secret", name)
		}
	}
}

// Ensure a script is refused whole when one of its steps would be.
func TestScript_Gate(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*change.Plan)
		want error
	}{
		"menu":        {func(p *change.Plan) { p.Steps[2].Menu = "/user" }, schema.ErrNotAllowed},
		"attribute":   {func(p *change.Plan) { p.Steps[4].After["action"] = "none" }, schema.ErrNotAllowed},
		"injection":   {func(p *change.Plan) { p.Steps[4].After[`peer=x]; /user/add name`] = "x" }, schema.ErrNotAllowed},
		"secret":      {func(p *change.Plan) { p.Steps[4].Secrets = map[string]secret.Ref{"secret": "x"} }, schema.ErrNotAllowed},
		"add":         {func(p *change.Plan) { p.Steps[2].Action = schema.Add }, ros.ErrStep},
		"removal":     {func(p *change.Plan) { p.Steps[2].Action = schema.Remove }, ros.ErrStep},
		"not removal": {func(p *change.Plan) { p.Steps[10].Action = schema.Disable }, ros.ErrStep},
		"no identity": {func(p *change.Plan) { p.Steps[4].Match = schema.Row{"peer": awkward} }, ros.ErrStep},
		"no tunnel":   {func(p *change.Plan) { p.Tunnel = nil }, ros.ErrStep},
		"no end":      {func(p *change.Plan) { p.Tunnel.Ends[1].Router = "gw-x" }, ros.ErrStep},
	} {
		t.Run(name, func(t *testing.T) {
			plan := phasedPlan()
			tt.edit(&plan)
			if _, err := ros.RenderScript(change.Script{Request: 42, Act: change.Act{Name: change.ActCutOver, Router: "gw-hq"}, Plan: plan}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if _, err := ros.RenderGuard(plan, "gw-hq", 42); !errors.Is(err, tt.want) {
				t.Errorf("guard: got %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := ros.RenderScript(change.Script{Act: change.Act{Name: change.ActForget, Router: "gw-hq"}, Plan: phasedPlan()}); !errors.Is(err, ros.ErrStep) {
		t.Errorf("an act without script: got %v", err)
	}
}
