package vpn

import (
	"cmp"

	"vpnbot/change"
)

// summary is the plan's first line, for someone who is no network engineer.
func (p *accountPlan) summary() change.Text {
	pairs := []any{"account", p.account.Name, "site", p.Intent.Site, "count", len(p.live)}
	switch p.account.Do {
	case change.AccountPassword, change.AccountRestore:
		pairs = append(pairs, "reader", p.account.Reader())
	case change.AccountExpire:
		pairs = append(pairs, "at", p.Known.Expires)
	case change.AccountExtend:
		pairs = append(pairs, "at", p.account.Expires)
	}
	said := change.T("plan.account.summary."+string(p.account.Do), pairs...)
	if p.account.Do == change.AccountExtend && p.account.Expires.IsZero() {
		said = change.T("plan.account.summary.never", "account", p.account.Name, "site", p.Intent.Site)
	}
	if p.Undone != nil {
		return change.T("plan.undo.summary", "other", p.Undone.Number, "what", said)
	}
	return said
}

// describe says whose account it is, what stands beside it, and what the bot does
// not know.
func (p *accountPlan) describe() {
	p.describeOwner()
	byHand := p.Known.Request == "" || p.Known.Adopted
	if comment := ReadableBytes(change.Unmarked(p.row["comment"])); byHand && comment != "" {
		p.say("comment", "comment", comment)
	}
	for _, row := range p.namesakes() {
		p.warn("namesake", "account", p.account.Name, "service", defaulted(menuSecret, row, "service"))
	}
	if defaulted(menuSecret, p.row, "service") == "any" {
		p.warn("any_service", "account", p.account.Name)
	}
	if radius(p.live) {
		p.warn("radius", "account", p.account.Name)
	}
}

// describeOwner names the owner, or says that nobody knows one.
func (p *accountPlan) describeOwner() {
	if owner := cmp.Or(p.account.Owner, p.Known.Owner); owner != "" {
		p.say("owner", "owner", owner)
		return
	}
	p.warn("owner_unknown", "account", p.account.Name)
}

// sayLive tells of each session of the account what becomes of it, or that there
// is none, and of those of others that they stay.
func (p *accountPlan) sayLive(one, none string) {
	for _, session := range p.live {
		p.say(one, "from", cmp.Or(ReadableBytes(session["caller-id"]), "–"), "address", cmp.Or(session["address"], "–"), "uptime", cmp.Or(session["uptime"], "–"))
	}
	if len(p.live) == 0 {
		p.say(none)
	}
	others := 0
	for _, s := range Sessions(p.Snapshot) {
		if s.Account != ReadableBytes(p.account.Name) {
			others++
		}
	}
	p.say("others", "count", others, "router", p.DialIn.Router)
}
