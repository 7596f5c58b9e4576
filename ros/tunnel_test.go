package ros_test

import (
	"errors"
	"net/netip"
	"testing"

	"vpnbot/change"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// guarded is a plan of which "gw" is an end, with nothing to cut over.
func guarded() change.Plan {
	p := phasedPlan()
	p.Tunnel.Ends[1].Router, p.Steps = "gw", nil
	p.Steps = []change.Step{{
		ID: 1, Router: "gw", Menu: "/ip/ipsec/proposal", Action: schema.Disable, Phase: change.PhaseCutOver, Match: schema.Row{"name": "default"},
	}}
	return p
}

func guardRow(t *testing.T, s *stand) schema.Row {
	t.Helper()
	for _, row := range s.sim.Rows("/system/scheduler") {
		if row["name"] == "vpnbot-guard-42" {
			return row
		}
	}
	return nil
}

// Ensure a guard comes switched off, with the rights it needs and no more, that a
// script switches it on once the router has parsed everything, and that it goes.
func TestSim_Guard(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	if err := f.AddGuard(t.Context(), "gw", 42, guarded()); err != nil {
		t.Fatal(err)
	}
	row := guardRow(t, s)
	if row["disabled"] != "true" || row["start-time"] != "startup" || row["interval"] != "3m" || row["policy"] != "read,write" {
		t.Errorf("got %v", row)
	}
	if err := f.AddGuard(t.Context(), "gw", 42, guarded()); !errors.Is(err, ros.ErrRowExists) {
		t.Errorf("a second one: got %v", err)
	}
	arm := change.Script{Request: 42, Act: change.Act{Name: change.ActArm, Router: "gw"}, Plan: guarded()}
	if err := f.RunScript(t.Context(), arm); err != nil {
		t.Fatal(err)
	}
	// The script runs beside the answer: what it says last is waited for by
	// reading, as the product does.
	for looks := 0; guardRow(t, s)["disabled"] != "false"; looks++ {
		if looks == 10_000 {
			t.Fatal("the guard is never switched on")
		}
		if _, err := f.Snapshot(t.Context(), "gw", "/system/scheduler"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.RemoveGuard(t.Context(), "gw", 42); err != nil || guardRow(t, s) != nil {
		t.Errorf("got %v, row %v", err, guardRow(t, s))
	}
	if err := f.RemoveGuard(t.Context(), "gw", 42); !errors.Is(err, ros.ErrNoRow) {
		t.Errorf("none to remove: got %v", err)
	}
}

// Ensure a script that is not admitted is never sent, and that the outcome of one
// whose answer was lost is unknown.
func TestSim_RunScript(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	bad := guarded()
	bad.Steps[0].Menu = "/user"
	for _, name := range []change.ActName{change.ActArm, change.ActCutOver, change.ActCommit, change.ActRestore} {
		act := change.Act{Name: name, Router: "gw"}
		if err := f.RunScript(t.Context(), change.Script{Request: 42, Act: act, Plan: bad}); !errors.Is(err, schema.ErrNotAllowed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := f.AddGuard(t.Context(), "gw", 42, bad); !errors.Is(err, schema.ErrNotAllowed) {
		t.Errorf("guard: got %v", err)
	}
	if s.sim.Writes() != 0 {
		t.Errorf("%d writes, want none", s.sim.Writes())
	}
	script := change.Script{Request: 42, Act: change.Act{Name: change.ActRestore, Router: "gw"}, Plan: guarded()}
	s.sim.SetFaults(rossim.AtWrite(1, rossim.FaultDrop, rossim.After))
	if err := f.RunScript(t.Context(), script); !errors.Is(err, ros.ErrUnknownOutcome) {
		t.Errorf("lost: got %v", err)
	}
	s.sim.SetFaults(rossim.Faults{Strikes: []rossim.Strike{{Kind: rossim.FaultTrap, Class: rossim.Writes, Text: "failure: not now"}}})
	if err := f.RunScript(t.Context(), script); err == nil || errors.Is(err, ros.ErrUnknownOutcome) {
		t.Errorf("refused: got %v", err)
	}
}

// Ensure a row that belongs on top stands above every row that somebody placed.
func TestSim_Top(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	step := change.Step{
		ID: 3, Router: "gw", Menu: "/ip/firewall/nat", Action: schema.Add, Place: change.TopPlace,
		Match: schema.Row{"chain": "srcnat", "action": "accept", "src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24"},
		After: schema.Row{"chain": "srcnat", "action": "accept", "src-address": "192.168.77.0/24", "dst-address": "192.168.88.0/24"},
	}
	if err := s.sim.Load(map[string][]schema.Row{"/ip/firewall/nat": {{"chain": "srcnat", "action": "masquerade"}, {"chain": "dstnat", "action": "accept"}}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Execute(t.Context(), "gw", 42, step, nil); err != nil {
		t.Fatal(err)
	}
	if rows := s.sim.Rows("/ip/firewall/nat"); len(rows) != 3 || rows[0]["comment"] != "[vpnbot 42.3]" {
		t.Errorf("got %v", rows)
	}
	step.Place = "bottom"
	if err := f.Execute(t.Context(), "gw", 42, step, nil); !errors.Is(err, ros.ErrStep) {
		t.Errorf("another place: got %v", err)
	}
}

// Ensure pings are counted, and that a login without the right for them is told.
func TestSim_Ping(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	probe := change.Probe{From: netip.MustParseAddr("192.168.77.1"), To: netip.MustParseAddr("192.168.77.1")}
	if _, err := f.Ping(t.Context(), "gw", probe, 56, 2); !errors.Is(err, ros.ErrPermission) {
		t.Errorf("without the right: got %v", err)
	}
	for _, row := range s.sim.Rows("/user/group") {
		if row["name"] == "bot-ro" {
			if err := s.sim.Set("/user/group", row[schema.ID], schema.Row{"policy": "test"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.sim.Drop() // rights are those of the login
	if err := s.sim.Load(map[string][]schema.Row{"/ip/address": {{"address": "192.168.77.1/24", "interface": "ether2"}}}); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Ping(t.Context(), "gw", probe, 56, 2); n != 2 || err != nil {
		t.Errorf("got %d answers, %v", n, err)
	}
	probe.To = probe.To.Next()
	if n, err := f.Ping(t.Context(), "gw", probe, 1400, 2); n != 0 || err != nil {
		t.Errorf("nobody there: got %d answers, %v", n, err)
	}
}
