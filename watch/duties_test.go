package watch_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/store"
	"vpnbot/watch"
)

// seldom has a Watch look rarely, where days pass.
func seldom(o *watch.Options) { o.Round, o.Poll = time.Minute, time.Hour }

// Ensure previews and requests end when their time is over, and not before.
func TestWatch_Expire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newLAN("gw1"), seldom)
		draft, pending := w.draft("vpn-01"), w.pending("vpn-02")
		pass(change.DraftLife - time.Minute)
		if got := w.state(draft); got != change.Draft {
			t.Errorf("got %q before its time, want a draft", got)
		}
		pass(2 * time.Minute)
		if got := w.state(draft); got != change.Discarded {
			t.Errorf("got %q, want the draft discarded", got)
		}
		pass(change.PendingLife - change.DraftLife - 2*time.Minute)
		if got := w.state(pending); got != change.Pending {
			t.Errorf("got %q before its time, want pending", got)
		}
		pass(2 * time.Minute)
		if got := w.state(pending); got != change.Expired {
			t.Errorf("got %q, want expired", got)
		}
	})
}

// Ensure approvers are reminded of what waits, once an hour, and no more when it
// has ended.
func TestWatch_Remind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newLAN("gw1"), seldom)
		r := w.pending("vpn-01")
		for hour := range 3 {
			pass(change.ReminderPause + time.Minute)
			if got := w.count(change.EventReminded); got != hour+1 {
				t.Errorf("got %d reminders after %d hours, want %d", got, hour+1, hour+1)
			}
		}
		r, err := w.ledger.Request(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.commit(r.Cancel(time.Now(), actor("olga", change.Operator), ""))
		pass(6 * change.ReminderPause)
		if got := w.count(change.EventReminded); got != 3 {
			t.Errorf("got %d reminders, want none after the end", got)
		}
	})
}

// Ensure the window of credentials closes after three working days, that the
// password is then gone, and that an opening shortens the window.
func TestWatch_CloseReveals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newLAN("gw1"), seldom)
		unopened, opened := w.unproven("vpn-01"), w.unproven("vpn-02")
		v, err := w.ledger.Reveal(t.Context(), "reveal-"+opened.ID)
		if err != nil {
			t.Fatal(err)
		}
		m, err := v.Open(time.Now(), actor("staff", change.NoRole))
		if err == nil {
			_, err = w.ledger.Commit(t.Context(), m)
		}
		if err != nil {
			t.Fatal(err)
		}
		closed := func(r change.Request) bool {
			v, err := w.ledger.Reveal(t.Context(), "reveal-"+r.ID)
			if errors.Is(err, change.ErrNotFound) {
				return true
			}
			if err != nil {
				t.Fatal(err)
			}
			return !v.Closed.IsZero()
		}
		pass(change.OpenedWindow + 2*time.Minute)
		if !closed(opened) || closed(unopened) {
			t.Errorf("got closed %v and %v, want the opened one closed", closed(opened), closed(unopened))
		}
		// The bubble begins on a Saturday: the weekend does not count.
		w.stop()
		pass(2*24*time.Hour + change.UnopenedWindow - change.OpenedWindow - 10*time.Minute)
		w.start()
		pass(7 * time.Minute)
		if closed(unopened) {
			t.Error("closed before its time")
		}
		pass(3 * time.Minute)
		if !closed(unopened) {
			t.Error("still open after three working days")
		}
		if _, err := w.ledger.Sealed(t.Context(), unopened.Plan.Reveal.Password); err == nil {
			t.Error("the password is still there")
		}
	})
}

