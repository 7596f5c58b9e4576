package ros_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// The tests of this file that run everywhere hold for every router: for the
// stand-in, for what real ones said in transcripts, and for the one that
// ROUTEROS_TEST_ADDRESS names, with _USERNAME, _PASSWORD and _FINGERPRINT (not
// needed at a loopback address). On it they add and remove one PPP secret called
// vpnbot-test. With ROUTEROS_TEST_RECORD=NAME they keep what it said.

// account is the row that the tests add.
const account = "vpnbot-test"

// everywhere runs a test against the stand-in and against every transcript of the
// test, or against the router that the environment names.
func everywhere(t *testing.T, test func(t *testing.T, f *ros.Fleet)) {
	t.Helper()
	if address, ok := os.LookupEnv("ROUTEROS_TEST_ADDRESS"); ok {
		login := ros.Login{User: os.Getenv("ROUTEROS_TEST_USERNAME"), Password: secret.New(os.Getenv("ROUTEROS_TEST_PASSWORD"))}
		pin := os.Getenv("ROUTEROS_TEST_FINGERPRINT")
		t.Run("router", func(t *testing.T) {
			if name := os.Getenv("ROUTEROS_TEST_RECORD"); name != "" {
				test(t, recording(t, name, address, pin, login))
				return
			}
			test(t, connect(t, ros.Router{Name: "gw", Address: address, Fingerprint: pin, Plain: pin == "", Read: login, Write: login}))
		})
		return
	}
	t.Run("simulator", func(t *testing.T) {
		f, _ := simulated(t, rossim.Options{Name: "gw"})
		test(t, f)
	})
	files, err := filepath.Glob(filepath.Join(transcripts, "*", t.Name()+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			test(t, replaying(t, string(text)))
		})
	}
}

