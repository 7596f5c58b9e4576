package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/apply"
	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/commands/text"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/store"
	"vpnbot/store/storetest"
	"vpnbot/vpn"
)

var (
	_ Ledger  = (*store.Store)(nil)
	_ Routers = (*ros.Fleet)(nil)
	_ Locks   = (*apply.Engine)(nil)
	_ People  = Directory{}
)

const team = "T0HOME"

// world is a service over a real ledger and two simulated routers. hq has a
// dial-in definition, fengshan gets one from define.
type world struct {
	*Service
	t       *testing.T
	store   *store.Store
	hq      *rossim.Router
	catalog *text.Catalog
	people  Directory
}

// cast are the people of the tests: two Slack users are one operator.
func cast() []change.Person {
	return []change.Person{
		{ID: "olga", Name: "Olga", Role: change.Operator, Slack: []change.SlackID{{Team: team, User: "U0OLGA"}, {Team: team, User: "U0OLGA2"}}},
		{ID: "amir", Name: "Amir", Role: change.Approver, Slack: []change.SlackID{{Team: team, User: "U0AMIR"}}},
		{ID: "bea", Name: "Bea", Role: change.Approver, Slack: []change.SlackID{{Team: team, User: "U0BEA"}}},
		{ID: "vera", Name: "Vera", Role: change.Viewer, Slack: []change.SlackID{{Team: team, User: "U0VERA"}}},
		{ID: "fred", Name: "Fred", Role: change.Approver, Sites: []string{"fengshan"}, Slack: []change.SlackID{{Team: team, User: "U0FRED"}}},
	}
}

