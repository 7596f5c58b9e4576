package ros_test

import (
	"crypto/tls"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// world is a router behind TLS over pipes and the Fleet that knows it. It lives
// in a bubble.
type world struct {
	sim     *rossim.Router
	fleet   *ros.Fleet
	wire    *pipes
	serving sync.WaitGroup
}

func newWorld(t testing.TB, plain bool) *world {
	t.Helper()
	sim, err := rossim.New(rossim.Options{Latency: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bot-ro", "bot-rw"} {
		if _, err := sim.Add("/user", schema.Row{"name": name, "group": "full", "password": "of-" + name}); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{sim: sim, wire: newPipes()}
	router := ros.Router{
		Name: "gw", Address: "127.0.0.1:8729", Plain: plain,
		Read:  ros.Login{User: "bot-ro", Password: secret.New("of-bot-ro")},
		Write: ros.Login{User: "bot-rw", Password: secret.New("of-bot-rw")},
	}
	if plain {
		w.serving.Go(func() { _ = sim.Serve(w.wire) })
	} else {
		var cert tls.Certificate
		if cert, router.Fingerprint, err = rossim.Certificate("127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		w.serving.Go(func() { _ = sim.ServeTLS(w.wire, cert) })
	}
	if w.fleet, err = ros.New(ros.Options{Routers: []ros.Router{router}, Dial: w.wire.dial, Timeout: timeout}); err != nil {
		t.Fatal(err)
	}
	return w
}

// end fails the test unless everything ends.
func (w *world) end(t testing.TB) {
	w.fleet.Close()
	if err := w.sim.Close(); err != nil {
		t.Error(err)
	}
	w.serving.Wait()
}

// reasons are the short names of errors in the tables, those that say more first.
var reasons = []struct {
	name string
	err  error
}{
	{"certificate", ros.ErrCertificate},
	{"login", ros.ErrLogin},
	{"protocol", ros.ErrProtocol},
	{"timeout", ros.ErrTimeout},
	{"unreachable", ros.ErrUnreachable},
	{"exists", ros.ErrRowExists},
}

func reason(err error) string {
	if err == nil {
		return "ok"
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	if _, ok := errors.AsType[*ros.TrapError](err); ok {
		return "refused"
	}
	return err.Error()
}

// moments are the columns of the table.
var moments = []rossim.When{rossim.Inside, rossim.Before, rossim.After, rossim.Answering, rossim.Answered}

// phases are what a fault can strike: of a write, the two sentences that it
// consists of, and what comes before them.
var phases = map[string]rossim.Strike{
	"connect": {Class: rossim.Connections},
	"login":   {Class: rossim.Logins},
	"read":    {Class: rossim.Reads, Menu: "/ppp/secret", User: "bot-ro"},
	"look":    {Class: rossim.Reads, Menu: "/ppp/secret", User: "bot-rw"},
	"write":   {Class: rossim.Writes, Menu: "/ppp/secret", User: "bot-rw"},
}

// cell plays one cell of the table and returns what it should say.
func cell(t *testing.T, idle, plain bool, phase string, kind rossim.FaultKind, at rossim.When) string {
	t.Helper()
	w := newWorld(t, plain)
	defer w.end(t)
	if idle {
		if _, err := w.fleet.Snapshot(t.Context(), "gw", "/ip/pool"); err != nil {
			t.Fatal(err)
		}
		if err := w.fleet.Execute(t.Context(), "gw", 6, remove(), nil); !errors.Is(err, ros.ErrNoRow) {
			t.Fatal(err)
		}
	}
	strike := phases[phase]
	strike.Kind, strike.At = kind, at
	if strike.Class == rossim.Logins {
		strike.User = "" // nobody is logged in yet
	}
	w.sim.SetFaults(rossim.Faults{Strikes: []rossim.Strike{strike}})
	start := time.Now()
	read := func() error {
		_, err := w.fleet.Snapshot(t.Context(), "gw", "/ppp/secret")
		return err
	}
	write := func() error { return w.fleet.Execute(t.Context(), "gw", 7, add(), vault{}) }
	call := write
	if phase == "read" {
		call = read
	}
	err := call()
	if took := time.Since(start); took > timeout+time.Second {
		t.Errorf("took %v, want little more than %v", took, timeout)
	}
	synctest.Wait()
	if got := w.sim.Fired(kind); got != 1 {
		t.Errorf("the fault struck %d times, want once", got)
	}
	if phase == "read" {
		w.recovers(t)
		return reason(err)
	}
	return reason(err) + " " + w.belief(t, err)
}

// belief compares what the client knows of its write from its error alone with
// the rows of the router, now and when the fault is over.
func (w *world) belief(t *testing.T, err error) string {
	t.Helper()
	before := w.written()
	rows := w.recovers(t)
	after := len(rows) == 1 && change.HasMark(rows[0]["comment"], 7, 1)
	if after != w.written() || len(rows) > 1 {
		t.Errorf("read back %v, want what the router holds", rows)
	}
	return known(err, before, after)
}

// known says what an error tells of a write that was there when the call ended,
// or later. "wrong" is what no cell may say.
func known(err error, before, after bool) string {
	switch unknown := errors.Is(err, ros.ErrUnknownOutcome); {
	case unknown && before:
		return "?+"
	case unknown && after:
		return "?late"
	case unknown:
		return "?-"
	case err == nil && before && after:
		return "yes"
	case err != nil && !before && !after:
		return "no"
	}
	return "wrong"
}

// written tells whether the router has the row of the write.
func (w *world) written() bool {
	for _, row := range w.sim.Rows("/ppp/secret") {
		if change.HasMark(row["comment"], 7, 1) {
			return true
		}
	}
	return false
}

// recovers reads once the fault is over, and what the breaker waits for.
func (w *world) recovers(t *testing.T) []schema.Row {
	t.Helper()
	w.sim.SetFaults(rossim.Faults{})
	time.Sleep(time.Minute)
	snap, err := w.fleet.Snapshot(t.Context(), "gw", "/ppp/secret")
	if err != nil {
		t.Errorf("reading afterwards: %v", err)
	}
	return snap.Menus["/ppp/secret"]
}

// Ensure every fault at every moment of every phase ends a call in time, with the
// error that testdata/faults.txt says, and leaves the client with a belief about
// its write that the router's rows bear out.
func TestFaults(t *testing.T) {
	text, err := os.ReadFile("testdata/faults.txt")
	if err != nil {
		t.Fatal(err)
	}
	section, played := "", map[string]int{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "== "); ok {
			section = title
		}
		fields := strings.Split(line, "|")
		if len(fields) != len(moments)+2 || strings.HasPrefix(line, "fault") {
			continue
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		kind, phase := fields[0], fields[1]
		t.Run(section+"/"+kind+"/"+phase, func(t *testing.T) {
			got := slices.Clone(fields)
			for i, at := range moments {
				if want := fields[i+2]; want != "" {
					played[section]++
					synctest.Test(t, func(t *testing.T) {
						idle, plain := strings.Contains(section, "idle"), strings.Contains(section, "plain")
						got[i+2] = cell(t, idle, plain, phase, rossim.FaultKind(kind), at)
					})
				}
			}
			if !slices.Equal(got, fields) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " | "), strings.Join(fields, " | "))
			}
		})
	}
	want := map[string]int{"new connection": 175, "idle connection": 126, "new connection, plain": 5, "idle connection, plain": 3}
	if diff := cmp.Diff(want, played); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

// Ensure what holds for a whole router, and what others do to it between a look
// and a write, ends a read and a write in time, with a plain reason and the right
// belief.
func TestFaults_Router(t *testing.T) {
	other, _, err := rossim.Certificate("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	often := func(s rossim.Strike) rossim.Faults {
		s.Times = rossim.Always
		return rossim.Faults{Strikes: []rossim.Strike{s}}
	}
	between := func(do func(*rossim.Router)) rossim.Faults {
		return rossim.Faults{Strikes: []rossim.Strike{{Kind: rossim.FaultAdministrator, Class: rossim.Writes, User: "bot-rw", Do: do}}}
	}
	set := func(menu, id string, row schema.Row) func(*rossim.Router) {
		return func(r *rossim.Router) {
			if err := r.Set(menu, id, row); err != nil {
				t.Error(err)
			}
		}
	}
	for _, tt := range []struct {
		name        string
		faults      rossim.Faults
		read, write string
	}{
		{"refuse", rossim.Faults{Refuse: true}, "unreachable", "unreachable no"},
		{"hang", rossim.Faults{Hang: true}, "timeout", "timeout no"},
		{"latency under the deadline", rossim.Faults{Latency: timeout - time.Second}, "ok", "ok yes"},
		{"latency over the deadline", rossim.Faults{Latency: timeout}, "timeout", "timeout no"},
		{"latency over the deadline, of writes", rossim.Faults{Strikes: []rossim.Strike{{
			Kind: rossim.FaultAdministrator, At: rossim.After, Class: rossim.Reads, User: "bot-rw",
			Do: func(r *rossim.Router) { r.SetFaults(rossim.Faults{Latency: timeout}) },
		}}}, "ok", "timeout ?late"},
		{"jitter", rossim.Faults{Jitter: timeout / 2}, "ok", "ok yes"},
		{"instant", often(rossim.Strike{Kind: rossim.FaultInstant}), "ok", "ok yes"},
		{"certificate changed", often(rossim.Strike{Kind: rossim.FaultCertificate, Class: rossim.Connections, Certificate: other}), "certificate", "certificate no"},
		{"certificate gone", often(rossim.Strike{Kind: rossim.FaultCertificate, Class: rossim.Connections}), "unreachable", "unreachable no"},
		{"clock jumps on", often(rossim.Strike{Kind: rossim.FaultClock, By: 400 * 24 * time.Hour}), "ok", "ok yes"},
		{"clock jumps back", often(rossim.Strike{Kind: rossim.FaultClock, By: -400 * 24 * time.Hour}), "ok", "ok yes"},
		{"another adds the same row", between(func(r *rossim.Router) {
			if _, err := r.Add("/ppp/secret", schema.Row{"name": account}); err != nil {
				t.Error(err)
			}
		}), "ok", "exists no"},
		{"another takes the right to write", between(set("/user", "bot-rw", schema.Row{"group": "read"})), "ok", "ok yes"}, // rights are those at login
		{"another ends the session", between(func(r *rossim.Router) {
			for _, row := range r.Rows("/user/active") {
				if row["name"] == "bot-rw" {
					if err := r.Remove("/user/active", row[schema.ID]); err != nil {
						t.Error(err)
					}
				}
			}
		}), "ok", "unreachable ?-"},
		{"another switches the service off", between(set("/ip/service", "api-ssl", schema.Row{"disabled": "yes"})), "ok", "ok yes"},
		{"another changes the password", rossim.Faults{Strikes: []rossim.Strike{{
			Kind: rossim.FaultAdministrator, Class: rossim.Logins, Do: func(r *rossim.Router) {
				set("/user", "bot-ro", schema.Row{"password": "new"})(r)
				set("/user", "bot-rw", schema.Row{"password": "new"})(r)
			},
		}}}, "login", "login no"},
	} {
		for _, want := range []string{tt.read, tt.write} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, false)
					defer w.end(t)
					w.sim.SetFaults(tt.faults)
					start := time.Now()
					var err error
					if want == tt.write {
						err = w.fleet.Execute(t.Context(), "gw", 7, add(), vault{})
					} else {
						_, err = w.fleet.Snapshot(t.Context(), "gw", "/ppp/secret")
					}
					if took := time.Since(start); took > 3*timeout { // login and two commands
						t.Errorf("took %v, want little more than %v", took, timeout)
					}
					got := reason(err)
					if want == tt.write {
						before := w.written()
						time.Sleep(time.Minute)
						got += " " + known(err, before, w.written())
					}
					if got != want {
						t.Errorf("got %s (%v), want %s", got, err, want)
					}
				})
			})
		}
	}
}
