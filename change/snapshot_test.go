package change_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

const secrets = "/ppp/secret"

func snapshot(rows ...schema.Row) change.Snapshot {
	return change.Snapshot{Router: "gw1", Menus: map[string][]schema.Row{secrets: rows}}
}

// Ensure a comparison names the first difference that means something, and is
// silent about ids, order, counters and spelling.
func TestObservation_Compare(t *testing.T) {
	a := schema.Row{".id": "*1", "name": "a", "service": "l2tp", "profile": "vpn", "disabled": "false"}
	b := schema.Row{".id": "*2", "name": "b", "service": "any"}
	c := schema.Row{".id": "*3", "name": "c"}
	with := func(r schema.Row, pairs ...string) schema.Row {
		r = r.Clone()
		for i := 0; i < len(pairs); i += 2 {
			r[pairs[i]] = pairs[i+1]
		}
		return r
	}
	for name, tc := range map[string]struct {
		now  []schema.Row
		want change.Moved
	}{
		"the same":        {now: []schema.Row{a, c}},
		"another order":   {now: []schema.Row{c, a}},
		"other ids":       {now: []schema.Row{with(a, ".id", "*9"), c}},
		"counter moved":   {now: []schema.Row{with(a, "last-logged-out", "now"), c}},
		"other spelling":  {now: []schema.Row{with(a, "disabled", "no"), c}},
		"field moved":     {now: []schema.Row{with(a, "profile", "x"), c}, want: change.Moved{Row: "a", Field: "profile", Was: "vpn", Is: "x"}},
		"field came":      {now: []schema.Row{a, with(c, "comment", "hi")}, want: change.Moved{Row: "c", Field: "comment", Is: "hi"}},
		"unknown came":    {now: []schema.Row{a, with(c, "brand-new", "1")}, want: change.Moved{Row: "c", Field: "brand-new", Is: "1"}},
		"row came":        {now: []schema.Row{a, b, c}, want: change.Moved{Row: "b"}},
		"row came last":   {now: []schema.Row{a, c, with(c, "name", "d")}, want: change.Moved{Row: "d"}},
		"row went":        {now: []schema.Row{c}, want: change.Moved{Row: "a"}},
		"last row went":   {now: []schema.Row{a}, want: change.Moved{Row: "c"}},
		"all rows went":   {want: change.Moved{Row: "a"}},
		"row was renamed": {now: []schema.Row{a, with(c, "name", "x")}, want: change.Moved{Row: "c"}},
		"row came twice":  {now: []schema.Row{a, a, c}, want: change.Moved{Row: "a"}},
	} {
		o := snapshot(a, c).Observe(change.Query{Menu: secrets})
		got, moved := o.Compare(snapshot(tc.now...))
		want := tc.want
		if want != (change.Moved{}) {
			want.Router, want.Menu = "gw1", secrets
		}
		if d := cmp.Diff(want, got); d != "" || moved != (want != change.Moved{}) {
			t.Errorf("%s (-want +got): %s", name, d)
		}
		// The digest and the comparison agree.
		now := snapshot(tc.now...).Observe(change.Query{Menu: secrets})
		same := change.StateDigest([]change.Observation{o}) == change.StateDigest([]change.Observation{now})
		if same == moved {
			t.Errorf("%s: digests equal %v, moved %v", name, same, moved)
		}
	}
}

// Ensure a query names rows by their attributes, compared as RouterOS means them,
// and that finding nothing is an observation.
func TestSnapshot_Observe(t *testing.T) {
	s := snapshot(
		schema.Row{"name": "a", "disabled": "yes", "password": "hunter2"},
		schema.Row{"name": "b", "disabled": "false"},
	)
	o := s.Observe(change.Query{Menu: secrets, Where: schema.Row{"disabled": "true"}})
	if want := []schema.Row{{"name": "a", "disabled": "true"}}; !cmp.Equal(o.Rows, want) {
		t.Errorf("got %v, want %v: a secret is never observed", o.Rows, want)
	}
	none := s.Observe(change.Query{Menu: secrets, Where: schema.Row{"name": "z"}})
	if none.Rows == nil || len(none.Rows) != 0 {
		t.Errorf("got %v, want no rows", none.Rows)
	}
	if m, moved := none.Compare(snapshot(schema.Row{"name": "z"})); !moved || m.Row != "z" {
		t.Errorf("got %+v, want z to have come", m)
	}
	if o := s.Observe(change.Query{Menu: "/no/such"}); len(o.Rows) != 0 {
		t.Errorf("got %v", o.Rows)
	}
}

