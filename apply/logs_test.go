package apply_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// window is what one router was asked for.
type window struct {
	state    change.State
	from, to time.Time
}

// Ensure both routers are asked for what they wrote down from the first write to the
// end, when that end is recorded, and that it is kept with the request, however the
// change ends, with no effect on it.
func TestEngine_Logs(t *testing.T) {
	for want, spoiled := range map[change.State]func(*change.Plan){change.Committed: nil, change.Reverted: spoil} {
		t.Run(string(want), func(t *testing.T) {
			play(t, everything(), func(w *world) {
				var mu sync.Mutex
				asked := map[string][]window{}
				w.reads = func(ctx context.Context, r change.Request, router string, from, to time.Time) change.RouterLog {
					stored, err := w.ledger.Request(ctx, r.ID)
					if err != nil {
						w.Error(err)
					}
					mu.Lock()
					asked[router] = append(asked[router], window{stored.State, from, to})
					mu.Unlock()
					return change.RouterLog{Router: router, Lines: []change.LogLine{{Message: "said by " + router}}}
				}
				id := w.plan("redo", vpn.PlanRedo, spoiled)
				w.start(&life{})
				r := w.wait(id, time.Hour)
				time.Sleep(time.Minute)
				w.stop()
				if r.State != want {
					w.Fatalf("ended %s, want %s", r.State, want)
				}
				journal, err := w.ledger.Journal(w.Context(), id)
				if err != nil {
					w.Fatal(err)
				}
				first, begun := change.FirstWrite(journal[:len(journal)-1])
				if !begun {
					w.Fatal("nothing was written")
				}
				for _, router := range names {
					if got := asked[router]; len(got) != 1 || got[0] != (window{want, first, r.Ended}) {
						w.Errorf("%s was asked %v, want once for %v to %v", router, got, first, r.Ended)
					}
				}
				logs := change.LogsOf(journal)
				if len(logs) != 2 || logs[0].Lines[0].Message != "said by gw-fengshan" || logs[1].Lines[0].Message != "said by gw-hq" {
					w.Errorf("kept %+v", logs)
				}
				w.ended(r, want)
			})
		})
	}
}
