package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/store"
	"vpnbot/store/storetest"
)

// Ensure a request's whole life is stored, with its number, versions and trail.
func TestCommit_Life(t *testing.T) {
	s := storetest.Open(t)
	rc := applied(t, s, "a")
	r := *rc.Request
	if r.Number != 1 || r.Version != 7 || r.State != change.Unproven {
		t.Fatalf("got #%d version %d %s, want #1 version 7 %s", r.Number, r.Version, r.State, change.Unproven)
	}
	byID, err := s.Request(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	byNumber, err := s.RequestByNumber(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(byID, byNumber); d != "" || byID.Version != 7 {
		t.Errorf("by ID and by number differ: %s", d)
	}
	journal, err := s.Journal(t.Context(), "a")
	if err != nil || len(journal) != 2 || journal[0].Mark != change.StepBegin || journal[1].Mark != change.StepDone {
		t.Errorf("got journal %v, %v", journal, err)
	}
	evs, err := s.Events(t.Context(), change.EventFilter{Request: 1})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []change.EventKind
	for _, e := range evs {
		kinds = append(kinds, e.Event.Kind)
	}
	want := []change.EventKind{
		change.EventSubmitted, change.EventApproved, change.EventApplying, change.EventStepBegin,
		change.EventStepDone, change.EventApplied, change.EventGranted,
	}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if evs[0].Event.Draft != "a" {
		t.Errorf("the submission names draft %q, want a", evs[0].Event.Draft)
	}
	if a, err := s.Account(t.Context(), "hq", "vpn-a"); err != nil || a.Number != 1 {
		t.Errorf("got account %+v, %v", a, err)
	}
	if v, err := s.Reveal(t.Context(), "reveal-a"); err != nil || v.Version != 1 || v.Number != 1 {
		t.Errorf("got reveal %+v, %v", v, err)
	}
}

// Ensure the second of two moves made from one version is refused whole.
func TestCommit_Conflict(t *testing.T) {
	s := storetest.Open(t)
	r := pending(t, s, "a")
	yes, err := r.Approve(start.Add(time.Hour), approver, r.Digest, "")
	if err != nil {
		t.Fatal(err)
	}
	no, err := r.Deny(start.Add(time.Hour), actor("bert", change.Approver), "no")
	if err != nil {
		t.Fatal(err)
	}
	no.Done = []string{"click"}
	commit(t, s, yes, nil)
	before, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), no); !errors.Is(err, change.ErrConflict) {
		t.Fatalf("got %v, want ErrConflict", err)
	}
	after, err := s.Head(t.Context())
	if err != nil || after != before {
		t.Errorf("the refused move wrote events: %v, then %v (%v)", before, after, err)
	}
	if done, err := s.Done(t.Context(), "click"); err != nil || done {
		t.Errorf("the refused move answered its delivery: %v, %v", done, err)
	}
	if _, err := s.Sealed(t.Context(), "ref-a"); err != nil {
		t.Errorf("the refused move destroyed the secret: %v", err)
	}
}

// Ensure a delivery is answered once.
func TestCommit_Done(t *testing.T) {
	s := storetest.Open(t)
	in := change.Inbound{Key: "k1", At: start, Kind: "click", Body: []byte(`{}`)}
	if rc := commit(t, s, change.Move{Inbox: []change.Inbound{in}}, nil); !slices.Equal(rc.Stored, []string{"k1"}) {
		t.Errorf("got stored %v, want k1", rc.Stored)
	}
	if rc := commit(t, s, change.Move{Inbox: []change.Inbound{in}}, nil); rc.Stored != nil {
		t.Errorf("delivered again: got stored %v, want none", rc.Stored)
	}
	if box, err := s.Inbox(t.Context()); err != nil || len(box) != 1 {
		t.Errorf("got inbox %v, %v, want one", box, err)
	}
	m := events(1)
	m.Done = []string{"k1"}
	commit(t, s, m, nil)
	if _, err := s.Commit(t.Context(), m); !errors.Is(err, change.ErrDone) {
		t.Errorf("got %v, want ErrDone", err)
	}
	if rc := commit(t, s, change.Move{Inbox: []change.Inbound{in}}, nil); rc.Stored != nil {
		t.Errorf("delivered after the answer: got stored %v, want none", rc.Stored)
	}
	if box, err := s.Inbox(t.Context()); err != nil || len(box) != 0 {
		t.Errorf("got inbox %v, %v, want none", box, err)
	}
	if h, err := s.Head(t.Context()); err != nil || h.Size != 1 {
		t.Errorf("got head %+v, %v, want one event", h, err)
	}
}