func newWorld(t *testing.T, edit ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, store: storetest.Open(t), people: NewDirectory(cast())}
	var err error
	if w.catalog, err = text.New(); err != nil {
		t.Fatal(err)
	}
	key, err := secret.NewKey(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	hq, hqAddress := office(t, "gw-hq", "192.168.77")
	_, fsAddress := office(t, "gw-fs", "192.168.88")
	w.hq = hq
	login := ros.Login{User: "admin"}
	fleet, err := ros.New(ros.Options{
		Timeout: 2 * time.Second,
		Routers: []ros.Router{
			{Name: "gw-hq", Address: hqAddress, Read: login, Write: login, Plain: true},
			{Name: "gw-fs", Address: fsAddress, Read: login, Write: login, Plain: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fleet.Close)
	o := Options{
		Ledger: w.store, Routers: fleet, People: w.people, Key: key, Location: time.UTC, Log: slog.New(slog.DiscardHandler),
		Estate: vpn.Estate{Sites: []vpn.Site{
			{Name: "hq", Aliases: []string{"總公司"}, LAN: []netip.Prefix{netip.MustParsePrefix("192.168.77.0/24")}, Routers: []string{"gw-hq"}},
			{Name: "fengshan", Aliases: []string{"鳳山"}, LAN: []netip.Prefix{netip.MustParsePrefix("192.168.88.0/24")}, Routers: []string{"gw-fs"}},
		}},
	}
	for _, e := range edit {
		e(&o)
	}
	if w.Service, err = New(o); err != nil {
		t.Fatal(err)
	}
	w.define("hq", "gw-hq", "vpn.example.com")
	return w
}

// office serves a router with a dial-in server and returns its address.
func office(t *testing.T, name, lan string) (*rossim.Router, string) {
	t.Helper()
	r, err := rossim.New(rossim.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Load(map[string][]schema.Row{
		"/interface/l2tp-server/server": {{"enabled": "yes", "use-ipsec": "required", "authentication": "mschap2", "ipsec-secret": "planted-psk"}},
		"/ip/pool":                      {{"name": "vpn-pool", "ranges": lan + ".200-" + lan + ".220"}},
		"/ppp/profile":                  {{"name": "vpn-users", "local-address": lan + ".1", "remote-address": "vpn-pool"}},
		"/ppp/secret": {
			{"name": "bob", "service": "l2tp", "profile": "vpn-users", "password": "planted-password", "comment": "by hand"},
			{"name": "carol", "service": "l2tp", "profile": "vpn-users", "password": "planted-password", "disabled": "yes"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Connect(rossim.DialIn{Account: "bob", Password: "planted-password", PSK: "planted-psk", CallerID: "198.51.100.9"}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("closing %s: %v", name, err)
		}
		if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("serving %s: %v", name, err)
		}
	})
	return r, l.Addr().String()
}

func (w *world) define(site, router, server string) {
	w.t.Helper()
	body, err := vpn.DialIn{Site: site, Router: router, Server: server, Pool: "vpn-pool", Profile: "vpn-users"}.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now()
	_, err = w.store.Commit(w.t.Context(), change.Move{
		Definitions: []change.Definition{{
			DefinitionRef: change.DefinitionRef{Kind: vpn.KindDialIn, Name: site, Version: 1}, At: now, By: change.SystemPerson, Body: body,
		}},
		Events: []change.Event{{At: now, Kind: change.EventDefinition, Actor: change.SystemPerson, Site: site}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// as returns the caller behind a Slack user of our workspace.
func (w *world) as(user string) Caller {
	id := change.SlackID{Team: team, User: user}
	return Caller{Actor: change.Actor{Person: w.people.Slack(id), Slack: &id}, Language: "en"}
}

// say runs a line as user, with a delivery key of its own.
func (w *world) say(user, line string) (Reply, error) {
	w.t.Helper()
	cmd, _ := w.Parse(line)
	return w.Run(w.t.Context(), w.as(user), cmd, newID())
}

func (w *world) must(r Reply, err error) Reply {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// events returns the kinds of all events so far.
func (w *world) events() []change.Event {
	w.t.Helper()
	recorded, err := w.store.Events(w.t.Context(), change.EventFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	var events []change.Event
	for _, r := range recorded {
		events = append(events, r.Event)
	}
	return events
}

func (w *world) last() change.Event {
	w.t.Helper()
	events := w.events()
	return events[len(events)-1]
}

// pending submits an account by Olga and returns its request.
func (w *world) pending(name string) change.Request {
	w.t.Helper()
	w.must(w.say("U0OLGA", "adduser "+name+" --for <@U0STAFF> --yes"))
	requests, err := w.store.Requests(w.t.Context(), change.Filter{Newest: true, Limit: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	return requests[0]
}

func buttons(r Reply) map[string]Button {
	all := map[string]Button{}
	for _, p := range r.Parts {
		for _, b := range p.Buttons {
			all[b.Action] = b
		}
	}
	return all
}

// said returns the IDs of every text in r's paragraphs.
func said(r Reply) []string {
	var ids []string
	for _, p := range r.Parts {
		if p.Paragraph != nil {
			ids = append(ids, p.Paragraph.Text.ID)
		}
	}
	return ids
}

// why returns the ID of the sentence that explains err.
func why(err error) string {
	if err == nil {
		return ""
	}
	sentence, _, _ := text.Explain(err)
	return sentence.ID
}

// Ensure the whole way: preview, submit, card, form, approval.
func TestAdduser(t *testing.T) {
	w := newWorld(t)
	preview := w.must(w.say("U0OLGA", "adduser vpn-01 --for <@U0STAFF> --note “summer staff”"))
	b := buttons(preview)
	if len(b) != 2 || b[ActionSubmit].Value == "" || b[ActionDiscard].Value == "" {
		t.Fatalf("got buttons %v, want submit and discard", b)
	}
	i := slices.IndexFunc(preview.Parts, func(p Part) bool { return p.Diff != nil })
	if i < 0 || preview.Parts[i].Diff.Row != "vpn-01" || preview.Parts[i].Diff.Lines[0] != (DiffLine{Name: "name", After: "vpn-01"}) {
		t.Fatalf("got %+v, want the new row", preview.Parts)
	}
	done := w.must(w.Press(t.Context(), w.as("U0OLGA2"), ActionSubmit, b[ActionSubmit].Value, newID()))
	if got := said(done)[0]; got != "submitted.text" {
		t.Errorf("got %s, want submitted.text", got)
	}
	r, err := w.store.RequestByNumber(t.Context(), 1)
	if err != nil || r.State != change.Pending || r.Requester != "olga" {
		t.Fatalf("got %+v, %v, want #1 pending", r, err)
	}
	card := w.must(w.Card(t.Context(), r.ID))
	b = buttons(card)
	if !b[ActionApprove].Form || !b[ActionDeny].Form || b[ActionCancel].Form {
		t.Errorf("got buttons %v, want forms to approve and deny, and cancel", b)
	}
	form, err := w.Form(t.Context(), w.as("U0AMIR"), ActionApprove, b[ActionApprove].Value)
	if err != nil || form.Value != r.ID+" "+r.Digest || len(form.Fields) != 0 {
		t.Fatalf("got %+v, %v, want the plan's digest in the form", form, err)
	}
	w.must(w.Submit(t.Context(), w.as("U0AMIR"), form.Action, form.Value, nil, newID()))
	r, err = w.store.Request(t.Context(), r.ID)
	if err != nil || r.State != change.Approved || r.Approvals[0].Digest != r.Digest {
		t.Fatalf("got %+v, %v, want approved", r, err)
	}
	var kinds []change.EventKind
	for _, e := range w.events()[1:] {
		kinds = append(kinds, e.Kind)
	}
	if want := []change.EventKind{change.EventDrafted, change.EventSubmitted, change.EventApproved}; !slices.Equal(kinds, want) {
		t.Errorf("got events %v, want %v", kinds, want)
	}
	if w.hq.Writes() != 0 {
		t.Errorf("got %d writes, want none before apply", w.hq.Writes())
	}
}

// Ensure each refusal is one event that names its reason and none of the words,
// marks its delivery done, and changes nothing.
func TestRun_Refused(t *testing.T) {
	tests := []struct{ name, user, line, why string }{
		{"viewer adds", "U0VERA", "adduser vpn-01 --for <@U0STAFF>", "error.notallowed"},
		{"nobody reads", "U0STAFF", "users", "error.notallowed"},
		{"nobody asks for the trail", "U0STAFF", "audit", "error.notallowed"},
		{"right at another site only", "U0FRED", "adduser vpn-01 --for <@U0STAFF> --site hq", "error.notallowed"},
		{"right at another site, site left out", "U0FRED", "adduser vpn-01 --for <@U0STAFF>", "error.notallowed"},
		{"reading another site", "U0FRED", "users hq", "error.notallowed"},
		{"bad words", "U0OLGA", "adduser hunter2 hunter2", "parse.extra"},
		{"unknown verb", "U0OLGA", "hunter2", "parse.verb"},
		{"unknown site", "U0OLGA", "users hunter2", "parse.site"},
		{"site without definition", "U0OLGA", "adduser vpn-01 --for <@U0STAFF> --site 鳳山", "plan.refuse.no_definition"},
		{"account exists", "U0OLGA", "adduser bob --for <@U0STAFF>", "plan.refuse.exists"},
		{"address inside the pool", "U0OLGA", "adduser vpn-01 --for <@U0STAFF> --address 192.168.77.205", "plan.refuse.address_pool"},
		{"handover by somebody else", "U0OLGA", "adduser vpn-01 --for \"Mr X\" --handover <@U0VERA>", "adduser.handover"},
		{"outside without handover", "U0OLGA", "adduser vpn-01 --for hunter2", "parse.person"},
		{"no such request", "U0OLGA", "show 99", "error.notfound"},
		{"resolve by an operator", "U0OLGA", "resolve 1 release hunter2", "error.notallowed"},
		{"help for what is not theirs", "U0STAFF", "help adduser", "error.notallowed"},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(w.events())
			key := newID()
			cmd, _ := w.Parse(tt.line)
			_, err := w.Run(t.Context(), w.as(tt.user), cmd, key)
			if got := why(err); got != tt.why {
				t.Fatalf("got %s (%v), want %s", got, err, tt.why)
			}
			events := w.events()
			e := events[len(events)-1]
			if len(events) != before+1 || e.Kind != change.EventRefused || e.Facts["why"] != tt.why {
				t.Errorf("got %d events and %+v, want one refusal", len(events)-before, e)
			}
			if strings.Contains(fmt.Sprint(e), "hunter2") {
				t.Errorf("event repeats what was typed: %+v", e)
			}
			if done, err := w.store.Done(t.Context(), key); !done || err != nil {
				t.Errorf("delivery is not done (%v)", err)
			}
		})
	}
	if rs, err := w.store.Requests(t.Context(), change.Filter{}); len(rs) != 0 || err != nil {
		t.Errorf("got %v, %v, want no request", rs, err)
	}
}

// Ensure the same delivery has its effect once.
func TestRun_Twice(t *testing.T) {
	w := newWorld(t)
	cmd, err := w.Parse("adduser vpn-01 --for <@U0STAFF> --yes")
	if err != nil {
		t.Fatal(err)
	}
	w.must(w.Run(t.Context(), w.as("U0OLGA"), cmd, "delivery-1"))
	if _, err := w.Run(t.Context(), w.as("U0OLGA"), cmd, "delivery-1"); !errors.Is(err, change.ErrDone) {
		t.Errorf("got %v, want ErrDone", err)
	}
	rs, err := w.store.Requests(t.Context(), change.Filter{States: []change.State{change.Pending}})
	if err != nil || len(rs) != 1 {
		t.Errorf("got %d pending, %v, want 1", len(rs), err)
	}
}

// Ensure a refusal that happened elsewhere is recorded once, and that the error
// tells only whether it was.
func TestRefuse(t *testing.T) {
	w := newWorld(t)
	refuse := func() error { return w.Refuse(t.Context(), w.as("U0VERA"), ActionReveal, change.ErrExpired, "key-1") }
	if err := refuse(); err != nil {
		t.Errorf("got %v", err)
	}
	e := w.last()
	if e.Kind != change.EventRefused || e.Actor != "vera" || e.Facts["verb"] != ActionReveal || e.Facts["why"] != "error.expired" {
		t.Errorf("event %+v", e)
	}
	if err := refuse(); !errors.Is(err, change.ErrDone) {
		t.Errorf("a second time: %v, want %v", err, change.ErrDone)
	}
}

// Ensure the rules of approval hold at the form and at its submission, whoever
// sends them with whatever value.
func TestApprove_Refused(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Rules = change.Rules{{Approvals: 2, Reason: `CHG-\d+`}} })
	r := w.pending("vpn-01")
	value := r.ID + " " + r.Digest
	reason := map[string]string{FieldReason: "CHG-7"}
	guest := w.as("U0AMIR")
	guest.Guest = true
	foreign := w.as("U0AMIR")
	foreign.Actor.Slack = &change.SlackID{Team: "T0ELSE", User: "U0AMIR"}
	foreign.Actor.Person = w.people.Slack(*foreign.Actor.Slack)
	tests := []struct {
		name   string
		who    Caller
		value  string
		fields map[string]string
		why    string
	}{
		{"the requester", w.as("U0OLGA"), value, reason, "error.selfapproval"},
		{"the requester's second account", w.as("U0OLGA2"), value, reason, "error.selfapproval"},
		{"a viewer", w.as("U0VERA"), value, reason, "error.notallowed"},
		{"nobody", w.as("U0STAFF"), value, reason, "error.notallowed"},
		{"an approver of another site", w.as("U0FRED"), value, reason, "error.notallowed"},
		{"a guest", guest, value, reason, "refuse.guest"},
		{"the same user of another organisation", foreign, value, reason, "error.notallowed"},
		{"another digest", w.as("U0AMIR"), r.ID + " " + strings.Repeat("0", 64), reason, "error.digest"},
		{"no digest", w.as("U0AMIR"), r.ID, reason, "error.digest"},
		{"no reason", w.as("U0AMIR"), value, nil, "error.reason"},
		{"reason of another form", w.as("U0AMIR"), value, map[string]string{FieldReason: "because"}, "error.reason"},
		{"no such request", w.as("U0AMIR"), "forged " + r.Digest, reason, "error.notfound"},
		{"nothing", w.as("U0AMIR"), "", reason, "error.notfound"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.Submit(t.Context(), tt.who, ActionApprove, tt.value, tt.fields, newID())
			if got := why(err); got != tt.why {
				t.Errorf("got %s (%v), want %s", got, err, tt.why)
			}
			if e := w.last(); e.Kind != change.EventRefused || e.Facts["why"] != tt.why {
				t.Errorf("got %+v, want a refusal", e)
			}
			if now, err := w.store.Request(t.Context(), r.ID); err != nil || now.State != change.Pending || len(now.Approvals) != 0 {
				t.Errorf("got %+v, %v, want it untouched", now, err)
			}
		})
	}
	w.must(w.Submit(t.Context(), w.as("U0AMIR"), ActionApprove, value, reason, newID()))
	if _, err := w.Submit(t.Context(), w.as("U0AMIR"), ActionApprove, value, reason, newID()); !errors.Is(err, change.ErrTwice) {
		t.Errorf("got %v, want ErrTwice", err)
	}
	if _, err := w.Form(t.Context(), w.as("U0AMIR"), ActionApprove, value); !errors.Is(err, change.ErrTwice) {
		t.Errorf("got %v, want no form for who has approved", err)
	}
	w.must(w.Submit(t.Context(), w.as("U0BEA"), ActionApprove, value, reason, newID()))
	if now, err := w.store.Request(t.Context(), r.ID); err != nil || now.State != change.Approved || len(now.Approvals) != 2 {
		t.Errorf("got %+v, %v, want approved by two", now, err)
	}
}

// Ensure that of two approvers at once both count when two are needed, and that
// the second is told so when one was enough.
func TestApprove_AtOnce(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		r := w.pending(fmt.Sprintf("vpn-%d", i))
		errs := make(chan error, 2)
		for _, user := range []string{"U0AMIR", "U0BEA"} {
			go func() {
				_, err := w.Submit(context.WithoutCancel(t.Context()), w.as(user), ActionApprove, r.ID+" "+r.Digest, nil, newID())
				errs <- err
			}()
		}
		first, second := <-errs, <-errs
		if (first == nil) == (second == nil) {
			t.Fatalf("got %v and %v, want one approval", first, second)
		}
		if got := why(errors.Join(first, second)); got != "error.state" {
			t.Fatalf("got %s, want the loser to read how it stands", got)
		}
	}
}

// Ensure a denial ends the request and its secrets, and its form takes a reason.
func TestDeny(t *testing.T) {
	w := newWorld(t)
	r := w.pending("vpn-01")
	form, err := w.Form(t.Context(), w.as("U0AMIR"), ActionDeny, r.ID+" "+r.Digest)
	if err != nil || form.Fields[0].Name != FieldReason {
		t.Fatalf("got %+v, %v, want a field for the reason", form, err)
	}
	w.must(w.Submit(t.Context(), w.as("U0AMIR"), form.Action, form.Value, map[string]string{FieldReason: "not now"}, newID()))
	card := w.must(w.Card(t.Context(), r.ID))
	if len(buttons(card)) != 0 || card.Tone != Bad || !slices.Contains(said(card), "card.decided_reason") {
		t.Errorf("got %+v, want a card without buttons that says why", card)
	}
	if _, err := w.store.Sealed(t.Context(), r.Plan.SecretRefs()[0]); !errors.Is(err, secret.ErrDestroyed) && !errors.Is(err, change.ErrNotFound) {
		t.Errorf("got %v, want the password gone", err)
	}
	outcome := w.must(w.Notice(t.Context(), change.Notice{Kind: change.NoticeOutcome, Request: r.ID}))
	if !slices.Contains(said(outcome), "card.decided_reason") {
		t.Errorf("got %+v, want the reason", outcome)
	}
}

// Ensure only the requester's person withdraws, from the card as from a command.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	r := w.pending("vpn-01")
	if _, err := w.Press(t.Context(), w.as("U0AMIR"), ActionCancel, r.ID, newID()); !errors.Is(err, change.ErrNotAllowed) {
		t.Errorf("got %v, want ErrNotAllowed", err)
	}
	w.must(w.say("U0OLGA2", "cancel 1"))
	if _, err := w.say("U0OLGA", "cancel 1"); why(err) != "error.state" {
		t.Errorf("got %v, want a StateError", err)
	}
	if now, err := w.store.Request(t.Context(), r.ID); err != nil || now.State != change.Cancelled {
		t.Errorf("got %+v, %v, want cancelled", now, err)
	}
}

// Ensure an unreachable router is named and an answer is given all the same
// where something is known.
func TestRouters_Unreachable(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Routers = broken{o.Routers, "gw-hq"} })
	if _, err := w.say("U0OLGA", "adduser vpn-01 --for <@U0STAFF>"); why(err) != "estate.silent" {
		t.Errorf("got %v, want the router named", err)
	}
	who := w.must(w.say("U0OLGA", "who"))
	if who.Tone != Warning || !slices.Contains(said(who), "estate.silent") || len(who.Parts[0].Table.Rows) != 1 {
		t.Errorf("got %+v, want the other router's session and a warning", who)
	}
	sites := w.must(w.say("U0OLGA", "sites"))
	if got := sites.Parts[0].Table.Rows[0][4].ID; got != "common.unknown" {
		t.Errorf("got %s, want the number online to be unknown", got)
	}
}

// broken is a fleet of which one router cannot be reached.
type broken struct {
	Routers
	router string
}

func (b broken) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	if router == b.router {
		return change.Snapshot{}, fmt.Errorf("reading %s: %w", router, ros.ErrUnreachable)
	}
	return b.Routers.Snapshot(ctx, router, menus...)
}

// Ensure people without an entry and guests get what is theirs and no more.
func TestRights(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"me", "help", "lang zh-TW", "lang"} {
		w.must(w.say("U0STAFF", line))
	}
	if pref, err := w.store.Preference(t.Context(), change.Unlisted(change.SlackID{Team: team, User: "U0STAFF"})); err != nil || pref.Language != "zh-TW" {
		t.Errorf("got %+v, %v, want zh-TW", pref, err)
	}
	guest := w.as("U0OLGA")
	guest.Guest = true
	for _, v := range Verbs() {
		_, err := w.Run(t.Context(), guest, Command{Verb: v.Name}, "")
		if want := v.Name != "me"; (why(err) == "refuse.guest") != want {
			t.Errorf("%s: got %v, want a guest refused: %v", v.Name, err, want)
		}
	}
	terminal := Caller{Actor: change.Actor{Person: change.Person{ID: "terminal", Role: change.Viewer}}, Terminal: true}
	for _, v := range Verbs() {
		_, err := w.Run(t.Context(), terminal, Command{Verb: v.Name, Args: map[string]string{"request": "1"}}, "")
		if (why(err) == "refuse.terminal") == v.Terminal {
			t.Errorf("%s: got %v, want the terminal served: %v", v.Name, err, v.Terminal)
		}
	}
	help := w.must(w.say("U0STAFF", "help"))
	if got := len(help.Parts) - 1; got != 3 {
		t.Errorf("got %d verbs, want me, lang and help", got)
	}
}

// Ensure several sites with a server must be told apart, and an alias will do.
func TestAdduser_WhichSite(t *testing.T) {
	w := newWorld(t)
	w.define("fengshan", "gw-fs", "fs.example.com")
	if _, err := w.say("U0OLGA", "adduser vpn-01 --for <@U0STAFF>"); why(err) != "adduser.whichsite" {
		t.Errorf("got %v, want to be asked", err)
	}
	w.must(w.say("U0OLGA", "adduser vpn-01 --for <@U0STAFF> --site 鳳山 --yes"))
	if r, err := w.store.RequestByNumber(t.Context(), 1); err != nil || r.Plan.Intent.Site != "fengshan" {
		t.Errorf("got %+v, %v, want fengshan", r, err)
	}
}

// Ensure a second wish for the same account is warned about, and one that needs
// attention locks it.
func TestAdduser_SameSubject(t *testing.T) {
	w := newWorld(t)
	r := w.pending("vpn-01")
	again := w.must(w.say("U0OLGA", "adduser VPN-01 --for <@U0STAFF>"))
	if !slices.Contains(said(again), "preview.same") {
		t.Errorf("got %v, want a warning", said(again))
	}
	w.must(w.Submit(t.Context(), w.as("U0AMIR"), ActionApprove, r.ID+" "+r.Digest, nil, newID()))
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Start(time.Now()) })
	w.transition(r.ID, func(r change.Request) (change.Move, error) { return r.Begin(time.Now(), r.Plan.Steps[0]) })
	if card := w.must(w.Card(t.Context(), r.ID)); len(buttons(card)) != 0 || !slices.ContainsFunc(card.Parts, func(p Part) bool {
		return len(p.Progress) == 1 && p.Progress[0].State == StepNow
	}) {
		t.Errorf("got %+v, want the step under way", card)
	}
	w.transition(r.ID, func(r change.Request) (change.Move, error) {
		return r.Attend(time.Now(), change.T("apply.attend.altered", "router", "gw-hq", "row", "vpn-01"))
	})
	if _, err := w.say("U0OLGA", "adduser vpn-01 --for <@U0STAFF>"); why(err) != "refuse.locked" {
		t.Errorf("got %v, want the subject locked", err)
	}
	if locks := w.must(w.say("U0VERA", "locks")); len(locks.Parts[0].Table.Rows) != 1 {
		t.Errorf("got %+v, want one lock", locks)
	}
	w.must(w.say("U0BEA", "resolve 1 release checked by hand"))
	w.must(w.say("U0OLGA", "adduser vpn-01 --for <@U0STAFF>"))
}

