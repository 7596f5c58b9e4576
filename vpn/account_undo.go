package vpn

import (
	"regexp"
	"slices"
	"strconv"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// UndoAccount returns what takes an applied change to an account back. An old
// password is never restored: where one was replaced or lost, a new one is made.
// It returns a *Refusal for what cannot be taken back.
func UndoAccount(r change.Request, known change.Account) (change.AccountIntent, error) {
	done := r.Plan.Intent.Account
	if done.Do == change.AccountDisable && !slices.ContainsFunc(r.Plan.Steps, func(s change.Step) bool { return s.Menu == menuSecret }) {
		return change.AccountIntent{}, refuse("undo_kick", "number", r.Number, "account", done.Name) // it was off already
	}
	want := change.AccountIntent{Name: done.Name, Owner: known.Owner}
	if known.Reader != known.Owner {
		want.Handover = known.Reader
	}
	switch done.Do {
	case change.AccountNew, change.AccountRestore:
		want.Do = change.AccountRemove
	case change.AccountRemove:
		want.Do, want.Expires = change.AccountRestore, known.Expires
	case change.AccountDisable:
		want.Do = change.AccountEnable
	case change.AccountEnable:
		want.Do = change.AccountDisable
	case change.AccountPassword:
		want.Do = change.AccountPassword
	case change.AccountExtend:
		want.Do, want.Expires = change.AccountExtend, done.Was
	case change.AccountKick:
		return want, refuse("undo_kick", "number", r.Number, "account", done.Name)
	case change.AccountExpire:
		return want, refuse("undo_expire", "number", r.Number, "account", done.Name)
	}
	return want, nil
}

// unmoved refuses to take a change back when the account is not any more as that
// change left it: what came after would be lost unseen.
func (p *accountPlan) unmoved() error {
	if p.Undone == nil {
		return nil
	}
	done, off := p.Undone.Plan.Intent.Account, isTrue(p.row, menuSecret, "disabled")
	same := true
	switch done.Do {
	case change.AccountDisable:
		same = off && p.Known.Off == p.Undone.Number
	case change.AccountEnable:
		same = !off && p.Known.Off == 0
	case change.AccountExtend:
		same = p.Known.Expires.Equal(done.Expires) && !p.Known.Expired
	default:
		for _, s := range p.Undone.Plan.Steps {
			same = same && (s.Menu != menuSecret || p.asLeft(s))
		}
	}
	switch {
	case same:
		return nil
	case done.Do == change.AccountExtend && p.Known.Expired && p.Known.Expires.Equal(done.Expires):
		return refuse("undo_ended", "number", p.Undone.Number, "account", p.account.Name, "at", done.Expires)
	}
	return p.moved()
}

// asLeft tells whether the account's row is as the step left it.
func (p *accountPlan) asLeft(s change.Step) bool {
	menu, _ := schema.Lookup(menuSecret)
	for name, value := range s.After {
		if name != "comment" && !menu.Same(name, defaulted(menuSecret, p.row, name), value) {
			return false
		}
	}
	return change.HasMark(p.row["comment"], p.Undone.Number, s.ID)
}

// generation is the generation mark of a comment.
var generation = regexp.MustCompile(`\[vpnbot (\d+)\.\d+\]$`)

// moved names the request that changed the account since, when the row tells.
func (p *accountPlan) moved() error {
	number := p.Undone.Number
	if m := generation.FindStringSubmatch(p.row["comment"]); m != nil {
		if later, err := strconv.ParseInt(m[1], 10, 64); err == nil && later > number {
			return refuse("undo_later", "number", number, "account", p.account.Name, "later", later)
		}
	}
	return refuse("undo_moved", "number", number, "account", p.account.Name, "router", p.DialIn.Router)
}

// restore makes the account again as its removal found it, with a new password.
func (p *accountPlan) restore() error {
	i := slices.IndexFunc(p.Undone.Plan.Steps, func(s change.Step) bool { return s.Menu == menuSecret && s.Action == schema.Remove })
	if i < 0 {
		return refuse("undo_moved", "number", p.Undone.Number, "account", p.account.Name, "router", p.DialIn.Router)
	}
	after := p.Undone.Plan.Steps[i].Before.Clone()
	if after["comment"] = change.Unmarked(after["comment"]); after["comment"] == "" {
		delete(after, "comment")
	}
	if err := p.free(after); err != nil {
		return err
	}
	if at := p.account.Expires; !at.IsZero() && !p.Now.Before(at) && !isTrue(after, menuSecret, "disabled") {
		return refuse("undo_date", "number", p.Undone.Number, "account", p.account.Name, "at", at)
	}
	p.row = after
	s := p.step(schema.Add, change.Twin, "step_restore")
	s.After = after
	s.Secrets, s.Marks = map[string]secret.Ref{"password": p.Password}, map[string]string{"password": p.Mark}
	p.describe()
	p.say("reader", "reader", p.account.Reader())
	p.say("old_gone")
	if address := p.fixedAddress(); address != "" {
		p.say("address_kept", "address", address)
	}
	if isTrue(after, menuSecret, "disabled") {
		p.warn("off_still", "account", p.account.Name)
	}
	if at := p.account.Expires; !at.IsZero() {
		p.say("covered", "at", at)
	}
	if p.DialIn.PSK == "" {
		p.warn("psk_unknown", "site", p.Intent.Site)
	}
	p.warnOff()
	return nil
}

// free refuses to make an account again whose name, profile or fixed address is
// not free any more.
func (p *accountPlan) free(row schema.Row) error {
	name, site := p.account.Name, p.Intent.Site
	if err := p.usable(); err != nil {
		return err
	}
	if len(p.Snapshot.Rows(change.Query{Menu: menuSecret, Where: schema.Row{"name": name}})) > 0 {
		return refuse("exists", "account", name, "site", site)
	}
	if len(p.Snapshot.Rows(change.Query{Menu: menuActive, Where: schema.Row{"name": name}})) > 0 {
		return refuse("session_lives", "account", name, "site", site)
	}
	profile := defaulted(menuSecret, row, "profile")
	if len(p.Snapshot.Rows(change.Query{Menu: menuProfile, Where: schema.Row{"name": profile}})) == 0 {
		return refuse("profile_gone", "profile", ReadableBytes(profile), "router", p.DialIn.Router)
	}
	address := row["remote-address"]
	if address == "" {
		return nil
	}
	if rows := p.Snapshot.Rows(change.Query{Menu: menuSecret, Where: schema.Row{"remote-address": address}}); len(rows) > 0 {
		return refuse("address_account", "address", address, "account", ReadableBytes(rows[0]["name"]))
	}
	if rows := p.Snapshot.Rows(change.Query{Menu: menuActive, Where: schema.Row{"address": address}}); len(rows) > 0 {
		return refuse("address_session", "address", address, "account", ReadableBytes(rows[0]["name"]))
	}
	return nil
}