func connect(t testing.TB, routers ...ros.Router) *ros.Fleet {
	t.Helper()
	f, err := ros.New(ros.Options{Routers: routers, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// simulated starts a stand-in behind TLS on a loopback port, with the two users
// that the product wants.
func simulated(t testing.TB, o rossim.Options) (*ros.Fleet, *stand) {
	t.Helper()
	s := newStand(t, o)
	return connect(t, s.router), s
}

// stand is a running stand-in and how it is reached.
type stand struct {
	sim    *rossim.Router
	router ros.Router
	cert   tls.Certificate
	plain  string
}

func newStand(t testing.TB, o rossim.Options) *stand {
	t.Helper()
	sim, err := rossim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []schema.Row{{"name": "bot-ro", "policy": "read,api"}, {"name": "bot-rw", "policy": "read,write,api"}} {
		if _, err := sim.Add("/user/group", g); err != nil {
			t.Fatal(err)
		}
		if _, err := sim.Add("/user", schema.Row{"name": g["name"], "group": g["name"], "password": "of-" + g["name"]}); err != nil {
			t.Fatal(err)
		}
	}
	cert, pin, err := rossim.Certificate("127.0.0.1", "gw.example")
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{sim: sim, cert: cert}
	secure, plain := listen(t), listen(t)
	s.plain = plain.Addr().String()
	go func() { _ = sim.ServeTLS(secure, cert) }() // Close waits for both
	go func() { _ = sim.Serve(plain) }()
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	s.router = ros.Router{
		Name: "gw", Address: secure.Addr().String(), Fingerprint: pin,
		Read:  ros.Login{User: "bot-ro", Password: secret.New("of-bot-ro")},
		Write: ros.Login{User: "bot-rw", Password: secret.New("of-bot-rw")},
	}
	return s
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add() change.Step {
	return change.Step{
		ID: 1, Router: "gw", Menu: "/ppp/secret", Action: schema.Add, Class: change.Twin,
		Match:   schema.Row{"name": account},
		After:   schema.Row{"name": account, "service": "l2tp", "comment": "made by a test"},
		Secrets: map[string]secret.Ref{"password": "ref"},
	}
}

func remove() change.Step {
	return change.Step{
		ID: 1, Router: "gw", Menu: "/ppp/secret", Action: schema.Remove,
		Match: schema.Row{"name": account, "comment": "made by a test [vpnbot 7.1]"},
	}
}

// Ensure a snapshot has the version and the rows of what was asked for, empty
// menus among them, and no secret.
func TestSnapshot(t *testing.T) { everywhere(t, testSnapshot) }

func testSnapshot(t *testing.T, f *ros.Fleet) {
	t.Helper()
	snap, err := f.Snapshot(t.Context(), "gw", "/system/identity", "/ppp/profile", "/ppp/secret", "/interface/l2tp-server/server", "/user/group")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.ParseVersion(snap.Version); err != nil || snap.Router != "gw" || snap.At.IsZero() {
		t.Errorf("got %q %q %v, want router, version and time", snap.Router, snap.Version, snap.At)
	}
	if len(snap.Menus) != 5 {
		t.Errorf("got %d menus, want the 5 asked for", len(snap.Menus))
	}
	if rows := snap.Menus["/system/identity"]; len(rows) != 1 || rows[0]["name"] == "" {
		t.Errorf("got identity %v, want one row with a name", rows)
	}
	if rows := snap.Rows(change.Query{Menu: "/ppp/profile", Where: schema.Row{"name": "default"}}); len(rows) != 1 || rows[0][schema.ID] == "" {
		t.Errorf("got %v, want the default profile with its id", rows)
	}
	for path, rows := range snap.Menus {
		if rows == nil {
			t.Errorf("%s is nil, want rows or none", path)
		}
		menu, _ := schema.Lookup(path)
		for _, row := range rows {
			for _, name := range menu.Secrets() {
				if _, leaked := row[name]; leaked {
					t.Errorf("%s has %s", path, name)
				}
			}
		}
	}
}

// Ensure an added row is there with its mark, a second add is refused, and a
// removal takes exactly this row.
func TestExecute(t *testing.T) { everywhere(t, testExecute) }

func testExecute(t *testing.T, f *ros.Fleet) {
	t.Helper()
	t.Cleanup(func() { _ = f.Execute(context.WithoutCancel(t.Context()), "gw", 7, remove(), nil) })
	if err := f.Execute(t.Context(), "gw", 7, add(), vault{}); err != nil {
		t.Fatal(err)
	}
	rows := accounts(t, f)
	if len(rows) != 1 || !change.HasMark(rows[0]["comment"], 7, 1) || rows[0]["service"] != "l2tp" {
		t.Fatalf("got %v, want the account with its mark", rows)
	}
	if err := f.Execute(t.Context(), "gw", 8, add(), vault{}); !errors.Is(err, ros.ErrRowExists) {
		t.Errorf("second add: got %v, want %v", err, ros.ErrRowExists)
	}
	if err := f.Execute(t.Context(), "gw", 7, remove(), nil); err != nil {
		t.Fatal(err)
	}
	if rows := accounts(t, f); len(rows) != 0 {
		t.Errorf("got %v, want it gone", rows)
	}
	if err := f.Execute(t.Context(), "gw", 7, remove(), nil); !errors.Is(err, ros.ErrNoRow) {
		t.Errorf("second removal: got %v, want %v", err, ros.ErrNoRow)
	}
}

// Ensure what the router refuses is a definite failure without the password.
func TestExecute_Refused(t *testing.T) { everywhere(t, testExecute_Refused) }

func testExecute_Refused(t *testing.T, f *ros.Fleet) {
	t.Helper()
	step := add()
	step.After["profile"] = "no-such-profile"
	err := f.Execute(t.Context(), "gw", 7, step, vault{})
	trap, ok := errors.AsType[*ros.TrapError](err)
	if !ok || trap.Kind != ros.KindValue || errors.Is(err, ros.ErrUnknownOutcome) {
		t.Errorf("got %v, want a refused value", err)
	}
	if strings.Contains(err.Error(), password) {
		t.Error("the error shows the password")
	}
	if rows := accounts(t, f); len(rows) != 0 {
		t.Errorf("got %v, want nothing written", rows)
	}
}

// Ensure Check tells who we are there.
func TestCheck(t *testing.T) { everywhere(t, testCheck) }

func testCheck(t *testing.T, f *ros.Fleet) {
	t.Helper()
	r, err := f.Check(t.Context(), "gw")
	if err != nil {
		t.Fatal(err)
	}
	if r.Version == "" || r.Board == "" || r.Identity == "" {
		t.Errorf("got %+v, want version, board and identity", r)
	}
	for _, a := range []ros.Access{r.Read, r.Write} {
		if !a.Known || a.Group == "" || !slices.Contains(a.Policies, "api") {
			t.Errorf("got %+v, want a known group with policy api", a)
		}
	}
}

// accounts reads the rows called account.
func accounts(t *testing.T, f *ros.Fleet) []schema.Row {
	t.Helper()
	snap, err := f.Snapshot(t.Context(), "gw", "/ppp/secret")
	if err != nil {
		t.Fatal(err)
	}
	return snap.Rows(change.Query{Menu: "/ppp/secret", Where: schema.Row{"name": account}})
}

// Ensure a router is used only when its certificate is the expected one.
func TestCertificate(t *testing.T) {
	s := newStand(t, rossim.Options{})
	leaf, err := x509.ParseCertificate(s.cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	_, otherPin, err := rossim.Certificate("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	ca, otherCA := x509.NewCertPool(), x509.NewCertPool()
	ca.AddCert(leaf)
	pin := s.router.Fingerprint
	tests := []struct {
		name   string
		pin    string
		ca     *x509.CertPool
		server string
		want   error
	}{
		{"pin", pin, nil, "", nil},
		{"pin in lower case with colons", colons(pin), nil, "", nil},
		{"pin and CA", pin, ca, "", nil},
		{"CA", "", ca, "", nil},
		{"CA and name", "", ca, "gw.example", nil},
		{"other pin", otherPin, nil, "", ros.ErrCertificate},
		{"other CA", "", otherCA, "", ros.ErrCertificate},
		{"other pin, right CA", otherPin, ca, "", ros.ErrCertificate},
		{"right pin, other CA", pin, otherCA, "", ros.ErrCertificate},
		{"other name", "", ca, "gw.invalid", ros.ErrCertificate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := s.router
			r.Fingerprint, r.CA, r.ServerName = tt.pin, tt.ca, tt.server
			before := s.sim.Logins() + s.sim.FailedLogins()
			_, err := connect(t, r).Snapshot(t.Context(), "gw")
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if tt.want != nil && s.sim.Logins()+s.sim.FailedLogins() != before {
				t.Error("a password was sent to an unknown router")
			}
		})
	}
}

func colons(pin string) string {
	digits := strings.ToLower(strings.TrimPrefix(pin, "sha256:"))
	return "sha256:" + strings.Join(slices.Collect(func(yield func(string) bool) {
		for pair := range slices.Chunk([]byte(digits), 2) {
			if !yield(string(pair)) {
				return
			}
		}
	}), ":")
}

// Ensure a certificate that changes under a running Fleet stops it.
func TestCertificate_Changed(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	if _, err := f.Snapshot(t.Context(), "gw"); err != nil {
		t.Fatal(err)
	}
	other, _, err := rossim.Certificate("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s.sim.SetCertificate(other)
	s.sim.Drop()
	if _, err := f.Snapshot(t.Context(), "gw"); !errors.Is(err, ros.ErrCertificate) {
		t.Errorf("got %v, want %v", err, ros.ErrCertificate)
	}
}

// Ensure nothing is set up that would go unverified.
func TestNew_Refuses(t *testing.T) {
	good := ros.Router{Name: "gw", Address: "192.0.2.1:8729", Fingerprint: "sha256:" + strings.Repeat("0a", 32)}
	tests := []struct {
		name string
		edit func(*ros.Router)
	}{
		{"no pin, no CA", func(r *ros.Router) { r.Fingerprint = "" }},
		{"short pin", func(r *ros.Router) { r.Fingerprint = "sha256:0a0b" }},
		{"pin of another kind", func(r *ros.Router) { r.Fingerprint = "sha1:" + strings.Repeat("0a", 20) }},
		{"plain", func(r *ros.Router) { r.Plain = true }},
		{"plain to a name", func(r *ros.Router) { r.Plain, r.Address = true, "localhost:8728" }},
		{"no name", func(r *ros.Router) { r.Name = "" }},
	}
	for _, tt := range tests {
		r := good
		tt.edit(&r)
		if f, err := ros.New(ros.Options{Routers: []ros.Router{r}}); err == nil {
			f.Close()
			t.Errorf("%s: got no error", tt.name)
		}
	}
	if _, err := ros.New(ros.Options{Routers: []ros.Router{good, good}}); err == nil {
		t.Error("name twice: got no error")
	}
}