func (w *world) transition(id string, do func(change.Request) (change.Move, error)) change.Request {
	w.t.Helper()
	r, err := w.store.Request(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	receipt, err := w.store.Commit(w.t.Context(), m)
	if err != nil {
		w.t.Fatal(err)
	}
	return *receipt.Request
}

// Ensure a stale request offers a new plan of the same intent.
func TestAgain(t *testing.T) {
	w := newWorld(t)
	r := w.pending("vpn-01")
	w.transition(r.ID, func(r change.Request) (change.Move, error) {
		return r.Overtake(time.Now(), change.Moved{Router: "gw-hq", Menu: "/ip/pool", Row: "vpn-pool", Field: "ranges", Was: "a", Is: "b"})
	})
	outcome := w.must(w.Notice(t.Context(), change.Notice{Kind: change.NoticeOutcome, Request: r.ID}))
	again := buttons(outcome)[ActionAgain]
	if again.Value != r.ID || !slices.Contains(said(outcome), "moved.field") {
		t.Fatalf("got %+v, want the field named and a button", outcome)
	}
	preview := w.must(w.Press(t.Context(), w.as("U0OLGA"), ActionAgain, again.Value, newID()))
	if buttons(preview)[ActionSubmit].Value == "" {
		t.Errorf("got %+v, want a preview", preview)
	}
}

// Ensure sharing answers with what holds now and the presser's own rights, never
// carries buttons, and shares nothing that is personal or changes anything.
func TestShare(t *testing.T) {
	w := newWorld(t)
	w.pending("vpn-01")
	cmd, err := w.Parse("show 1")
	if err != nil {
		t.Fatal(err)
	}
	shared := w.must(w.Press(t.Context(), w.as("U0VERA"), ActionShare, ShareValue(cmd), newID()))
	if shared.Share || len(buttons(shared)) != 0 {
		t.Errorf("got %+v, want no button", shared)
	}
	if _, err := w.Press(t.Context(), w.as("U0STAFF"), ActionShare, ShareValue(cmd), newID()); why(err) != "error.notallowed" {
		t.Errorf("got %v, want the presser's rights", err)
	}
	for _, value := range []string{"", "{}", `{"verb":"me"}`, `{"verb":"cancel","args":{"request":"1"}}`, `{"verb":"adduser"}`} {
		if _, err := w.Press(t.Context(), w.as("U0OLGA"), ActionShare, value, newID()); why(err) != "refuse.action" {
			t.Errorf("%s: got %v, want a refusal", value, err)
		}
	}
}

// Ensure a draft is its requester's alone and dies at its time.
func TestDraft(t *testing.T) {
	w := newWorld(t)
	draft := buttons(w.must(w.say("U0OLGA", "adduser vpn-01 --for <@U0STAFF>")))[ActionSubmit].Value
	for _, action := range []string{ActionSubmit, ActionDiscard} {
		if _, err := w.Press(t.Context(), w.as("U0BEA"), action, draft, newID()); !errors.Is(err, change.ErrNotAllowed) {
			t.Errorf("%s: got %v, want ErrNotAllowed", action, err)
		}
	}
	w.must(w.Press(t.Context(), w.as("U0OLGA"), ActionDiscard, draft, newID()))
	if _, err := w.Press(t.Context(), w.as("U0OLGA"), ActionSubmit, draft, newID()); why(err) != "error.state" {
		t.Errorf("got %v, want a StateError", err)
	}
}

// Ensure an owner outside Slack is named and an operator may open the
// credentials.
func TestAdduser_Handover(t *testing.T) {
	w := newWorld(t)
	w.must(w.say("U0OLGA", "adduser vpn-01 --for 「王 小明」 --handover <@U0BEA> --yes"))
	r, err := w.store.RequestByNumber(t.Context(), 1)
	if err != nil || r.Plan.Reveal.Reader != "bea" || r.Plan.Intent.Account.Owner != change.Outside("王 小明") {
		t.Fatalf("got %+v, %v, want Bea to read", r.Plan.Reveal, err)
	}
	if got := r.Plan.Steps[0].After["comment"]; got != "王 小明" {
		t.Errorf("got comment %q, want the bare name", got)
	}
}

// Ensure nothing that is said or stored repeats the password that was made.
func TestAdduser_NoSecret(t *testing.T) {
	w := newWorld(t)
	r := w.pending("vpn-01")
	sealed, err := w.store.Sealed(t.Context(), r.Plan.SecretRefs()[0])
	if err != nil {
		t.Fatal(err)
	}
	password, err := w.o.Key.Open(sealed)
	if err != nil {
		t.Fatal(err)
	}
	form, err := w.Form(t.Context(), w.as("U0AMIR"), ActionApprove, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{form, w.must(w.Card(t.Context(), r.ID)), w.must(w.say("U0OLGA", "show 1")), w.events(), r} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), password.Expose()) {
			t.Errorf("%T holds the password", v)
		}
	}
}
