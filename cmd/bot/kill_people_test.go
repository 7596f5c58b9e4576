//go:build !nodemo

package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/chat/slacksim"
)

// people are olive, ann and mei at work on one account. They know what Slack
// shows them and nothing else: they press what is offered, and what brings
// nothing within their patience they try again.
type people struct {
	*demo
	account  string
	line     string           // what olive types
	form     string           // what the form of the approver says
	ends     []string         // how the change of a tunnel ends; none: the account of mei is made
	past     map[string]bool  // messages of changes before
	moot     func(*demo) bool // what is asked for came to be by itself
	quiet    time.Time        // since when nobody has said anything of what is moot
	patience time.Duration
	tried    map[string]attempt
	pressed  map[string]bool // previews, in any life of the bot
	// People who trust the bot do not press again what it has acknowledged, not
	// even after its death. The others do.
	trusting bool
	heard    map[string]bool // kinds of wishes that were acknowledged
	shown    bool            // mei has read the credentials
	over     bool            // mei was told that she cannot read them any more
}

// attempt is how often something was tried and when last.
type attempt struct {
	times int
	last  time.Time
}

// wish is one thing that a person would do now.
type wish struct {
	what string // what is tried, to know it again
	do   func(ctx context.Context) error
}

func newPeople(d *demo, account string, patience time.Duration) *people {
	return &people{
		demo: d, account: account, form: account, line: "/vpn adduser " + account + " --for @mei --site hq", patience: patience,
		tried: map[string]attempt{}, pressed: map[string]bool{}, heard: map[string]bool{},
	}
}

// at returns the same people in another world: they remember what they saw.
func (p *people) at(d *demo) *people {
	n := *p
	n.demo, n.tried, n.quiet = d, map[string]attempt{}, time.Time{}
	return &n
}

// play goes on until the account is proven, or applied and too late to open. It
// returns an error when ctx ends before.
func (p *people) play(ctx context.Context) error {
	for !p.done() {
		changed := p.slack.Changed()
		if p.act(ctx) {
			continue
		}
		look := time.NewTimer(p.patience / 4)
		select {
		case <-changed:
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; shown %t, over %t, cards %q", p.account, context.Cause(ctx), p.shown, p.over, p.cards())
		}
		look.Stop()
	}
	return nil
}

// act carries out the first wish that was not tried a moment ago, and tells
// whether there was one. That it failed is seen by what Slack shows.
func (p *people) act(ctx context.Context) bool {
	if p.slack.Connections() == 0 {
		return false
	}
	now := time.Now()
	for _, w := range p.wishes() {
		a := p.tried[w.what]
		if a.times > 0 && now.Sub(a.last) < p.patience {
			continue
		}
		p.tried[w.what] = attempt{a.times + 1, now}
		if err := w.do(ctx); err == nil && p.trusting {
			kind, _, _ := strings.Cut(w.what, " ")
			p.heard[kind] = true
		}
		return ctx.Err() == nil
	}
	return false
}

// given tells whether what was tried that often without effect.
func (p *people) given(what string, times int) bool {
	a := p.tried[what]
	return a.times > times || a.times == times && time.Since(a.last) >= p.patience
}

func (p *people) wishes() []wish {
	return slices.Concat(p.owner(), p.approver(), p.operator())
}

// owner opens the credentials and connects with them.
func (p *people) owner() []wish {
	const mei = "U0MEI"
	if p.shown {
		if p.live() {
			return nil
		}
		return []wish{{"dial in", func(context.Context) error {
			return p.dialIn(change.Credentials{Site: "hq", Account: p.account})
		}}}
	}
	if views := p.slack.Views(mei); len(views) > 0 {
		return p.read(mei, views[len(views)-1])
	}
	p.over = p.over || slices.ContainsFunc(p.slack.Messages(mei, p.slack.Direct(mei)), func(m slacksim.Message) bool {
		return mentions(m, p.account) && strings.Contains(m.Plain(), "時限已過")
	})
	if p.over || len(p.ends) > 0 {
		return nil
	}
	var all []wish
	for _, m := range p.about(mei, p.slack.Direct(mei), "reveal") {
		all = append(all, p.click(mei, m, "reveal"))
	}
	return all
}

// read looks at mei's topmost modal: credentials are kept, anything else is
// closed when it has stood for a while.
func (p *people) read(mei string, v slacksim.View) []wish {
	shut := func(ctx context.Context) error { return p.slack.CloseView(ctx, mei, v.ID, true) }
	text := v.Plain()
	switch password, written := p.password(); {
	case written && strings.Contains(text, p.account) && strings.Contains(text, password):
		p.shown = true
		return []wish{{"put away " + v.ID, shut}}
	case strings.Contains(text, "已超過時限") || strings.Contains(text, "開啟次數上限"):
		p.over = true
		return []wish{{"put away " + v.ID, shut}}
	case !strings.Contains(text, p.account) && !strings.Contains(text, "請稍候"):
		return []wish{{"put away " + v.ID, shut}}
	}
	what := "watch " + v.ID
	if p.given(what, 1) {
		return []wish{{"put away " + v.ID, shut}}
	}
	return []wish{{what, func(context.Context) error { return nil }}}
}

