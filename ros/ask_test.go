package ros_test

import (
	"errors"
	"testing"

	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// Ensure Ask shows rows and refusals as they come, and asks for no secret.
func TestSim_Ask(t *testing.T) {
	f, s := simulated(t, rossim.Options{})
	if _, err := s.sim.Add("/ppp/secret", schema.Row{"name": "a", "password": "x"}); err != nil {
		t.Fatal(err)
	}
	rows, err := f.Ask(t.Context(), "gw", "/ppp/secret", []string{"name", "nobody-has-this"})
	if err != nil || len(rows) != 1 || rows[0]["name"] != "a" {
		t.Errorf("got %v, %v, want one row", rows, err)
	}
	for path, kind := range map[string]ros.Kind{"/no/such/menu": ros.KindUnknownCommand, "/ppp/secret": ros.KindUnknownParameter} {
		_, err := f.Ask(t.Context(), "gw", path, []string{"name"}, "=nobody-has-this=x")
		if trap, ok := errors.AsType[*ros.TrapError](err); !ok || trap.Kind != kind {
			t.Errorf("%s: got %v, want a refusal of kind %d", path, err, kind)
		}
	}
	for _, tt := range []struct {
		path  string
		names []string
		words []string
	}{
		{"/ppp/secret", []string{"name", "password"}, nil},
		{"/ip/ipsec/key", []string{"private-key"}, nil},
		{"/system/history", []string{"action", "redo"}, nil},
		{"/ppp/secret", nil, nil},
		{"/ppp/secret", []string{"name"}, []string{"=.proplist=password"}},
		{"/ppp/secret", []string{"name"}, []string{"=proplist=password"}},
	} {
		if rows, err := f.Ask(t.Context(), "gw", tt.path, tt.names, tt.words...); !errors.Is(err, ros.ErrStep) {
			t.Errorf("%s %q: got %v, %v, want %v", tt.path, tt.names, rows, err, ros.ErrStep)
		}
	}
}
