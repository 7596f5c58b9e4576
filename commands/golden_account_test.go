package commands

import (
	"testing"
	"time"

	"vpnbot/change"
)

// Ensure the changes of an account's life read well, and say what the bot does not
// know.
func TestGolden_Accounts(t *testing.T) {
	w := newWorld(t)
	ctx, now := t.Context(), time.Now()
	var f film
	for _, line := range []string{
		"deluser bob --site hq", "disable bob --site hq", "enable carol --site hq", "passwd bob --site hq --for <@U0STAFF>",
		"passwd bob --site hq --for <@U0STAFF> --kick", "extend bob never --site hq", "kick bob --site hq",
	} {
		r, err := w.say("U0OLGA", line)
		if line == "extend bob never --site hq" {
			if err == nil {
				t.Error("an account that never ends is given no end, and that is called a change")
			}
			continue
		}
		f.add("/vpn "+line, w.must(r, err))
	}
	r := w.pending("vpn-01")
	r.Plan.Intent.Account.Expires = now
	for _, do := range []change.AccountAct{
		change.AccountRemove, change.AccountDisable, change.AccountEnable, change.AccountExtend, change.AccountKick, change.AccountExpire,
	} {
		r.Plan.Intent.Account.Do = do
		f.add("owner, "+string(do), accountNotice(r))
	}
	r = w.requested("disable bob --site hq --yes")
	f.add("card, pending", w.must(w.Card(ctx, r.ID)))
	w.must(w.Submit(ctx, w.as("U0AMIR"), ActionApprove, r.ID+" "+r.Digest, nil, newID()))
	r = w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Start(now) })
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Begin(now, r.Plan.Steps[0]) })
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Finish(now, r.Plan.Steps[0]) })
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Begin(now, r.Plan.Steps[1]) })
	f.add("card, its session not ended yet", w.must(w.Card(ctx, r.ID)))
	w.transition(r.ID, func(r change.Request) (change.Move, error) {
		return r.Attend(now, change.T("apply.attend.lives", "router", "gw-hq", "row", "bob"))
	})
	f.add("card, its session does not end", w.must(w.Card(ctx, r.ID)))
	w.golden("accounts", f.names, f.replies...)
}

// requested submits a line by Olga and returns its request.
func (w *world) requested(line string) change.Request {
	w.t.Helper()
	w.must(w.say("U0OLGA", line))
	list, err := w.store.Requests(w.t.Context(), change.Filter{States: []change.State{change.Pending}, Newest: true, Limit: 1})
	if err != nil || len(list) == 0 {
		w.t.Fatal(err)
	}
	return list[0]
}
