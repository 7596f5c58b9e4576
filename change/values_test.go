package change_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/change/secret"
)

// Ensure marks come and go and the bytes before them stay.
func TestMark(t *testing.T) {
	for _, c := range []struct{ comment, marked string }{
		{"", "[vpnbot 42.3]"},
		{"staff laptop", "staff laptop [vpnbot 42.3]"},
		{"staff laptop [vpnbot 7.1]", "staff laptop [vpnbot 42.3]"},
		{"[vpnbot 7.1]", "[vpnbot 42.3]"},
		{"[vpnbot 7.1] kept", "[vpnbot 7.1] kept [vpnbot 42.3]"},
		{"x[vpnbot 7.1]", "x[vpnbot 7.1] [vpnbot 42.3]"},
		{"[vpnbot 7]", "[vpnbot 7] [vpnbot 42.3]"},
		{"two lines [vpnbot 7.1]\n", "two lines [vpnbot 7.1]\n [vpnbot 42.3]"},
		{"\xbb\xf1\xa4s", "\xbb\xf1\xa4s [vpnbot 42.3]"},
	} {
		if got := change.Mark(c.comment, 42, 3); got != c.marked {
			t.Errorf("%q: got %q, want %q", c.comment, got, c.marked)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		comment := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }).Draw(t, "comment")
		n, step := rapid.Int64Min(1).Draw(t, "request"), rapid.IntMin(1).Draw(t, "step")
		marked := change.Mark(comment, n, step)
		if !change.HasMark(marked, n, step) || change.HasMark(marked, n, step+1) {
			t.Fatalf("%q does not carry its mark", marked)
		}
		if change.Unmarked(marked) != change.Unmarked(comment) || !strings.HasPrefix(marked, change.Unmarked(comment)) {
			t.Fatalf("%q became %q", comment, marked)
		}
		if change.Mark(marked, n, step) != marked {
			t.Fatalf("marking %q again changed it", marked)
		}
	})
}

// Ensure a mark is found only where it ends the comment whole.
func TestHasMark(t *testing.T) {
	for comment, want := range map[string]bool{
		"[vpnbot 42.3]": true, "a [vpnbot 42.3]": true, "a[vpnbot 42.3]": false,
		"[vpnbot 42.3] a": false, "[vpnbot 142.3]": false, "[vpnbot 42.31]": false, "": false,
	} {
		if got := change.HasMark(comment, 42, 3); got != want {
			t.Errorf("%q: got %v, want %v", comment, got, want)
		}
	}
}

// Ensure roles include the ones before and sites limit them.
func TestPerson_May(t *testing.T) {
	p := change.Person{Role: change.Operator, Sites: []string{"hq"}}
	for _, c := range []struct {
		need change.Role
		site string
		want bool
	}{
		{change.Viewer, "hq", true},
		{change.Operator, "hq", true},
		{change.Approver, "hq", false},
		{change.Operator, "lab", false},
		{change.Operator, "", true},
		{change.NoRole, "hq", true},
	} {
		if got := p.May(c.need, c.site); got != c.want {
			t.Errorf("%v at %q: got %v, want %v", c.need, c.site, got, c.want)
		}
	}
	for r := change.NoRole; r <= change.Approver; r++ {
		got, err := change.ParseRole(r.String())
		if (r == change.NoRole) != (err != nil) || got != r {
			t.Errorf("%v: got %v, %v", r, got, err)
		}
	}
	if got := change.Role(200).String(); got != "role 200" {
		t.Errorf("got %q", got)
	}
}

// Ensure a Slack user without an entry has a name that leads back to it.
func TestPersonID_Slack(t *testing.T) {
	id := change.SlackID{Team: "T1", User: "U2"}
	if got, ok := change.Unlisted(id).Slack(); !ok || got != id {
		t.Errorf("got %v, %v, want %v", got, ok, id)
	}
	for _, p := range []change.PersonID{"olga", "", "slack:", "slack:T1", change.SystemPerson} {
		if got, ok := p.Slack(); ok {
			t.Errorf("%q: got %v", p, got)
		}
	}
}

// Ensure a text holds its arguments by kind.
func TestT(t *testing.T) {
	at := time.Date(2026, 3, 2, 17, 0, 0, 0, time.FixedZone("", 8*3600))
	got := change.T("id", "s", "x", "i", 3, "d", 2*time.Minute, "p", change.PersonID("olga"), "st", change.Pending, "t", at, "x", change.T("in"), "odd")
	two, three, utc := int64(120), int64(3), at.UTC()
	in, state := change.T("in"), change.T("state.pending")
	want := change.Text{ID: "id", Args: map[string]change.Value{
		"s": {Str: "x"}, "i": {Num: &three}, "d": {Num: &two}, "p": {Person: "olga"},
		"st": {Text: &state}, "t": {Time: &utc}, "x": {Text: &in},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got): %s", d)
	}
	if !(change.Text{}).IsZero() || got.IsZero() {
		t.Error("IsZero does not tell")
	}
}

// Ensure And keeps the first move's request and reveal and joins the rest.
func TestMove_And(t *testing.T) {
	r := request(t, change.Pending)
	v, other := granted(t), granted(t)
	extra := change.Move{
		Events: []change.Event{{Kind: "x"}}, Journal: []change.Entry{{}}, Notices: []change.Notice{{}},
		Seal: []secret.Sealed{{}}, Destroy: []secret.Ref{"x"}, Inbox: []change.Inbound{{}}, Done: []string{"k"},
		Accounts: []change.Account{{}}, Definitions: []change.Definition{{}}, Preferences: []change.Preference{{}},
		Deliveries: []change.Delivery{{}}, Facts: []change.Fact{{}}, Reveal: &other, Checkpoint: &change.Checkpoint{Size: 1},
	}
	m := change.Move{Request: &r, Version: 3, Reveal: &v}.And(extra)
	if m.Request != &r || m.Reveal != &v || m.Version != 3 || m.Checkpoint.Size != 1 {
		t.Errorf("got %+v", m)
	}
	m.Request, m.Version, m.Reveal, extra.Reveal = nil, 0, nil, nil
	extra.Grants = []change.Reveal{other}
	if d := cmp.Diff(extra, m, cmp.AllowUnexported(secret.Sealed{})); d != "" {
		t.Errorf("(-want +got): %s", d)
	}
	if m := (change.Move{}).And(change.Move{Reveal: &other}); m.Reveal != &other {
		t.Error("a missing reveal was not taken")
	}
}