// Ensure an ordered difference is none where order means nothing, even between
// rows with one key.
func TestObserve_Shuffled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.Custom(func(t *rapid.T) schema.Row {
			return schema.Row{
				"name":    rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"),
				"comment": rapid.SampledFrom([]string{"", "x", "\xbb\xf1"}).Draw(t, "comment"),
			}
		})
		rows := rapid.SliceOf(row).Draw(t, "rows")
		shuffled := append([]schema.Row(nil), rows...)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		q := change.Query{Menu: secrets}
		was, is := snapshot(rows...).Observe(q), snapshot(shuffled...).Observe(q)
		if m, moved := was.Compare(snapshot(shuffled...)); moved {
			t.Fatalf("got %+v between %v and %v", m, rows, shuffled)
		}
		if change.StateDigest([]change.Observation{was}) != change.StateDigest([]change.Observation{is}) {
			t.Fatal("digests differ")
		}
	})
}

// Ensure a plan keeps its digest, and an observation its rows, through storage:
// comments that are not UTF-8 included.
func TestPlan_Stored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		comment := text.Draw(t, "comment")
		now := snapshot(schema.Row{"name": "a", "comment": comment})
		p := plan()
		p.Seen = []change.Observation{now.Observe(change.Query{Menu: secrets})}
		p.State = change.StateDigest(p.Seen)
		p.Warnings = []change.Text{change.T("w", "comment", text.Draw(t, "warning"), "at", start, "n", 3, "who", change.PersonID("olga"))}
		want, err := p.Digest()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			b, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			p = change.Plan{}
			if err := json.Unmarshal(b, &p); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := p.Digest(); err != nil || got != want {
			t.Fatalf("got %s, %v after storage, want %s", got, err, want)
		}
		if m, moved := p.Seen[0].Compare(now); moved || change.StateDigest(p.Seen) != p.State {
			t.Fatalf("the stored observation differs from what it saw: %+v", m)
		}
	})
}

// Ensure every part of a plan is under its digest.
func TestPlan_Digest(t *testing.T) {
	base, err := plan().Digest()
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*change.Plan){
		"intent":     func(p *change.Plan) { p.Intent.Site = "x" },
		"definition": func(p *change.Plan) { p.Definition.Version++ },
		"routers":    func(p *change.Plan) { p.Routers = []string{"gw2"} },
		"seen":       func(p *change.Plan) { p.Seen = []change.Observation{{}} },
		"state":      func(p *change.Plan) { p.State = "x" },
		"step":       func(p *change.Plan) { p.Steps[0].After["service"] = "any" },
		"secret":     func(p *change.Plan) { p.Steps[0].Secrets["password"] = "other" },
		"mark":       func(p *change.Plan) { p.Steps[0].Marks["password"] = "other" },
		"reader":     func(p *change.Plan) { p.Reveal.Reader = "olga" },
		"summary":    func(p *change.Plan) { p.Summary = change.T("x") },
		"blast":      func(p *change.Plan) { p.Blast = []change.Text{change.T("x")} },
		"warning":    func(p *change.Plan) { p.Warnings = []change.Text{change.T("x")} },
	} {
		p := plan()
		edit(&p)
		if got, err := p.Digest(); err != nil || got == base {
			t.Errorf("%s is not under the digest (%v)", name, err)
		}
	}
	if again, err := plan().Digest(); err != nil || again != base {
		t.Errorf("one plan, two digests (%v)", err)
	}
}
