package rossim

import (
	"strings"
	"testing"

	"vpnbot/ros/schema"
)

// team makes the two accounts that a bot uses and one that sees secrets.
func team(t testing.TB, r *Router) {
	t.Helper()
	for name, policy := range map[string]string{
		"ro": "api,read,test", "rw": "api,read,write,test", "see": "api,read,sensitive", "none": "read,write,winbox", "blind": "api",
	} {
		add(t, r, "/user/group", schema.Row{"name": name, "policy": policy})
		add(t, r, "/user", schema.Row{"name": name, "group": name, "password": "pw"})
	}
}

const noRights = "!trap =message=not enough permissions (9)"

// Ensure each command needs its policy.
func TestPolicies(t *testing.T) {
	r := router(t, Options{})
	team(t, r)
	add(t, r, "/ppp/secret", schema.Row{"name": "alice"})
	for _, tt := range []struct {
		user, line string
		ok         bool
	}{
		{"ro", "/ppp/secret/print", true},
		{"ro", "/ppp/secret/add =name=x", false},
		{"ro", "/ppp/secret/set =.id=alice =comment=x", false},
		{"ro", "/ppp/secret/remove =.id=alice", false},
		{"ro", "/log/info =message=x", false},
		{"ro", "/system/reboot", false},
		{"rw", "/ppp/secret/set =.id=alice =comment=x", true},
		{"rw", "/system/identity/set =name=x", true},
		{"rw", "/user/set =.id=rw =group=full", false},
		{"rw", "/user/group/set =.id=rw =policy=policy", false},
		{"rw", "/user/print", true},
		{"blind", "/ppp/secret/print", false},
		{"blind", "/ppp/secret/listen", false},
	} {
		c := user(t, r, tt.user, "pw")
		got := c.ask(tt.line)
		if denied := got[0] == noRights; denied == tt.ok {
			t.Errorf("%s: %s: %q", tt.user, tt.line, got)
		}
	}
	c := dial(t, listening(t, r))
	c.want("/login =name=none =password=pw", "!trap =message=invalid user name or password (6)", "!done")
}

// Ensure a change of group takes effect with the next login.
func TestPolicies_NextLogin(t *testing.T) {
	r := router(t, Options{})
	team(t, r)
	c := user(t, r, "rw", "pw")
	if err := r.Set("/user/group", "rw", schema.Row{"policy": "!write"}); err != nil {
		t.Fatal(err)
	}
	c.want("/ppp/secret/add =name=a", "!done =ret=*1")
	c.want("/login =name=rw =password=pw", "!done")
	c.want("/ppp/secret/add =name=b", noRights, "!done")
}

// Ensure a group's policy is answered whole: granted tokens, then the rest
// negated; add starts from nothing, set adds and takes away.
func TestGroupPolicy(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/user/group/add =name=g =policy=api,read", "!done =ret=*4")
	policy := func(want string) {
		t.Helper()
		got := strings.Split(r.Rows("/user/group")[3]["policy"], ",")
		if len(got) != len(r.prof.policies) {
			t.Errorf("policy = %q", got)
		}
		var granted []string
		for _, tok := range got {
			if !strings.HasPrefix(tok, "!") {
				granted = append(granted, tok)
			}
		}
		same(t, "granted", strings.Join(granted, ","), want)
	}
	policy("read,api")
	c.want("/user/group/set =.id=g =policy=write,!api", "!done")
	policy("read,write")
	c.want("/user/group/set =.id=g =policy=fly", "!trap =category=1 =message=input does not match any value of policy", "!done")
	c.want("/user/group/remove =.id=full", "!trap =category=4 =message=failure: not allowed to remove", "!done")
}

// Ensure the last user with full rights stays.
func TestLastAdministrator(t *testing.T) {
	r := router(t, Options{})
	for _, err := range []error{
		r.Remove("/user", "admin"),
		r.Set("/user", "admin", schema.Row{"disabled": "yes"}),
		r.Set("/user", "admin", schema.Row{"group": "read"}),
	} {
		if err == nil {
			t.Error("the last administrator was lost")
		}
	}
	add(t, r, "/user", schema.Row{"name": "second", "group": "full"})
	if err := r.Remove("/user", "admin"); err != nil {
		t.Error(err)
	}
}

// Ensure secrets are shown to nobody without policy sensitive, and from 7.21 to
// nobody who does not ask; a query cannot guess them either.
func TestSecrets(t *testing.T) {
	for _, tt := range []struct {
		masks, user, args, want string
	}{
		{"auto", "ro", "", mask},
		{"auto", "ro", " =show-sensitive=", mask},
		{"auto", "see", "", mask},
		{"auto", "see", " =show-sensitive=", "planted"},
		{"auto", "see", " =show-sensitive=no", mask},
		{"yes", "see", "", mask},
		{"no", "see", "", "planted"},
		{"no", "ro", "", mask},
	} {
		r := router(t, Options{PrintMasks: tt.masks})
		team(t, r)
		add(t, r, "/ppp/secret", schema.Row{"name": "alice", "password": "planted"})
		c := user(t, r, tt.user, "pw")
		c.want("/ppp/secret/print =.proplist=password"+tt.args, "!re =password="+tt.want, "!done")
		guess := c.ask("/ppp/secret/print =count-only= ?password=planted" + tt.args)
		if want := map[bool]string{true: "!done =ret=1", false: "!done =ret=0"}[tt.want == "planted"]; guess[0] != want {
			t.Errorf("%+v: guessing the password counts %q, want %q", tt, guess, want)
		}
		if got := c.ask("/user/print =show-sensitive="); strings.Contains(strings.Join(got, " "), "password") {
			t.Errorf("a user's password was answered: %q", got)
		}
	}
	if _, err := New(Options{PrintMasks: "perhaps"}); err == nil {
		t.Error("PrintMasks perhaps was taken")
	}
}

// Ensure an address limit of user or service turns a client away.
func TestAddressLimits(t *testing.T) {
	r := router(t, Options{})
	add(t, r, "/user", schema.Row{"name": "far", "group": "read", "password": "pw", "address": "192.0.2.0/24"})
	addr := listening(t, r)
	c := dial(t, addr)
	c.want("/login =name=far =password=pw", "!trap =message=invalid user name or password (6)", "!done")
	if err := r.Set("/user", "far", schema.Row{"address": "192.0.2.0/24,127.0.0.0/8"}); err != nil {
		t.Fatal(err)
	}
	c.want("/login =name=far =password=pw", "!done")
	if err := r.Set("/ip/service", "api", schema.Row{"address": "192.0.2.0/24"}); err != nil {
		t.Fatal(err)
	}
	dial(t, addr).gone()
	if err := r.Set("/ip/service", "api", schema.Row{"address": "", "max-sessions": "1"}); err != nil {
		t.Fatal(err)
	}
	dial(t, addr).gone()
	c.want("/system/identity/print", "!re =name=MikroTik", "!done")
}

// Ensure sessions stand in /user/active and that removing one ends it.
func TestUserActive(t *testing.T) {
	r := router(t, Options{})
	addr := listening(t, r)
	c := dial(t, addr)
	c.want("/login =name=admin =password=", "!done")
	other := dial(t, addr)
	other.want("/login =name=admin =password=", "!done")
	other.want("/user/active/print =.proplist=.id,name,via,group", "!re =.id=*1 =name=admin =via=api =group=full", "!re =.id=*2 =name=admin =via=api =group=full", "!done")
	other.want("/user/active/remove =.id=*1", "!done")
	c.gone()
}
