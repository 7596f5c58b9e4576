//go:build !nodemo

package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"vpnbot/chat/slacksim"
	"vpnbot/ros/rossim"
)

// person does what one person does.
func (p *scene) person(user string, neg bool, args []string) {
	p.need(args, 1, "WHO VERB …")
	switch args[0] {
	case "/vpn":
		p.types(user, room(user), neg, strings.Join(args, " "))
	case "in":
		p.need(args, 3, "WHO in CHANNEL /vpn …")
		p.types(user, args[1], neg, strings.Join(args[2:], " "))
	case "answered":
		p.answered(user, neg, args[1:])
	case "told":
		p.need(args, 3, "WHO told N TEXT…")
		p.expect(neg, func() bool { return strconv.Itoa(len(p.told(user, args[2:]))) == args[1] }, func() string { return p.sight(user) })
	case "sees":
		p.expect(neg, func() bool { return len(p.showing(user, args[1:])) > 0 }, func() string { return p.sight(user) })
	case "presses":
		p.presses(user, neg, args[1:])
	case "reads":
		p.expect(neg, func() bool { v, ok := p.window(user); return ok && holds(v.Plain(), args[1:]) }, func() string { return p.sight(user) })
	case "submits":
		p.submits(user, neg, args[1:])
	case "closes":
		if v, ok := p.window(user); ok {
			p.ts.Check(p.slack.CloseView(p.t.Context(), user, v.ID, true))
		}
	case "dials":
		p.dials(user, neg, args[1:])
	default:
		p.ts.Fatalf("nobody can %q", args[0])
	}
}

// holds tells whether a text has each of words. In a word "…" stands for anything
// on one line.
func holds(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool {
		if !strings.Contains(w, "…") {
			return !strings.Contains(text, w)
		}
		return !regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(w), "…", ".*")).MatchString(text)
	})
}

// room is where somebody types.
func room(user string) string {
	if user == "U0EVE" {
		return "C0PARTNER"
	}
	return "C0VPNOPS"
}

// messages are all that a person can see, the newest last.
func (p *scene) messages(user string) []slacksim.Message {
	var all []slacksim.Message
	for _, channel := range []string{"C0VPNOPS", "C0VPNAUDIT", "C0PARTNER", p.slack.Direct(user)} {
		all = append(all, p.slack.Messages(user, channel)...)
	}
	slices.SortStableFunc(all, func(a, b slacksim.Message) int { return strings.Compare(a.TS, b.TS) })
	return all
}

// showing are the messages that hold each of words.
func (p *scene) showing(user string, words []string) []slacksim.Message {
	return slices.DeleteFunc(p.messages(user), func(m slacksim.Message) bool { return !holds(m.Plain(), words) })
}

// told are the direct messages to a person that hold each of words.
func (p *scene) told(user string, words []string) []slacksim.Message {
	return slices.DeleteFunc(p.slack.Messages(user, p.slack.Direct(user)), func(m slacksim.Message) bool { return !holds(m.Plain(), words) })
}

// sight is what a person sees, for a failure.
func (p *scene) sight(user string) string {
	var b strings.Builder
	all := p.messages(user)
	for _, m := range all[max(0, len(all)-8):] {
		fmt.Fprintf(&b, "--- %s %s only for %q, %v\n%s\n", m.Channel, m.TS, m.OnlyFor, m.Actions(), m.Plain())
	}
	for _, v := range p.slack.Views(user) {
		fmt.Fprintf(&b, "=== window %v\n%s\n", v.Actions(), v.Plain())
	}
	return b.String()
}

func (p *scene) window(user string) (slacksim.View, bool) {
	views := p.slack.Views(user)
	if len(views) == 0 {
		return slacksim.View{}, false
	}
	return views[len(views)-1], true
}

// acts remembers what the person has seen before they act.
func (p *scene) acts(user string) {
	p.before[user] = map[string]bool{}
	for _, m := range p.messages(user) {
		p.before[user][m.Channel+m.TS+m.Plain()] = true
	}
}

func (p *scene) types(user, channel string, neg bool, line string) {
	p.acts(user)
	p.verdict(neg, p.slack.Command(p.t.Context(), user, channel, line))
}

// verdict fails the script unless Slack took what somebody did, or with neg
// refused it.
func (p *scene) verdict(neg bool, err error) {
	synctest.Wait()
	if neg && err == nil {
		p.ts.Fatalf("Slack took it, but must not")
	}
	if !neg {
		p.ts.Check(err)
	}
}

// answered checks the one answer since the person last acted.
func (p *scene) answered(user string, neg bool, words []string) {
	fresh := func() []slacksim.Message {
		return slices.DeleteFunc(p.messages(user), func(m slacksim.Message) bool {
			return m.OnlyFor != user || p.before[user][m.Channel+m.TS+m.Plain()]
		})
	}
	p.expect(neg, func() bool { list := fresh(); return len(list) == 1 && holds(list[0].Plain(), words) }, func() string {
		return fmt.Sprintf("%d answers since, of all this:\n%s", len(fresh()), p.sight(user))
	})
	if neg {
		return
	}
	p.upIsTrue(fresh()[0].Plain())
	settle(time.Second)
	if n := len(fresh()); n != 1 {
		p.ts.Fatalf("%d answers, want 1\n%s", n, p.sight(user))
	}
}

// offering finds the newest message with a button and words.
func (p *scene) offering(user, action string, words []string) (slacksim.Message, string, bool) {
	for _, m := range slices.Backward(p.showing(user, words)) {
		for _, a := range m.Actions() {
			if name, _, _ := strings.Cut(a, ":"); name == action {
				return m, a, true
			}
		}
	}
	return slacksim.Message{}, "", false
}

func (p *scene) presses(user string, neg bool, args []string) {
	p.need(args, 1, "WHO presses ACTION TEXT…")
	action, words := args[0], args[1:]
	p.expect(neg, func() bool { _, _, ok := p.offering(user, action, words); return ok }, func() string { return p.sight(user) })
	if neg {
		return
	}
	m, id, _ := p.offering(user, action, words)
	p.acts(user)
	p.verdict(false, p.slack.Click(p.t.Context(), user, m.Ref(), id, ""))
}

// submits sends the form of the window on top, once it is one.
func (p *scene) submits(user string, neg bool, args []string) {
	if !neg {
		p.expect(false, func() bool { v, ok := p.window(user); return ok && v.CallbackID != "" }, func() string { return p.sight(user) })
	}
	v, ok := p.window(user)
	if !ok {
		p.ts.Fatalf("no window is open")
	}
	p.acts(user)
	err := p.slack.Submit(p.t.Context(), user, v.ID, slacksim.Enter(p.pairs(args)))
	if !neg && errors.As(err, new(*slacksim.InputErrors)) {
		p.ts.Fatalf("the form was refused: %v", err)
	}
	p.verdict(neg, err)
}

var shown = regexp.MustCompile("```([^`]*)```")

// dials connects with what the window shows: server, account, password and key.
func (p *scene) dials(user string, neg bool, args []string) {
	p.need(args, 1, "WHO dials SITE")
	v, _ := p.window(user)
	m := shown.FindAllStringSubmatch(v.Plain(), -1)
	if len(m) != 4 {
		p.ts.Fatalf("the window shows no credentials\n%s", p.sight(user))
	}
	_, err := p.office(args[0]).router.Connect(rossim.DialIn{
		Account: m[1][1], Password: m[2][1], PSK: m[3][1], CallerID: "198.51.100.180",
	})
	p.verdict(neg, err)
}
