package ros_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// Ensure a wrong password is told as such, for each login.
func TestSim_WrongPassword(t *testing.T) {
	s := newStand(t, rossim.Options{})
	s.router.Read.Password = secret.New("hunter2-ro")
	s.router.Write.Password = secret.New("hunter2-rw")
	f := connect(t, s.router)
	_, err := f.Snapshot(t.Context(), "gw")
	for _, err := range []error{err, f.Execute(t.Context(), "gw", 7, add(), vault{})} {
		if !errors.Is(err, ros.ErrLogin) || errors.Is(err, ros.ErrUnknownOutcome) {
			t.Errorf("got %v, want %v", err, ros.ErrLogin)
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "%!") {
			t.Errorf("got %q, want a clean text without the password", err)
		}
	}
	if report, err := f.Check(t.Context(), "gw"); !errors.Is(err, ros.ErrLogin) || report.Version != "" {
		t.Errorf("check: got %+v, %v, want %v", report, err, ros.ErrLogin)
	}
}

// Ensure a connection that dies around a write leaves its outcome open, and that
// the next read shows what happened.
func TestSim_LostWrite(t *testing.T) {
	tests := []struct {
		name   string
		faults rossim.Faults
		rows   int
	}{
		{"dropped before", rossim.AtWrite(1, rossim.FaultDrop, rossim.Before), 0},
		{"dropped after", rossim.AtWrite(1, rossim.FaultDrop, rossim.After), 1},
		{"reboot before", rossim.AtWrite(1, rossim.FaultReboot, rossim.Before), 0},
		{"reboot after", rossim.AtWrite(1, rossim.FaultReboot, rossim.After), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, s := simulated(t, rossim.Options{})
			s.sim.SetFaults(tt.faults)
			err := f.Execute(t.Context(), "gw", 7, add(), vault{})
			if !errors.Is(err, ros.ErrUnknownOutcome) {
				t.Errorf("got %v, want %v", err, ros.ErrUnknownOutcome)
			}
			if got := len(accounts(t, f)); got != tt.rows {
				t.Errorf("got %d rows, want %d", got, tt.rows)
			}
			if s.sim.Writes() > 1 {
				t.Errorf("got %d writes, want one at most", s.sim.Writes())
			}
		})
	}
}