// approver approves what waits. A form that is still open is sent again: to ann
// it looks as if nothing had come of it.
func (p *people) approver() []wish {
	const ann = "U0ANN"
	if views := p.slack.Views(ann); len(views) > 0 {
		v := views[len(views)-1]
		if what := "send " + v.ID; strings.Contains(v.Plain(), p.form) && !p.given(what, 2) && !p.heard["send"] {
			return []wish{{what, func(ctx context.Context) error { return p.slack.Submit(ctx, ann, v.ID, nil) }}}
		}
		if what := "watch " + v.ID; !p.given(what, 1) {
			return []wish{{what, func(context.Context) error { return nil }}}
		}
		return []wish{{"put away " + v.ID, func(ctx context.Context) error { return p.slack.CloseView(ctx, ann, v.ID, true) }}}
	}
	if p.heard["send"] {
		return nil
	}
	var all []wish
	for _, m := range p.about(ann, "C0VPNOPS", "approve") {
		all = append(all, p.click(ann, m, "approve"))
	}
	return all
}

// operator submits a preview and asks when nothing is under way. Where an earlier
// press may have come to nothing she presses again.
func (p *people) operator() []wish {
	const olive = "U0OLIVE"
	underway := slices.ContainsFunc(p.cards(), func(state string) bool {
		return slices.Contains([]string{"待核准", "已核准", "套用中", "已套用未驗證", "已驗證", "需人工處理"}, state) || slices.Contains(p.ends, state)
	})
	if p.heard["submit"] || p.line == "" {
		return nil
	}
	for _, m := range slices.Backward(p.about(olive, "C0VPNOPS", "submit")) {
		w := p.click(olive, m, "submit")
		if p.given(w.what, 2) || underway && (!p.pressed[m.TS] || p.given(w.what, 1)) {
			continue
		}
		press := w.do
		w.do = func(ctx context.Context) error { p.pressed[m.TS] = true; return press(ctx) }
		return []wish{w}
	}
	if underway {
		return nil
	}
	return []wish{{"ask", func(ctx context.Context) error {
		return p.slack.Command(ctx, olive, "C0VPNOPS", p.line)
	}}}
}

func (p *people) click(user string, m slacksim.Message, action string) wish {
	return wish{action + " " + m.TS, func(ctx context.Context) error { return p.slack.Click(ctx, user, m.Ref(), action, "") }}
}

// about are the messages of a channel that offer an action on the account,
// oldest first.
func (p *people) about(user, channel, action string) []slacksim.Message {
	return slices.DeleteFunc(p.slack.Messages(user, channel), func(m slacksim.Message) bool {
		return !slices.Contains(m.Actions(), action) || !mentions(m, p.account) || p.past[m.TS]
	})
}

// mentions tells whether a message is about an account, whose name may be the
// beginning of another one's.
func mentions(m slacksim.Message, account string) bool {
	return slices.Contains(strings.FieldsFunc(m.Plain(), func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}), account)
}

var cardState = regexp.MustCompile(`\*狀態\*\n([^ （\n]+)`)

// cards are the states on the cards about the account.
func (p *people) cards() []string {
	var states []string
	for _, m := range p.slack.Messages("U0ANN", "C0VPNOPS") {
		found := cardState.FindStringSubmatch(m.Plain())
		if strings.HasPrefix(markIn(m), "card:") && mentions(m, p.account) && !p.past[m.TS] && found != nil {
			states = append(states, found[1])
		}
	}
	return states
}

// markIn is what the bot marked a message with; "" for other messages.
func markIn(m slacksim.Message) string {
	payload, _ := m.Metadata["event_payload"].(map[string]any)
	mark, _ := payload["key"].(string)
	return mark
}

// done tells whether nothing is left to do: one card says how it went and none
// still waits.
func (p *people) done() bool {
	cards := p.cards()
	if slices.ContainsFunc(cards, func(state string) bool {
		return slices.Contains([]string{"待核准", "已核准", "套用中"}, state)
	}) {
		return false
	}
	if len(p.ends) > 0 {
		ended := slices.ContainsFunc(cards, func(state string) bool { return slices.Contains(p.ends, state) })
		return ended || p.moot != nil && p.moot(p.demo) && p.waited()
	}
	return slices.Contains(cards, "已驗證") || p.over && slices.Contains(cards, "已套用未驗證")
}

// waited tells whether no card has come for a while from a bot that is there: one may
// be on its way.
func (p *people) waited() bool {
	if p.slack.Connections() == 0 {
		p.quiet = time.Time{}
		return false
	}
	if p.quiet.IsZero() {
		p.quiet = time.Now()
	}
	return time.Since(p.quiet) >= p.patience
}

// live tells whether the account is connected.
func (p *people) live() bool {
	for _, row := range p.routers[0].router.Rows("/ppp/active") {
		if row["name"] == p.account {
			return true
		}
	}
	return false
}

// password is what the router holds for the account.
func (p *people) password() (string, bool) {
	for _, row := range p.routers[0].router.Rows("/ppp/secret") {
		if row["name"] == p.account {
			return row["password"], true
		}
	}
	return "", false
}
