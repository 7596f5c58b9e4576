package schema

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ensure the table is in order, each menu's key and comment are attributes, and
// every default is in canonical form.
func TestMenus(t *testing.T) {
	if !slices.IsSorted(Paths()) || len(slices.Compact(Paths())) != len(menus) {
		t.Errorf("paths are not in order or not unique: %v", Paths())
	}
	for _, path := range Paths() {
		m, ok := Lookup(path)
		if !ok || m.Path != path {
			t.Errorf("Lookup(%s) = %s, %v", path, m.Path, ok)
		}
		seen := map[string]bool{}
		for _, a := range m.Attrs {
			if seen[a.Name] || a.Name == "" || a.Name == ID {
				t.Errorf("%s: attribute %q twice or misplaced", path, a.Name)
			}
			seen[a.Name] = true
			if a.Canonical(a.Default) != a.Default {
				t.Errorf("%s %s: default %q is not canonical", path, a.Name, a.Default)
			}
			if a.Default != "" && len(a.Values) > 0 && a.Kind == Enum && !slices.Contains(a.Values, a.Default) {
				t.Errorf("%s %s: default %q is no value", path, a.Name, a.Default)
			}
			if a.ReadOnly && a.Default != "" {
				t.Errorf("%s %s: read-only with a default", path, a.Name)
			}
		}
		for _, k := range m.Key {
			if !seen[k] {
				t.Errorf("%s: key %s is no attribute", path, k)
			}
		}
		if m.Comment && !seen["comment"] {
			t.Errorf("%s: carries comments but has no such attribute", path)
		}
		if m.Singleton == (len(m.Key) > 0) {
			t.Errorf("%s: singleton %v with key %v", path, m.Singleton, m.Key)
		}
	}
	for _, path := range []string{"", "/", "/ppp", "/ppp/secret/", "/zzz"} {
		if _, ok := Lookup(path); ok {
			t.Errorf("Lookup(%q) found a menu", path)
		}
	}
}

// Ensure no proplist asks for a secret, and every other attribute is asked for.
func TestMenu_Proplist(t *testing.T) {
	for _, path := range Paths() {
		m, _ := Lookup(path)
		props := m.Proplist()
		for _, secret := range m.Secrets() {
			if slices.Contains(props, secret) {
				t.Errorf("%s asks for %s", path, secret)
			}
		}
		want := len(m.Attrs) - len(m.Secrets())
		if !m.Singleton {
			want++
		}
		if len(props) != want || (props[0] == ID) == m.Singleton {
			t.Errorf("%s: proplist %v", path, props)
		}
	}
	secret, _ := Lookup("/ppp/secret")
	server, _ := Lookup("/interface/l2tp-server/server")
	if diff := cmp.Diff([][]string{{"password"}, {"ipsec-secret"}}, [][]string{secret.Secrets(), server.Secrets()}); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}

// Ensure the stable part of a row leaves out ids, secrets and what moves by
// itself, and does not depend on spelling.
func TestMenu_Stable(t *testing.T) {
	m, _ := Lookup("/ppp/secret")
	a := m.Stable(Row{
		ID: "*1", "name": "alice", "disabled": "no", "password": "planted", "last-logged-out": "2026-01-01 00:00:00",
		".about": "x", "future": "kept", "limit-bytes-in": "00",
	})
	b := m.Stable(Row{ID: "*2", "name": "alice", "disabled": "false", "last-caller-id": "192.0.2.1", "future": "kept", "limit-bytes-in": "0"})
	want := Row{"name": "alice", "disabled": "false", "future": "kept", "limit-bytes-in": "0"}
	if diff := cmp.Diff(map[string]string(want), map[string]string(a)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string(a), map[string]string(b)); diff != "" {
		t.Errorf("same row in other words (-first +second):\n%s", diff)
	}
	if got := m.Stable(Row{"comment": "\xa4\xa4"})["comment"]; got != "0xa4a4" {
		t.Errorf("bytes that are no UTF-8 = %q", got)
	}
}

// Ensure comparison follows the attribute's kind, and unknown attributes are
// compared byte by byte.
func TestMenu_Same(t *testing.T) {
	m, _ := Lookup("/interface/l2tp-server/server")
	for _, tt := range []struct {
		attr, a, b string
		want       bool
	}{
		{"enabled", "yes", "true", true},
		{"enabled", "yes", "no", false},
		{"authentication", "mschap2,pap", "pap,mschap2", true},
		{"max-mtu", "1450", "01450", true},
		{"default-profile", "Default", "default", false},
		{"future", "yes", "true", false},
	} {
		if got := m.Same(tt.attr, tt.a, tt.b); got != tt.want {
			t.Errorf("%s: %q same as %q = %v, want %v", tt.attr, tt.a, tt.b, got, tt.want)
		}
	}
}

// Ensure a row is named by its key and a copy shares nothing.
func TestRow(t *testing.T) {
	m, _ := Lookup("/ip/address")
	row := Row{"address": "10.0.0.1/24", "interface": "lan"}
	if got := m.KeyOf(row); got != "10.0.0.1/24/lan" {
		t.Errorf("key = %q", got)
	}
	cp := row.Clone()
	cp["interface"] = "wan"
	if row["interface"] != "lan" {
		t.Error("the copy is the row")
	}
	if got := row.Names(); !slices.Equal(got, []string{"address", "interface"}) {
		t.Errorf("names = %v", got)
	}
}

// Ensure the allow-list lets adduser's writes through and nothing else.
func TestAllowed(t *testing.T) {
	for _, tt := range []struct {
		path   string
		action Action
		attrs  []string
		ok     bool
	}{
		{"/ppp/secret", Add, []string{"name", "password", "service", "profile", "remote-address", "comment"}, true},
		{"/ppp/secret", Remove, nil, true},
		{"/ppp/secret", Remove, []string{"name"}, false},
		{"/ppp/secret", Add, []string{"name", "routes", "disabled"}, true},
		{"/ppp/secret", Add, []string{"name", "last-caller-id"}, false},
		{"/ppp/secret", Change, []string{"password", "comment"}, true},
		{"/ppp/secret", Change, []string{"remote-address"}, false},
		{"/ppp/secret", Disable, nil, true},
		{"/ppp/active", Remove, nil, true},
		{"/ppp/active", Add, []string{"name"}, false},
		{"/interface/l2tp-server", Remove, nil, false},
		{"/ppp/secret", "unset", nil, false},
		{"/ppp/secret/", Add, nil, false},
		{"/ppp/profile", Change, []string{"on-up"}, false},
		{"/interface/l2tp-server/server", Change, []string{"ipsec-secret"}, true},
		{"/interface/l2tp-server/server", Remove, nil, false},
		{"/ip/firewall/filter", Add, []string{"chain", "in-interface"}, false},
		{"/user", Add, []string{"name"}, false},
		{"", "", nil, false},
	} {
		err := Allowed(tt.path, tt.action, tt.attrs)
		if (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrNotAllowed)) {
			t.Errorf("%s %s %v: %v", tt.path, tt.action, tt.attrs, err)
		}
	}
}

// Ensure the allow-list names only menus and attributes that exist and can be
// written.
func TestAllowed_Known(t *testing.T) {
	for path, actions := range allowed {
		m, ok := Lookup(path)
		if !ok {
			t.Errorf("%s is no menu", path)
		}
		for action, attrs := range actions {
			for _, name := range attrs {
				if a, ok := m.Attr(name); !ok || a.ReadOnly {
					t.Errorf("%s %s %s cannot be written", path, action, name)
				}
			}
		}
	}
}
