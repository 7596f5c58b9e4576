package vpn

import (
	"net/netip"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// step adds a step about the account's row.
func (p *accountPlan) step(action schema.Action, class change.Class, why string) *change.Step {
	p.steps = append(p.steps, change.Step{
		Menu: menuSecret, Action: action, Class: class, Why: change.T("plan.account." + why),
		Match: schema.Row{"name": p.account.Name, "service": defaulted(menuSecret, p.row, "service")},
	})
	return &p.steps[len(p.steps)-1]
}

// endSessions adds the step that ends whoever is connected when it comes to it.
func (p *accountPlan) endSessions() {
	p.steps = append(p.steps, change.Step{
		Menu: menuActive, Action: schema.Remove, Class: change.OneWay, Why: change.T("plan.account.step_session"), Match: p.sessionMatch(),
	})
	p.sayLive("session_cut", "session_absent")
}

// remove takes the account off the router. Its password goes with it.
func (p *accountPlan) remove() {
	p.step(schema.Remove, change.OneWay, "step_remove").Before = unsecret(menuSecret, p.row)
	p.endSessions()
	if address := p.fixedAddress(); address != "" {
		p.say("address_free", "address", address)
	}
	p.say("again")
}

// disable switches the account off; one that is off already only loses who is
// connected all the same.
func (p *accountPlan) disable() {
	off := isTrue(p.row, menuSecret, "disabled")
	if off && len(p.live) == 0 {
		return
	}
	if off {
		p.warn("off_already", "account", p.account.Name, "router", p.DialIn.Router)
	} else {
		p.step(schema.Disable, change.InPlace, "step_disable")
	}
	p.endSessions()
	p.say("kept")
}

// enable switches the account on, with the password that it had.
func (p *accountPlan) enable() error {
	if err := p.usable(); err != nil {
		return err
	}
	if expired := p.Known.Expires; !expired.IsZero() && !p.Now.Before(expired) {
		return refuse("expired", "account", p.account.Name, "at", expired)
	}
	if !isTrue(p.row, menuSecret, "disabled") {
		return change.ErrEmptyPlan
	}
	p.step(schema.Enable, change.InPlace, "step_enable")
	p.say("old_password")
	if p.Known.Off == 0 {
		p.warn("off_elsewhere", "account", p.account.Name)
	}
	p.warnOff()
	p.warnAddress()
	return nil
}

// usable refuses what would let nobody in, or what the router would not take.
func (p *accountPlan) usable() error {
	mode := p.Snapshot.Menus[menuMode]
	if len(mode) > 0 && isTrue(mode[0], menuMode, "flagged") {
		return refuse("flagged", "router", p.DialIn.Router)
	}
	return nil
}

// password gives the account another password. Those who are connected stay so,
// unless the wish is that they go.
func (p *accountPlan) password() {
	s := p.step(schema.Change, change.OneWay, "step_password")
	s.After = schema.Row{}
	s.Secrets = map[string]secret.Ref{"password": p.Password}
	s.Marks = map[string]string{"password": p.Mark}
	p.say("reader", "reader", p.account.Reader())
	p.say("old_gone")
	if p.account.Kick {
		p.endSessions()
	} else {
		p.sayLive("session_goes_on", "session_nobody")
	}
	if isTrue(p.row, menuSecret, "disabled") {
		p.warn("off_still", "account", p.account.Name)
	}
	if expired := p.Known.Expires; !expired.IsZero() {
		p.say("expires", "at", expired)
	}
	if p.DialIn.PSK == "" {
		p.warn("psk_unknown", "site", p.Intent.Site)
	}
	p.warnOff()
}

// extend gives the account another date. On the router nothing changes, unless the
// old date has switched it off.
func (p *accountPlan) extend() error {
	want, was := p.account.Expires, p.Known.Expires
	p.account.Was = was
	off := isTrue(p.row, menuSecret, "disabled")
	switch {
	case !want.IsZero() && !p.Now.Before(want) && p.Undone != nil:
		return refuse("undo_date", "number", p.Undone.Number, "account", p.account.Name, "at", want)
	case !want.IsZero() && !p.Now.Before(want):
		return refuse("date_past", "at", want)
	case want.Equal(was) && !(off && p.Known.Expired):
		return change.ErrEmptyPlan
	case off && p.Known.Expired:
		if err := p.usable(); err != nil {
			return err
		}
		p.step(schema.Enable, change.InPlace, "step_enable")
		p.say("old_password")
		p.warnAddress()
	case off:
		p.warn("off_still", "account", p.account.Name)
	}
	if len(p.steps) == 0 {
		p.say("no_row", "router", p.DialIn.Router)
	}
	if !want.IsZero() {
		p.say("covered", "at", want)
	}
	return nil
}

// kick ends the sessions that live now, each by itself: who dials in again
// meanwhile is somebody else's business.
func (p *accountPlan) kick() error {
	name, site := p.account.Name, p.Intent.Site
	p.kicked = p.Snapshot.Rows(change.Query{Menu: menuActive, Where: schema.Row{"name": name, "service": "l2tp"}})
	if len(p.kicked) == 0 {
		return refuse("not_connected", "account", name, "site", site)
	}
	for _, session := range p.kicked {
		if session["session-id"] == "" {
			return refuse("session_unnamed", "account", name, "router", p.DialIn.Router)
		}
		p.steps = append(p.steps, change.Step{
			Menu: menuActive, Action: schema.Remove, Class: change.OneWay, Why: change.T("plan.account.step_kick"),
			Match: kickMatch(session), Before: schema.Row{"caller-id": session["caller-id"], "address": session["address"]},
		})
	}
	p.live = p.kicked
	p.sayLive("session_cut", "session_absent")
	p.describeOwner()
	p.say("redial")
	if radius(p.kicked) {
		p.warn("radius", "account", name)
	}
	return nil
}

// kickMatch names one session.
func kickMatch(session schema.Row) schema.Row {
	return schema.Row{"name": session["name"], "service": session["service"], "session-id": session["session-id"]}
}

// warnOff tells that the server lets nobody in.
func (p *accountPlan) warnOff() {
	if server := p.Snapshot.Menus[menuServer]; len(server) == 0 || !isTrue(server[0], menuServer, "enabled") {
		p.warn("server_off", "router", p.DialIn.Router)
	}
}

// warnAddress tells that somebody else has the account's fixed address.
func (p *accountPlan) warnAddress() {
	address := p.fixedAddress()
	if _, err := netip.ParseAddr(address); err != nil {
		return
	}
	for _, row := range p.Snapshot.Rows(change.Query{Menu: menuSecret, Where: schema.Row{"remote-address": address}}) {
		if row["name"] != p.account.Name && !isTrue(row, menuSecret, "disabled") {
			p.warn("address_twice", "address", address, "account", ReadableBytes(row["name"]))
			return
		}
	}
}
