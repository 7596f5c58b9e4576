package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/store"
	"vpnbot/store/storetest"
)

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func notice(key string) change.Notice {
	return change.Notice{Key: key, Kind: change.NoticeCard, Audience: change.Audience{Channel: change.ChannelApprovals}, Request: key}
}

func outbox(t testing.TB, s *store.Store, limit int) []change.Waiting {
	t.Helper()
	out, err := s.Outbox(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func keys(waiting []change.Waiting) []string {
	var out []string
	for _, w := range waiting {
		out = append(out, w.Notice.Key)
	}
	return out
}

// Ensure notices wait in order, that one renewed keeps its place and the time
// since when it waits, and that only the generation that was sent is taken out.
func TestOutbox(t *testing.T) {
	s := storetest.Open(t)
	for _, key := range []string{"a", "b", "c"} {
		commit(t, s, change.Move{Notices: []change.Notice{notice(key)}}, nil)
	}
	first := outbox(t, s, 0)
	if got := keys(first); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Fatalf("got %v", got)
	}
	if got := keys(outbox(t, s, 2)); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("two of them: got %v", got)
	}
	renewed := notice("a")
	renewed.Number = 7
	commit(t, s, change.Move{Notices: []change.Notice{renewed}}, nil)
	again := outbox(t, s, 0)
	if got := keys(again); !slices.Equal(got, []string{"a", "b", "c"}) || again[0].Notice.Number != 7 || again[0].Generation == first[0].Generation {
		t.Errorf("after renewing: got %+v", again)
	}
	if !again[0].At.Equal(first[0].At) {
		t.Errorf("renewed, it waits since %v, want %v", again[0].At, first[0].At)
	}
	ref := change.MessageRef{Channel: "C1", TS: "1.2"}
	deliver := func(w change.Waiting) {
		t.Helper()
		commit(t, s, change.Move{Deliveries: []change.Delivery{{Key: w.Notice.Key, Generation: w.Generation, Message: ref}}}, nil)
	}
	deliver(first[0]) // what was sent is old: it stays, with its message known
	if got := keys(outbox(t, s, 0)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("after an old delivery: got %v", got)
	}
	if got, ok, err := s.Message(t.Context(), "a"); err != nil || !ok || got != ref {
		t.Errorf("got message %v, %v, %v", got, ok, err)
	}
	deliver(again[0])
	commit(t, s, change.Move{Deliveries: []change.Delivery{{Key: "b", Generation: again[1].Generation, Dropped: true}}}, nil)
	if got := keys(outbox(t, s, 0)); !slices.Equal(got, []string{"c"}) {
		t.Errorf("after deliveries: got %v", got)
	}
	if _, ok, err := s.Message(t.Context(), "b"); err != nil || ok {
		t.Errorf("a dropped notice has a message: %v, %v", ok, err)
	}
	// A notice that comes again is another one: the old delivery is not its own.
	commit(t, s, change.Move{Notices: []change.Notice{notice("a")}}, nil)
	deliver(again[0])
	if got := keys(outbox(t, s, 0)); !slices.Equal(got, []string{"c", "a"}) {
		t.Errorf("sent again: got %v", got)
	}
}