// Ensure a router that hangs in the middle ends every call in time.
func TestSim_Hang(t *testing.T) {
	s := newStand(t, rossim.Options{})
	f, err := ros.New(ros.Options{Routers: []ros.Router{s.router}, Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Snapshot(t.Context(), "gw"); err != nil {
		t.Fatal(err)
	}
	s.sim.SetFaults(rossim.Faults{Hang: true})
	for range 3 {
		if _, err := f.Snapshot(t.Context(), "gw"); !errors.Is(err, ros.ErrTimeout) {
			t.Errorf("got %v, want %v", err, ros.ErrTimeout)
		}
	}
}

// Ensure both reconnect after the router dropped every connection or rebooted.
func TestSim_Reconnect(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	for _, lose := range []func(){s.sim.Drop, s.sim.Reboot, s.sim.Drop} {
		if err := f.Execute(t.Context(), "gw", 7, add(), vault{}); err != nil {
			t.Fatal(err)
		}
		if got := len(accounts(t, f)); got != 1 {
			t.Fatalf("got %d rows, want 1", got)
		}
		lose()
		if err := f.Execute(t.Context(), "gw", 7, remove(), nil); err != nil {
			t.Fatal(err)
		}
		if got := len(accounts(t, f)); got != 0 {
			t.Fatalf("got %d rows, want none", got)
		}
	}
}

// Ensure every write stands behind the gate: allow-list, schema, own router.
// Nothing reaches the router.
func TestSim_Gate(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	tests := []struct {
		name string
		edit func(*change.Step)
		want error
	}{
		{"menu", func(s *change.Step) { s.Menu = "/user" }, schema.ErrNotAllowed},
		{"unknown menu", func(s *change.Step) { s.Menu = "/system/reboot" }, schema.ErrNotAllowed},
		{"action", func(s *change.Step) { s.Action = schema.Disable }, schema.ErrNotAllowed},
		{"attribute", func(s *change.Step) { s.After["last-caller-id"] = "192.0.2.1" }, schema.ErrNotAllowed},
		{"attribute with an injected value", func(s *change.Step) { s.After["name=x"] = "y" }, schema.ErrNotAllowed},
		{"secret attribute in clear", func(s *change.Step) { s.After["password"] = "x" }, ros.ErrStep},
		{"plain attribute as secret", func(s *change.Step) { s.Secrets["profile"] = "ref" }, ros.ErrStep},
		{"nothing to match", func(s *change.Step) { s.Match = nil }, ros.ErrStep},
		{"matching by a secret", func(s *change.Step) { s.Match = schema.Row{"password": "x"} }, ros.ErrStep},
		{"other router", func(s *change.Step) { s.Router = "gw2" }, ros.ErrStep},
	}
	for _, tt := range tests {
		step := add()
		tt.edit(&step)
		if err := f.Execute(t.Context(), "gw", 7, step, vault{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := f.Execute(t.Context(), "gw", 7, add(), nil); !errors.Is(err, ros.ErrStep) {
		t.Errorf("no vault: got %v, want %v", err, ros.ErrStep)
	}
	if got := s.sim.Writes(); got != 0 {
		t.Errorf("got %d writes, want none", got)
	}
	if _, err := f.Snapshot(t.Context(), "gw2"); !errors.Is(err, ros.ErrUnknownRouter) {
		t.Errorf("got %v, want %v", err, ros.ErrUnknownRouter)
	}
	if _, err := f.Snapshot(t.Context(), "gw", "/system/script"); !errors.Is(err, ros.ErrStep) {
		t.Errorf("got %v, want %v", err, ros.ErrStep)
	}
}

// Ensure an add whose row is there already is refused before it is sent: not
// every menu keeps names apart.
func TestSim_Add_Twice(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	for _, want := range []error{nil, ros.ErrRowExists} {
		if err := f.Execute(t.Context(), "gw", 7, add(), vault{}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if got := s.sim.Writes(); got != 1 {
		t.Errorf("got %d writes, want 1", got)
	}
}

// Ensure removing needs exactly one matching row.
func TestSim_Remove_Ambiguous(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	for _, name := range []string{"a", "b"} {
		if _, err := s.sim.Add("/ppp/secret", schema.Row{"name": name, "service": "l2tp", "password": "x"}); err != nil {
			t.Fatal(err)
		}
	}
	step := remove()
	step.Match = schema.Row{"service": "l2tp"}
	if err := f.Execute(t.Context(), "gw", 7, step, nil); !errors.Is(err, ros.ErrManyRows) {
		t.Errorf("got %v, want %v", err, ros.ErrManyRows)
	}
	step.Match = schema.Row{"service": "l2tp", "name": "b"}
	if err := f.Execute(t.Context(), "gw", 7, step, nil); err != nil {
		t.Error(err)
	}
	rows := s.sim.Rows("/ppp/secret")
	if len(rows) != 1 || rows[0]["name"] != "a" {
		t.Errorf("got %v, want only a", rows)
	}
}

// Ensure a login without the right to write is told as such.
func TestSim_NoRight(t *testing.T) {
	s := newStand(t, rossim.Options{})
	s.router.Write = s.router.Read
	f := connect(t, s.router)
	if err := f.Execute(t.Context(), "gw", 7, add(), vault{}); !errors.Is(err, ros.ErrPermission) {
		t.Errorf("got %v, want %v", err, ros.ErrPermission)
	}
}

// Ensure Check reports rights, certificate and device mode, and warns of what is
// not as it should be.
func TestSim_Check(t *testing.T) {
	f, s := simulated(t, rossim.Options{Name: "hq"})
	report, err := f.Check(t.Context(), "gw")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(report.Read.Policies, []string{"read", "api"}) || !slices.Equal(report.Write.Policies, []string{"read", "write", "api"}) {
		t.Errorf("got %+v and %+v", report.Read, report.Write)
	}
	if report.Identity != "hq" || !report.Device.Known || report.Device.Flagged {
		t.Errorf("got %+v", report)
	}
	if !strings.EqualFold(report.Certificate.Fingerprint, s.router.Fingerprint) || report.Certificate.NotAfter.Before(time.Now()) {
		t.Errorf("got %+v, want %s", report.Certificate, s.router.Fingerprint)
	}
	if len(report.Warnings) != 0 {
		t.Errorf("got %v, want no warnings", report.Warnings)
	}
	for group, policy := range map[string]string{"bot-ro": "read,api,sensitive", "bot-rw": "read,api,!write"} {
		if err := s.sim.Set("/user/group", group, schema.Row{"policy": policy}); err != nil {
			t.Fatal(err)
		}
	}
	report, err = f.Check(t.Context(), "gw")
	if err != nil {
		t.Fatal(err)
	}
	want := []ros.Warning{
		{Kind: ros.WarnRightTooMany, User: "bot-ro", Detail: "sensitive"},
		{Kind: ros.WarnRightMissing, User: "bot-rw", Detail: "write"},
	}
	if !slices.Equal(report.Warnings, want) {
		t.Errorf("got %v, want %v", report.Warnings, want)
	}
}

// Ensure the numbers add up.
func TestSim_Stats(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	if _, err := f.Snapshot(t.Context(), "gw", "/ip/pool"); err != nil {
		t.Fatal(err)
	}
	if err := f.Execute(t.Context(), "gw", 7, add(), vault{}); err != nil {
		t.Fatal(err)
	}
	got := f.Stats()[0]
	if got.Router != "gw" || got.Commands != 4 || got.Logins != 2 || got.Open != 2 || got.Errors != 0 || got.Answered.IsZero() {
		t.Errorf("got %+v", got)
	}
	s.sim.SetFaults(rossim.Faults{Refuse: true})
	s.sim.Drop()
	if _, err := f.Snapshot(t.Context(), "gw"); !errors.Is(err, ros.ErrUnreachable) {
		t.Errorf("got %v, want %v", err, ros.ErrUnreachable)
	}
	if got = f.Stats()[0]; got.Errors == 0 || got.Open != 1 {
		t.Errorf("got %+v, want errors and one connection", got)
	}
}

// Ensure a version that nobody has looked at yet works, with a warning that is
// logged once.
func TestSim_NewerVersion(t *testing.T) {
	s := newStand(t, rossim.Options{})
	var log bytes.Buffer
	f, err := ros.New(ros.Options{Routers: []ros.Router{s.router}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, tt := range []struct {
		version string
		newer   bool
	}{
		{"7.22.3 (stable)", false}, {"7.24.9 (stable)", false}, {"7.25 (stable)", true}, {"8.0rc1 (testing)", true}, {"next (development)", true},
	} {
		if err := s.sim.Force("/system/resource", "", schema.Row{"version": tt.version}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if snap, err := f.Snapshot(t.Context(), "gw", "/ppp/secret"); err != nil || snap.Version != tt.version {
				t.Errorf("%s: got %q, %v", tt.version, snap.Version, err)
			}
		}
		if err := errors.Join(f.Execute(t.Context(), "gw", 7, add(), vault{}), f.Execute(t.Context(), "gw", 7, remove(), nil)); err != nil {
			t.Errorf("%s: %v", tt.version, err)
		}
		report, err := f.Check(t.Context(), "gw")
		if err != nil {
			t.Fatal(err)
		}
		var want []ros.Warning
		if tt.newer {
			want = []ros.Warning{{Kind: ros.WarnNewer, Detail: tt.version}}
		}
		if !slices.Equal(report.Warnings, want) {
			t.Errorf("%s: got %v, want %v", tt.version, report.Warnings, want)
		}
	}
	if got := strings.Count(log.String(), "newer than any known"); got != 3 {
		t.Errorf("warned %d times, want once for each of 3 versions", got)
	}
}

// Ensure the writing login is used by writes alone, and the reading one by reads.
func TestSim_Logins(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	var mu sync.Mutex
	var users []string
	s.sim.SetFaults(rossim.Faults{OnLogin: func(user string, _ bool) {
		mu.Lock()
		defer mu.Unlock()
		users = append(users, user)
	}})
	var probe change.Probe
	probe.From, probe.To = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for _, call := range []struct {
		name string
		do   func() error
		want string
	}{
		{"snapshot", func() error { _, err := f.Snapshot(t.Context(), "gw", many...); return err }, "bot-ro"},
		{"ping", func() error { _, err := f.Ping(t.Context(), "gw", probe, 56, 1); return err }, "bot-ro"},
		{"execute", func() error { return f.Execute(t.Context(), "gw", 7, add(), vault{}) }, "bot-rw"},
		{"remove guard", func() error { return f.RemoveGuard(t.Context(), "gw", 7) }, "bot-rw"},
		{"drop", func() error { return f.Drop(t.Context(), "gw", change.Phase1{}) }, "bot-rw"},
		{"forget", func() error { return f.Forget(t.Context(), "gw", nil) }, "bot-rw"},
		{"script", func() error {
			return f.RunScript(t.Context(), change.Script{Request: 42, Act: change.Act{Name: change.ActRestore, Router: "gw"}, Plan: guarded()})
		}, "bot-rw"},
	} {
		s.sim.Drop()
		mu.Lock()
		users = nil
		mu.Unlock()
		if err := call.do(); errors.Is(err, ros.ErrUnreachable) || errors.Is(err, ros.ErrStep) {
			t.Errorf("%s: %v", call.name, err)
		}
		mu.Lock()
		if slices.Sort(users); !slices.Equal(slices.Compact(users), []string{call.want}) {
			t.Errorf("%s: logged in as %q, want %s alone", call.name, users, call.want)
		}
		mu.Unlock()
	}
}