// Ensure every end of a change is signed: the proof too, and an end that was
// committed while a checkpoint with a later time was being signed.
func TestWatch_CheckpointEveryEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var meanwhile func()
		l := newLAN("gw1")
		w := newWorld(t, l, func(o *watch.Options) {
			o.Round = time.Minute
			o.Notary = notary{o.Ledger.(*store.Store), func() {
				mu.Lock()
				do := meanwhile
				meanwhile = nil
				mu.Unlock()
				if do != nil {
					do()
				}
			}}
		})
		pass(time.Second)
		first := w.count(change.EventCheckpoint)
		mu.Lock()
		meanwhile = func() { w.unproven("vpn-02") }
		mu.Unlock()
		w.unproven("vpn-01")
		pass(3 * time.Minute)
		if got := w.count(change.EventCheckpoint) - first; got != 2 {
			t.Errorf("got %d checkpoints after two ends, want 2", got)
		}
		l.connect("gw1", "vpn-01")
		pass(3 * time.Minute)
		if got := w.count(change.EventCheckpoint) - first; w.count(change.EventProven) != 1 || got != 3 {
			t.Errorf("got %d checkpoints after a proof, want 3", got)
		}
		for i, kind := range []change.EventKind{change.EventCommitted, change.EventReverted} {
			e := change.Event{At: time.Now(), Kind: kind, Actor: change.SystemPerson}
			if _, err := w.ledger.Commit(t.Context(), change.Move{Events: []change.Event{e}}); err != nil {
				t.Fatal(err)
			}
			pass(3 * time.Minute)
			if got := w.count(change.EventCheckpoint) - first; got != 4+i {
				t.Errorf("got %d checkpoints after %s, want %d", got, kind, 4+i)
			}
		}
	})
}

// notary signs, and lets something happen before the checkpoint is stored.
type notary struct {
	*store.Store
	meanwhile func()
}

func (n notary) Sign(ctx context.Context, now time.Time) (change.Checkpoint, error) {
	c, err := n.Store.Sign(ctx, now)
	n.meanwhile()
	return c, err
}

// Ensure the trail is signed after a change that ended and once a day, and that
// the witness gets each checkpoint even when it was away.
func TestWatch_Checkpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		away := false
		var witnessed []uint64
		leave := func(yes bool) {
			mu.Lock()
			defer mu.Unlock()
			away = yes
		}
		w := newWorld(t, newLAN("gw1"), seldom, func(o *watch.Options) {
			o.Witness = func(_ context.Context, c change.Checkpoint) error {
				mu.Lock()
				defer mu.Unlock()
				if away {
					return errors.New("away")
				}
				witnessed = append(witnessed, c.Size)
				return nil
			}
		})
		pass(time.Second)
		first := w.count(change.EventCheckpoint)
		w.unproven("vpn-01")
		pass(2 * time.Minute)
		if got := w.count(change.EventCheckpoint) - first; got != 1 {
			t.Errorf("got %d checkpoints after a change, want 1", got)
		}
		leave(true)
		seen := len(witnessed)
		pass(3*24*time.Hour + time.Hour)
		if got := w.count(change.EventCheckpoint) - first; got != 4 {
			t.Errorf("got %d checkpoints after three quiet days, want 4", got)
		}
		if len(witnessed) != seen {
			t.Fatal("a witness that is away took a checkpoint")
		}
		leave(false)
		pass(2 * time.Minute)
		last, err := w.ledger.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(witnessed) != seen+1 || witnessed[seen] != last.Size {
			t.Errorf("got %v, want the last checkpoint, %d, handed over once", witnessed, last.Size)
		}
	})
}

// Ensure a bot that was away makes up for everything that fell due meanwhile.
func TestWatch_Restart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newLAN("gw1"), seldom)
		draft, pending, account := w.draft("vpn-01"), w.pending("vpn-02"), w.unproven("vpn-03")
		w.stop()
		pass(6 * 24 * time.Hour)
		w.lan.connect("gw1", "vpn-03")
		if got := w.state(draft); got != change.Draft {
			t.Fatalf("got %q while nobody works, want a draft", got)
		}
		w.start()
		if got := w.state(draft); got != change.Discarded {
			t.Errorf("got %q, want discarded", got)
		}
		if got := w.state(pending); got != change.Expired {
			t.Errorf("got %q, want expired", got)
		}
		if got := w.state(account); got != change.Proven {
			t.Errorf("got %q, want proven", got)
		}
		if got := w.count(change.EventRevealClosed); got != 1 {
			t.Errorf("got %d windows closed, want 1", got)
		}
	})
}