// Ensure a destroyed secret is gone for good and told apart from one that never
// was.
func TestSealed(t *testing.T) {
	s := storetest.Open(t)
	k := sealingKey(t)
	r := pending(t, s, "a")
	box, err := s.Sealed(t.Context(), "ref-a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(box); err != nil || got.Expose() != "hunter2-a" {
		t.Errorf("the stored secret does not open: %v", err)
	}
	m, err := r.Deny(start.Add(time.Hour), approver, "")
	commit(t, s, m, err)
	if _, err := s.Sealed(t.Context(), "ref-a"); !errors.Is(err, secret.ErrDestroyed) {
		t.Errorf("got %v, want ErrDestroyed", err)
	}
	if _, err := s.Sealed(t.Context(), "never"); !errors.Is(err, change.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := s.Commit(t.Context(), change.Move{Seal: []secret.Sealed{box}}); !errors.Is(err, store.ErrMove) {
		t.Errorf("sealed a destroyed name: got %v, want ErrMove", err)
	}
	again := events(1)
	again.Destroy = []secret.Ref{"ref-a", "never"}
	commit(t, s, again, nil)
}

// Ensure the versions of a definition follow each other and the latest is read.
func TestDefinitions(t *testing.T) {
	s := storetest.Open(t)
	def := func(name string, version int) change.Move {
		m := events(1)
		m.Definitions = []change.Definition{{
			DefinitionRef: change.DefinitionRef{Kind: "dialin", Name: name, Version: version},
			At:            start, By: "olga", Body: json.RawMessage(fmt.Sprintf(`{"v":%d}`, version)),
		}}
		return m
	}
	refused := func(m change.Move) {
		t.Helper()
		if _, err := s.Commit(t.Context(), m); !errors.Is(err, change.ErrConflict) {
			t.Errorf("version %d: got %v, want ErrConflict", m.Definitions[0].Version, err)
		}
	}
	refused(def("hq", 2))
	commit(t, s, def("hq", 1), nil)
	refused(def("hq", 1))
	refused(def("hq", 3))
	commit(t, s, def("hq", 2), nil)
	commit(t, s, def("hq-2", 1), nil) // a name that begins as another does
	two := def("lab", 1)
	two.Definitions = append(two.Definitions, def("lab", 2).Definitions...)
	commit(t, s, two, nil)
	d, err := s.Definition(t.Context(), "dialin", "hq")
	if err != nil || d.Version != 2 || string(d.Body) != `{"v":2}` {
		t.Errorf("got %+v, %v", d, err)
	}
	all, err := s.Definitions(t.Context())
	var got []string
	for _, d := range all {
		got = append(got, fmt.Sprint(d.Name, " ", d.Version))
	}
	if want := []string{"hq 2", "hq-2 1", "lab 2"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := s.Definition(t.Context(), "dialin", "none"); !errors.Is(err, change.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// Ensure a retired definition is found no more, its number goes on, and a later
// version brings it back.
func TestDefinitions_Retired(t *testing.T) {
	s := storetest.Open(t)
	version := func(n int, retired bool) {
		t.Helper()
		m := events(1)
		m.Definitions = []change.Definition{{
			DefinitionRef: change.DefinitionRef{Kind: "tunnel", Name: "hq-lab", Version: n}, At: start, By: "olga", Body: json.RawMessage(`{}`), Retired: retired,
		}}
		commit(t, s, m, nil)
	}
	holds := func(want int, there bool) {
		t.Helper()
		got, err := s.DefinitionVersion(t.Context(), "tunnel", "hq-lab")
		if err != nil || got != want {
			t.Errorf("got version %d, %v, want %d", got, err, want)
		}
		if _, err := s.Definition(t.Context(), "tunnel", "hq-lab"); errors.Is(err, change.ErrNotFound) == there {
			t.Errorf("version %d: got %v, want it there: %v", want, err, there)
		}
		if all, err := s.Definitions(t.Context()); err != nil || (len(all) > 0) != there {
			t.Errorf("version %d: got %v, %v, want it listed: %v", want, all, err, there)
		}
	}
	holds(0, false)
	version(1, false)
	holds(1, true)
	version(2, true)
	holds(2, false)
	version(3, false)
	holds(3, true)
	for n, retired := range map[int]bool{1: false, 2: true, 3: false} {
		d, err := s.DefinitionAt(t.Context(), change.DefinitionRef{Kind: "tunnel", Name: "hq-lab", Version: n})
		if err != nil || d.Version != n || d.Retired != retired {
			t.Errorf("version %d: got %+v, %v", n, d, err)
		}
	}
	if _, err := s.DefinitionAt(t.Context(), change.DefinitionRef{Kind: "tunnel", Name: "hq-lab", Version: 4}); !errors.Is(err, change.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// Ensure accounts are found by site, name and person.
func TestAccounts(t *testing.T) {
	s := storetest.Open(t)
	m := events(1)
	m.Accounts = []change.Account{
		{Site: "hq", Name: "b", Owner: "staff", Reader: "staff"},
		{Site: "hq", Name: "a", Owner: "guest", Reader: "olga"},
		{Site: "hq2", Name: "c", Owner: "staff", Reader: "staff"},
	}
	commit(t, s, m, nil)
	names := func(accounts []change.Account, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, a := range accounts {
			out = append(out, a.Site+"/"+a.Name)
		}
		return out
	}
	for want, got := range map[string][]string{
		"[hq/a hq/b]":       names(s.Accounts(t.Context(), "hq")),
		"[hq/a hq/b hq2/c]": names(s.Accounts(t.Context(), "")),
		"[hq/b hq2/c]":      names(s.AccountsOf(t.Context(), "staff")),
		"[hq/a]":            names(s.AccountsOf(t.Context(), "olga")),
		"[]":                names(s.AccountsOf(t.Context(), "anna")),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if _, err := s.Account(t.Context(), "hq", "c"); !errors.Is(err, change.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// Ensure a reveal is written from the version that was read, and leaves the open
// ones when it closes.
func TestReveals(t *testing.T) {
	s := storetest.Open(t)
	v := *applied(t, s, "a").Reveal
	reader := actor("staff", change.NoRole)
	once, err := v.Open(start.Add(time.Hour), reader)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, once, nil)
	if _, err := s.Commit(t.Context(), once); !errors.Is(err, change.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	open, err := s.Reveals(t.Context())
	if err != nil || len(open) != 1 || open[0].Counted() != 1 {
		t.Fatalf("got %+v, %v", open, err)
	}
	m, err := open[0].Close(open[0].Until)
	commit(t, s, m, err)
	if open, err := s.Reveals(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("got %+v, %v, want none open", open, err)
	}
	if v, err := s.Reveal(t.Context(), v.ID); err != nil || v.Closed.IsZero() || v.Version != 3 {
		t.Errorf("got %+v, %v", v, err)
	}
	if _, err := s.Sealed(t.Context(), "ref-a"); !errors.Is(err, secret.ErrDestroyed) {
		t.Errorf("got %v, want ErrDestroyed", err)
	}
}

// Ensure preferences and facts are kept under their names.
func TestPreferencesAndFacts(t *testing.T) {
	s := storetest.Open(t)
	for _, lang := range []string{"en", "zh-TW"} {
		commit(t, s, change.Move{
			Preferences: []change.Preference{{Person: "olga", Language: lang}},
			Facts:       []change.Fact{{Name: "config", Value: lang}},
		}, nil)
	}
	if p, err := s.Preference(t.Context(), "olga"); err != nil || p.Language != "zh-TW" {
		t.Errorf("got %+v, %v", p, err)
	}
	if f, err := s.Fact(t.Context(), "config"); err != nil || f != "zh-TW" {
		t.Errorf("got %q, %v", f, err)
	}
	if _, err := s.Preference(t.Context(), "anna"); !errors.Is(err, change.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := s.Fact(t.Context(), "none"); !errors.Is(err, change.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// Ensure requests are listed by state, from either end, up to a limit.
func TestRequests(t *testing.T) {
	s := storetest.Open(t)
	for i := range 4 {
		pending(t, s, fmt.Sprint("p", i))
		commit(t, s, draft(t, fmt.Sprint("d", i)), nil)
	}
	r, err := s.Request(t.Context(), "p1")
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Deny(start.Add(time.Hour), approver, "")
	commit(t, s, m, err)
	for _, c := range []struct {
		filter change.Filter
		want   []string
	}{
		{change.Filter{}, []string{"p0", "d0", "p1", "d1", "p2", "d2", "p3", "d3"}},
		{change.Filter{Newest: true, Limit: 3}, []string{"d3", "p3", "d2"}},
		{change.Filter{States: []change.State{change.Pending}}, []string{"p0", "p2", "p3"}},
		{change.Filter{States: []change.State{change.Pending}, Newest: true, Limit: 1}, []string{"p3"}},
		{change.Filter{States: []change.State{change.Denied}}, []string{"p1"}},
		{change.Filter{States: []change.State{change.Denied, change.Pending}}, []string{"p0", "p1", "p2", "p3"}},
		{change.Filter{States: []change.State{change.Draft}, Limit: 2}, []string{"d0", "d1"}},
		{change.Filter{States: []change.State{change.Approved}}, nil},
	} {
		list, err := s.Requests(t.Context(), c.filter)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range list {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.filter, got, c.want)
		}
	}
	if _, err := s.Request(t.Context(), "none"); !errors.Is(err, change.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// Ensure events are found by everything that a filter names.
func TestEvents(t *testing.T) {
	s := storetest.Open(t)
	var m change.Move
	for i := range 12 {
		m.Events = append(m.Events, change.Event{
			At: start.Add(time.Duration(i) * time.Hour), Kind: []change.EventKind{change.EventRefused, change.EventStarted}[i%2],
			Actor: change.PersonID([]string{"olga", "anna", "bert"}[i%3]), Request: int64(i / 4), Site: []string{"hq", "lab"}[i/6],
		})
	}
	commit(t, s, m, nil)
	for _, c := range []struct {
		filter change.EventFilter
		want   []uint64
	}{
		{change.EventFilter{}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{change.EventFilter{Newest: true, Limit: 3}, []uint64{12, 11, 10}},
		{change.EventFilter{After: 10}, []uint64{11, 12}},
		{change.EventFilter{After: 10, Newest: true}, []uint64{12, 11}},
		{change.EventFilter{After: 12}, nil},
		{change.EventFilter{Request: 2}, []uint64{9, 10, 11, 12}},
		{change.EventFilter{Request: 2, Newest: true, Limit: 1}, []uint64{12}},
		{change.EventFilter{Request: 1, After: 6}, []uint64{7, 8}},
		{change.EventFilter{Actor: "bert"}, []uint64{3, 6, 9, 12}},
		{change.EventFilter{Site: "lab", Kinds: []change.EventKind{change.EventStarted}}, []uint64{8, 10, 12}},
		{change.EventFilter{Since: start.Add(9 * time.Hour)}, []uint64{10, 11, 12}},
		{change.EventFilter{Request: 99}, nil},
	} {
		list, err := s.Events(t.Context(), c.filter)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, r := range list {
			got = append(got, r.Seq)
			if d := cmp.Diff(m.Events[r.Seq-1], r.Event); d != "" {
				t.Errorf("event %d: %s", r.Seq, d)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.filter, got, c.want)
		}
	}
}

// Ensure checkpoints are kept, that the last is known, and that one which does
// not fit the trail is refused.
func TestCheckpoints(t *testing.T) {
	s := storetest.Open(t)
	if c, err := s.Checkpoint(t.Context()); err != nil || c.Size != 0 {
		t.Errorf("got %+v, %v, want none", c, err)
	}
	commit(t, s, events(3), nil)
	c := checkpoint(t, s)
	commit(t, s, events(3), nil)
	last := checkpoint(t, s)
	if c.Size != 3 || last.Size != 7 {
		t.Errorf("got sizes %d and %d, want 3 and 7", c.Size, last.Size)
	}
	if got, err := s.Checkpoint(t.Context()); err != nil || !cmp.Equal(got, last) {
		t.Errorf("got %+v, %v, want %+v", got, err, last)
	}
	if all, err := s.Checkpoints(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("got %d, %v, want 2", len(all), err)
	}
	other := storetest.Open(t)
	commit(t, other, events(9), nil)
	m := events(1)
	m.Checkpoint = &last
	if _, err := other.Commit(t.Context(), m); !errors.Is(err, store.ErrMove) {
		t.Errorf("another ledger's checkpoint: got %v, want ErrMove", err)
	}
	lying := last
	lying.Size = 3
	m.Checkpoint = &lying
	if _, err := s.Commit(t.Context(), m); !errors.Is(err, store.ErrMove) {
		t.Errorf("a checkpoint of another size: got %v, want ErrMove", err)
	}
}

// Ensure a ledger without a seed says that it cannot sign.
func TestSign_NoSigner(t *testing.T) {
	s, err := store.Open(t.TempDir()+"/ledger.db", store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(t.Context(), start); !errors.Is(err, store.ErrNoSigner) {
		t.Errorf("got %v, want ErrNoSigner", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
