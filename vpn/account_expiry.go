package vpn

import (
	"errors"
	"time"

	"vpnbot/change"
)

// ErrGone is returned for an account that is not on its router any more.
var ErrGone = errors.New("account is not there any more")

// PlanExpiry computes the plan that ends an account whose date has come. It returns
// ErrGone when it is not there any more, change.ErrEmptyPlan when nobody can use it
// anyway, and a *Refusal when what stands there is not what was approved to end.
func PlanExpiry(now time.Time, a change.Account, snapshot change.Snapshot) (change.Plan, error) {
	if len(snapshot.Rows(change.Query{Menu: menuSecret, Where: map[string]string{"name": a.Name}})) == 0 {
		return change.Plan{}, ErrGone
	}
	if err := madeAnew(a, snapshot); err != nil {
		return change.Plan{}, err
	}
	return PlanAccountChange(AccountChange{
		Intent: change.Intent{Verb: "expire", Site: a.Site, Account: &change.AccountIntent{
			Name: a.Name, Do: change.AccountExpire, Owner: a.Owner, Expires: a.Expires,
		}},
		Now: now, DialIn: DialIn{Site: a.Site, Router: a.Router}, Snapshot: snapshot, Known: a,
	})
}

// madeAnew refuses an account that the bot gave its password and that carries no
// mark of the bot any more: somebody has made another one of that name.
func madeAnew(a change.Account, snapshot change.Snapshot) error {
	if a.Keyed == "" {
		return nil
	}
	for _, row := range snapshot.Rows(change.Query{Menu: menuSecret, Where: map[string]string{"name": a.Name}}) {
		if dialsIn(row) && !marked(row) {
			return refuse("made_anew", "account", a.Name, "router", a.Router)
		}
	}
	return nil
}