// Ensure answered keys are kept for as long as was asked for, and then let go.
func TestCommit_DoneIsForgotten(t *testing.T) {
	const day = 24 * time.Hour
	for name, o := range map[string]store.Options{"30": {}, "3": {Answered: 3 * day}} {
		t.Run(name, func(t *testing.T) {
			days, err := strconv.Atoi(name)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				s, err := store.Open(filepath.Join(t.TempDir(), "ledger.db"), o)
				if err != nil {
					t.Fatal(err)
				}
				commit(t, s, change.Move{Done: []string{"old"}}, nil)
				for n := range days {
					if done, err := s.Done(t.Context(), "old"); err != nil || !done {
						t.Fatalf("day %d: got %v, %v, want kept", n, done, err)
					}
					time.Sleep(day)
					commit(t, s, change.Move{Done: []string{fmt.Sprint("day", n)}}, nil)
				}
				if done, err := s.Done(t.Context(), "old"); err != nil || done {
					t.Errorf("got %v, %v, want forgotten", done, err)
				}
				if done, err := s.Done(t.Context(), "day0"); err != nil || !done {
					t.Errorf("got %v, %v, want kept", done, err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Ensure moves that race share transactions and that one conflict undoes no
// other move.
func TestCommit_Many(t *testing.T) {
	s := storetest.Open(t)
	r := pending(t, s, "a")
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 200 {
		wg.Go(func() {
			if i%4 != 0 {
				if _, err := s.Commit(t.Context(), events(1)); err != nil {
					t.Errorf("committing: %v", err)
				}
				return
			}
			m, err := r.Approve(start.Add(time.Hour), actor(fmt.Sprint("p", i), change.Approver), r.Digest, "")
			if err != nil {
				t.Error(err)
				return
			}
			switch _, err := s.Commit(t.Context(), m); {
			case err == nil:
				mu.Lock()
				won++
				mu.Unlock()
			case !errors.Is(err, change.ErrConflict):
				t.Errorf("got %v, want ErrConflict", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d approvals won, want 1", won)
	}
	if h, err := s.Head(t.Context()); err != nil || h.Size != 2+150+1 {
		t.Errorf("got %d events, %v, want 153", h.Size, err)
	}
	st, err := s.Stats(t.Context())
	if err != nil || st.Moves != 2+150+1 || st.Refused != 49 || st.Batches > st.Moves {
		t.Errorf("got %+v, %v", st, err)
	}
}

// Ensure a move that no transition makes is refused and writes nothing.
func TestCommit_Invalid(t *testing.T) {
	s := storetest.Open(t)
	r := pending(t, s, "a")
	good, err := r.Approve(start.Add(time.Hour), approver, r.Digest, "")
	if err != nil {
		t.Fatal(err)
	}
	edit := func(f func(*change.Move)) change.Move {
		m := good
		req := *good.Request
		m.Request = &req
		m.Events = slices.Clone(good.Events)
		f(&m)
		return m
	}
	denied, err := r.Deny(start.Add(time.Hour), approver, "no")
	if err != nil {
		t.Fatal(err)
	}
	denied.Destroy = nil
	cases := map[string]change.Move{
		"keeps its secret":    denied,
		"no event":            edit(func(m *change.Move) { m.Events = nil }),
		"event of another":    edit(func(m *change.Move) { m.Events[0].Request = 7 }),
		"event elsewhere":     edit(func(m *change.Move) { m.Events[0].To = change.Denied }),
		"state is not To":     edit(func(m *change.Move) { m.To = change.Denied }),
		"unknown state":       edit(func(m *change.Move) { m.To, m.Request.State, m.Events[0].To = "done", "done", "done" }),
		"unknown from":        edit(func(m *change.Move) { m.From, m.Events[0].From = "limbo", "limbo" }),
		"other from":          edit(func(m *change.Move) { m.From, m.Events[0].From = change.Draft, change.Draft }),
		"no from":             edit(func(m *change.Move) { m.From, m.Events[0].From = "", "" }),
		"other digest":        edit(func(m *change.Move) { m.Request.Digest = "00" }),
		"other requester":     edit(func(m *change.Move) { m.Request.Requester = "anna" }),
		"no ID":               edit(func(m *change.Move) { m.Request.ID = "" }),
		"NUL in ID":           edit(func(m *change.Move) { m.Request.ID = "a\x00b" }),
		"version, no request": {Version: 3},
		"event without kind":  {Events: []change.Event{{At: start, Actor: "olga"}}},
		"event without time":  {Events: []change.Event{{Kind: change.EventRefused, Actor: "olga"}}},
		"event without actor": {Events: []change.Event{{Kind: change.EventRefused, At: start}}},
		"silent account":      {Accounts: []change.Account{{Site: "hq", Name: "x"}}},
		"silent destruction":  {Destroy: []secret.Ref{"ref-a"}},
		"notice to nobody":    {Notices: []change.Notice{{Key: "k", Kind: change.NoticeCard}}},
		"notice to two": {Notices: []change.Notice{{
			Key: "k", Kind: change.NoticeCard, Audience: change.Audience{Channel: "c", Person: "p"},
		}}},
		"done twice":    {Done: []string{"k", "k"}},
		"done nothing":  {Done: []string{""}},
		"sealed again":  {Seal: []secret.Sealed{{Ref: "ref-a"}}},
		"sealed twice":  {Seal: []secret.Sealed{{Ref: "x"}, {Ref: "x"}}},
		"no checkpoint": {Checkpoint: &change.Checkpoint{Size: 1, Note: []byte("x")}},
	}
	before, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range cases {
		if _, err := s.Commit(t.Context(), m); !errors.Is(err, store.ErrMove) {
			t.Errorf("%s: got %v, want ErrMove", name, err)
		}
	}
	if after, err := s.Head(t.Context()); err != nil || after != before {
		t.Errorf("got head %v, %v, want %v", after, err, before)
	}
	commit(t, s, good, nil)
}

// Ensure a request that has ended never moves again (I5).
func TestCommit_Ended(t *testing.T) {
	s := storetest.Open(t)
	r := pending(t, s, "a")
	m, err := r.Deny(start.Add(time.Hour), approver, "")
	r = *commit(t, s, m, err).Request
	forged := r
	forged.State = change.Pending
	m, err = forged.Approve(start.Add(time.Hour), approver, r.Digest, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Commit(t.Context(), m)
	if se, ok := errors.AsType[*change.StateError](err); !ok || se.Have != change.Denied {
		t.Errorf("got %v, want a StateError of %s", err, change.Denied)
	}
}

// Ensure only requests that become pending get numbers, without gaps.
func TestCommit_Numbers(t *testing.T) {
	s := storetest.Open(t)
	for i := range 3 {
		discarded := *commit(t, s, draft(t, fmt.Sprint("d", i)), nil).Request
		m, err := discarded.Discard(start, operator)
		if rc := commit(t, s, m, err); rc.Request.Number != 0 {
			t.Errorf("a discarded draft got #%d", rc.Request.Number)
		}
		if r := pending(t, s, fmt.Sprint("p", i)); r.Number != int64(i+1) {
			t.Errorf("got #%d, want #%d", r.Number, i+1)
		}
	}
	if _, err := s.RequestByNumber(t.Context(), 4); !errors.Is(err, change.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// Ensure listeners hear of commits, and one that does not listen holds up nobody.
func TestChanged(t *testing.T) {
	s := storetest.Open(t)
	c, stop := s.Changed()
	deaf, _ := s.Changed()
	for range 3 {
		commit(t, s, events(1), nil)
		<-c
	}
	if len(deaf) != 1 {
		t.Errorf("got %d signals waiting, want 1", len(deaf))
	}
	stop()
	commit(t, s, events(1), nil)
	select {
	case <-c:
		t.Error("a signal came after the end")
	default:
	}
}

// Ensure a closed ledger says so, and closing twice is one closing.
func TestClose(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "l.db"), store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				if _, err := s.Commit(t.Context(), events(1)); err != nil {
					if !errors.Is(err, store.ErrClosed) {
						t.Errorf("got %v, want ErrClosed", err)
					}
					return
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := s.Head(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}
