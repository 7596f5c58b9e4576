package commands

import (
	"context"
	"fmt"
	"testing"

	"vpnbot/change"
	"vpnbot/commands/text"
	"vpnbot/ros"
	"vpnbot/store"
)

// Ensure every failure of a router or the ledger that a person can meet has a
// sentence and a hint, and that a router's failure names the router.
func TestExplain_Adapters(t *testing.T) {
	c, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		ros.ErrUnknownRouter, ros.ErrUnreachable, ros.ErrTimeout, ros.ErrCertificate, ros.ErrLogin, ros.ErrProtocol, ros.ErrClosed,
		ros.ErrPermission, ros.ErrFlagged, ros.ErrNoRow, ros.ErrManyRows, ros.ErrRowExists, ros.ErrUnknownOutcome, ros.ErrStep,
		&ros.TrapError{Kind: ros.KindValue, Message: "input does not match"}, &ros.TrapError{Kind: ros.KindPermission, Message: "no"},
		store.ErrLocked, store.ErrNewer, store.ErrDamaged, store.ErrClosed, store.ErrReadOnly, store.ErrFull,
	} {
		sentence, hint, known := text.Explain(&routerError{"gw1", fmt.Errorf("reading gw1: %w", err)})
		why := sentence.Args["why"].Text
		if !known || sentence.Args["router"].Str != "gw1" || why == nil || !c.Has(why.ID) || !c.Has(hint.ID) {
			t.Errorf("%v: got %+v, %+v", err, sentence, hint)
		}
	}
}

// members refuses everybody.
type members struct{}

func (members) Member(context.Context, change.SlackID) error { return change.ErrNotAllowed }

// Ensure who can own no account is refused as owner and as the one who hands
// over.
func TestAdduser_Members(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Members = members{} })
	for _, line := range []string{"adduser vpn-01 --for <@U0BOT>", "adduser vpn-01 --for \"Mr X\" --handover <@U0BOT>"} {
		if _, err := w.say("U0OLGA", line); why(err) != "error.notallowed" {
			t.Errorf("%s: got %v, want a refusal", line, err)
		}
	}
}

// Ensure a person is found by every Slack user of theirs, and only in their own
// workspace.
func TestDirectory(t *testing.T) {
	d := NewDirectory(cast())
	second := change.SlackID{Team: team, User: "U0OLGA2"}
	foreign := change.SlackID{Team: "T0ELSE", User: "U0OLGA"}
	if got := d.Slack(second).ID; got != "olga" {
		t.Errorf("got %s, want olga", got)
	}
	if got := d.Slack(foreign); got.ID != change.Unlisted(foreign) || got.Role != change.NoRole {
		t.Errorf("got %+v, want a stranger", got)
	}
	if got, ok := d.Person(change.Unlisted(second)); !ok || got.ID != "olga" {
		t.Errorf("got %+v, want the entry behind the Slack user", got)
	}
	if got, ok := d.Person("nobody"); ok {
		t.Errorf("got %+v, want nobody", got)
	}
}

// Ensure internal errors are answered with a reference and recorded.
func TestRun_Internal(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Routers = odd{} })
	_, err := w.say("U0OLGA", "adduser vpn-01 --for <@U0STAFF>")
	if got := why(err); got != "error.internal" || w.last().Facts["why"] != got {
		t.Errorf("got %s and %+v, want an internal error, recorded", got, w.last())
	}
}

// odd fails in a way that nobody has words for.
type odd struct{}

func (odd) Snapshot(context.Context, string, ...string) (change.Snapshot, error) {
	return change.Snapshot{}, fmt.Errorf("something odd")
}
