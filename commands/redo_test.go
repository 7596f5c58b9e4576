package commands

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// whole is a star whose routers also show what planning looks at.
type whole struct{ *star }

func (n whole) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	snap, err := n.star.Snapshot(ctx, router, menus...)
	if err != nil {
		return snap, err
	}
	rows := map[string][]schema.Row{
		"/ip/ipsec/identity": {}, "/ip/ipsec/policy/group": {}, "/user/active": {}, "/safe-mode": {}, "/system/device-mode": {},
		"/ip/pool":              {{"name": "vpn-pool", "ranges": "10.0.0.200-10.0.0.220"}},
		"/ip/ipsec/profile":     {profile("default"), profile("site")},
		"/ip/ipsec/proposal":    {{"name": "default", "default": "true", "enc-algorithms": "aes-256-cbc", "auth-algorithms": "sha1", "lifetime": "30m", "pfs-group": "modp1024"}},
		"/ip/firewall/nat":      {{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1"}},
		"/ip/firewall/filter":   {},
		"/ip/ipsec/mode-config": {},
	}
	for _, peer := range snap.Menus["/ip/ipsec/peer"] {
		peer["profile"] = "site"
		rows["/ip/ipsec/identity"] = append(rows["/ip/ipsec/identity"], schema.Row{"peer": peer["name"], "auth-method": "pre-shared-key", "comment": "by hand"})
	}
	maps.Copy(rows, snap.Menus)
	snap.Menus = rows
	for menu, list := range snap.Menus {
		for i, row := range list {
			row[schema.ID] = "*" + menu[len(menu)-1:] + string(rune('A'+i))
		}
	}
	return snap, nil
}

func profile(name string) schema.Row {
	return schema.Row{
		"name": name, "dh-group": "modp2048", "enc-algorithm": "aes-256", "hash-algorithm": "sha256", "lifetime": "1d",
		"dpd-interval": "8s", "dpd-maximum-failures": "4", "nat-traversal": "true",
	}
}

// openWhole is a service that can plan for the tunnels of a star.
func openWhole(t *testing.T, n *star) *world {
	t.Helper()
	key, err := secret.NewKey(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return n.open(t, func(o *Options) { o.Routers, o.Key = whole{n}, key })
}

// drafted returns the request behind a preview.
func (w *world) drafted(preview Reply) change.Request {
	w.t.Helper()
	r, err := w.store.Request(w.t.Context(), buttons(preview)[ActionSubmit].Value)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Ensure the words reach the planner: both routers read, the new key sealed
// with the draft and shown by its mark alone, the rule of either site asked for.
func TestRedo(t *testing.T) {
	for _, line := range []string{"redo 鳳山", "重建 hq-fengshan", "rotate psk fengshan", "更換金鑰 總公司-鳳山", "rekey hq-fengshan", "重新協商 鳳山"} {
		t.Run(line, func(t *testing.T) {
			n := newStar(3)
			w := openWhole(t, n)
			w.o.Rules = change.Rules{{Sites: []string{"fengshan"}, Approvals: 2}}
			preview := w.must(w.say("U0OLGA", line))
			if n.reads["gw-hq"] != 2 || n.reads["gw-fengshan"] != 2 || n.reads["gw-taichung"] != 0 {
				t.Errorf("got %v, want both ends read once for the plan and once for the rights that it takes", n.reads)
			}
			r := w.drafted(preview)
			i := r.Plan.Intent
			if i.Site != "hq" || i.Far != "fengshan" || i.Tunnel != "hq-fengshan" || r.Subject() != "tunnel hq-fengshan" {
				t.Errorf("got %+v of %s", i, r.Subject())
			}
			if r.Rule.Approvals != 2 {
				t.Errorf("got %d approvals, want fengshan's rule", r.Rule.Approvals)
			}
			refs := r.Plan.SecretRefs()
			if (len(refs) > 0) != (i.Verb != verbRekey) {
				t.Fatalf("got secrets %v", refs)
			}
			for _, ref := range refs {
				if ref != refs[0] {
					t.Errorf("the ends get %s and %s", refs[0], ref)
				}
				sealed, err := w.store.Sealed(t.Context(), ref)
				if err != nil {
					t.Fatal(err)
				}
				psk, err := w.o.Key.Open(sealed)
				if err != nil || len(psk.Expose()) < 40 || strings.HasPrefix(psk.Expose(), "0x") {
					t.Errorf("got a key of %d characters, %v", len(psk.Expose()), err)
				}
			}
		})
	}
}

// Ensure each refusal has its sentence, and nothing is left of it.
func TestRedo_Refused(t *testing.T) {
	n := newStar(3)
	w := openWhole(t, n)
	for _, tt := range []struct{ user, line, why string }{
		{"U0VERA", "redo hq-fengshan", "error.notallowed"},
		{"U0STAFF", "redo hq-fengshan", "error.notallowed"},
		{"U0FRED", "redo hq-fengshan", "error.notallowed"}, // one end is his
		{"U0FRED", "rekey fengshan", "error.notallowed"},
		{"U0FRED", "rotate psk taichung", "error.notallowed"},
		{"U0OLGA", "redo hunter2", "parse.place"},
		{"U0OLGA", "resolve 1 restore why", "error.notfound"},
	} {
		before := len(w.events())
		if _, err := w.say(tt.user, tt.line); why(err) != tt.why {
			t.Errorf("%s %s: got %v, want %s", tt.user, tt.line, err, tt.why)
		}
		if got := len(w.events()) - before; got != 1 {
			t.Errorf("%s %s: %d events, want one refusal", tt.user, tt.line, got)
		}
	}
	if len(n.reads) != 0 {
		t.Errorf("read %v for nobody", n.reads)
	}

	n.silent["gw-fengshan"] = errors.New("planted")
	if _, err := w.say("U0OLGA", "redo fengshan"); err == nil || !strings.Contains(err.Error(), "gw-fengshan") {
		t.Errorf("got %v, want the router named", err)
	}
	lone := newStar(1)
	w = openWhole(t, lone)
	if _, err := w.say("U0OLGA", "redo hq"); why(err) != "tunnel.none" {
		t.Errorf("got %v, want no definition", err)
	}
}

// Ensure a site with several tunnels asks which, among those that the caller may
// change, and that the choice is carried out with the rights of whoever presses.
func TestRedo_Which(t *testing.T) {
	w := openWhole(t, newStar(3))
	asked := w.must(w.say("U0OLGA", "rekey 總公司 --yes"))
	var values []string
	for _, p := range asked.Parts {
		for _, b := range p.Buttons {
			if b.Action != ActionPick {
				t.Errorf("got a button to %s", b.Action)
			}
			values = append(values, b.Value)
		}
	}
	if len(values) != 2 {
		t.Fatalf("got %v, want both tunnels", values)
	}
	press := func(user, value string) error {
		_, err := w.Press(t.Context(), w.as(user), ActionPick, value, newID())
		return err
	}
	if err := press("U0FRED", values[0]); why(err) != "error.notallowed" {
		t.Errorf("got %v, want Fred refused", err)
	}
	for _, forged := range []string{"", "{", ShareValue(Command{Verb: "status"}), ShareValue(Command{Verb: "adduser"})} {
		if err := press("U0OLGA", forged); why(err) != "refuse.action" {
			t.Errorf("%q: got %v, want it refused", forged, err)
		}
	}
	if err := press("U0OLGA", values[0]); err != nil {
		t.Fatal(err)
	}
	r, err := w.store.RequestByNumber(t.Context(), 1)
	if err != nil || r.Subject() != "tunnel hq-fengshan" || r.Plan.Intent.Verb != verbRekey {
		t.Errorf("got %s, %v", r.Subject(), err)
	}
}

// acted takes a request through the phases by hand, as the engine would.
type acted struct {
	*world
	id string
}

func (p acted) do(move func(change.Request, time.Time) (change.Move, error)) {
	p.transition(p.id, func(r change.Request) (change.Move, error) { return move(r, time.Now()) })
}

func (p acted) enter(phase string) {
	p.do(func(r change.Request, now time.Time) (change.Move, error) { return r.Enter(now, phase) })
}

func (p acted) stage(steps ...change.Step) {
	for _, s := range steps {
		p.do(func(r change.Request, now time.Time) (change.Move, error) { return r.Begin(now, s) })
		p.do(func(r change.Request, now time.Time) (change.Move, error) { return r.Finish(now, s) })
	}
}

// started submits line, has it approved and starts it.
func (w *world) started(line string) acted {
	w.t.Helper()
	w.must(w.say("U0OLGA", line+" --yes"))
	list, err := w.store.Requests(w.t.Context(), change.Filter{Newest: true, Limit: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	r := list[0]
	w.must(w.Submit(w.t.Context(), w.as("U0AMIR"), ActionApprove, r.ID+" "+r.Digest, nil, newID()))
	p := acted{w, r.ID}
	p.do(func(r change.Request, now time.Time) (change.Move, error) { return r.Start(now) })
	return p
}

// Ensure a tunnel's request reads well from preview to its end, in both
// languages.
func TestGolden_Tunnel(t *testing.T) {
	w := openWhole(t, newStar(3))
	ctx := t.Context()
	var f film
	card := func(name, id string) { f.add(name, w.must(w.Card(ctx, id))) }
	outcome := func(name, id string) {
		f.add(name, w.must(w.Notice(ctx, change.Notice{Kind: change.NoticeOutcome, Request: id})))
	}

	f.add("/vpn redo hq", w.must(w.say("U0OLGA", "redo hq")))
	f.add("/vpn redo fengshan", w.must(w.say("U0OLGA", "redo fengshan")))
	f.add("/vpn rotate psk fengshan", w.must(w.say("U0OLGA", "rotate psk fengshan")))
	f.add("/vpn rekey fengshan", w.must(w.say("U0OLGA", "rekey fengshan")))

	p := w.started("redo fengshan")
	r, err := w.store.Request(ctx, p.id)
	if err != nil {
		t.Fatal(err)
	}
	p.enter(change.PhaseStage)
	far, near := r.Plan.Routers[0], r.Plan.Routers[1]
	p.stage(r.Plan.In(change.PhaseStage, far)...)
	p.stage(r.Plan.In(change.PhaseStage, near)[:2]...)
	card("card, staging", p.id)
	p.stage(r.Plan.In(change.PhaseStage, near)[2:]...)
	p.enter(change.PhaseArm)
	p.enter(change.PhaseCutOver)
	card("card, cutting over", p.id)
	f.add("/vpn redo fengshan, while one is applied", w.must(w.say("U0OLGA", "redo fengshan")))
	p.enter(change.PhaseProve)
	p.do(func(r change.Request, now time.Time) (change.Move, error) {
		return r.Decide(now, change.DecidedCommit, change.Text{}, map[string]string{"phase1": "fresh"})
	})
	card("card, committing", p.id)
	p.do(func(r change.Request, now time.Time) (change.Move, error) { return r.Commit(now) })
	card("card, committed", p.id)
	outcome("outcome, committed", p.id)

	p = w.started("redo fengshan")
	for _, phase := range []string{change.PhaseStage, change.PhaseArm, change.PhaseCutOver, change.PhaseProve} {
		p.enter(phase)
	}
	p.do(func(r change.Request, now time.Time) (change.Move, error) {
		return r.Decide(now, change.DecidedRevert, change.T("apply.tunnel.phase1", "router", "gw-hq"), nil)
	})
	card("card, reverting", p.id)
	p.do(func(r change.Request, now time.Time) (change.Move, error) { return r.Revert(now, change.Text{}) })
	card("card, reverted", p.id)
	outcome("outcome, reverted", p.id)

	p = w.started("rekey taichung")
	p.enter(change.PhaseStage)
	p.enter(change.PhaseProve)
	card("card, rekey", p.id)
	p.do(func(r change.Request, now time.Time) (change.Move, error) {
		return r.Decide(now, change.DecidedCommit, change.Text{}, nil)
	})
	p.do(func(r change.Request, now time.Time) (change.Move, error) { return r.Commit(now) })
	outcome("outcome, rekeyed", p.id)
	p = w.started("rekey taichung")
	p.enter(change.PhaseStage)
	p.enter(change.PhaseProve)
	p.do(func(r change.Request, now time.Time) (change.Move, error) {
		return r.Decide(now, change.DecidedRevert, change.T("apply.tunnel.phase1", "router", "gw-hq"), nil)
	})
	card("card, rekey fails", p.id)
	p.do(func(r change.Request, now time.Time) (change.Move, error) { return r.Revert(now, change.Text{}) })
	outcome("outcome, not rekeyed", p.id)

	p = w.started("rotate psk fengshan")
	for _, phase := range []string{change.PhaseStage, change.PhaseArm, change.PhaseCutOver} {
		p.enter(phase)
	}
	p.do(func(r change.Request, now time.Time) (change.Move, error) {
		return r.Attend(now, change.T("apply.tunnel.odd", "router", "gw-hq", "row", "10.0.0.0/24/10.1.0.0/24"))
	})
	card("card, attention", p.id)
	outcome("outcome, attention", p.id)
	f.add("/vpn locks", w.must(w.say("U0OLGA", "locks")))
	number := r.Number + 4
	r, err = w.store.Request(ctx, p.id)
	if err != nil || r.Number != number {
		t.Fatalf("got #%d, %v, want #%d", r.Number, err, number)
	}
	_, err = w.say("U0OLGA", "redo fengshan")
	if why(err) != "refuse.locked" {
		t.Errorf("got %v, want the tunnel locked", err)
	}
	for _, how := range []string{"keep", "restore"} {
		f.add("/vpn resolve "+how, w.must(w.say("U0OLGA", "resolve "+r.Title()+" "+how+" somebody meddled")))
	}
	f.add("/vpn requests", w.must(w.say("U0OLGA", "requests")))
	w.golden("tunnel", f.names, f.replies...)
}

// Ensure what a card says of each phase follows from how far the change has come.
func TestWay(t *testing.T) {
	plan := change.Plan{Tunnel: &change.TunnelPlan{}, Steps: []change.Step{{ID: 1}}}
	bare := change.Plan{Tunnel: &change.TunnelPlan{}}
	const todo, now, done, failed, unknown = StepTodo, StepNow, StepDone, StepFailed, StepUnknown
	for _, tt := range []struct {
		name    string
		r       change.Request
		reached string
		want    []StepState
	}{
		{"staging", change.Request{State: change.Applying, Plan: plan}, change.PhaseStage, []StepState{now, todo, todo, todo, todo}},
		{"proving", change.Request{State: change.Applying, Plan: plan}, change.PhaseProve, []StepState{done, done, done, now, todo}},
		{"committing", change.Request{State: change.Applying, Plan: plan, Decided: change.DecidedCommit}, change.PhaseProve, []StepState{done, done, done, done, now}},
		{"committed", change.Request{State: change.Committed, Plan: plan, Decided: change.DecidedCommit}, change.PhaseProve, []StepState{done, done, done, done, done}},
		{"going back from staging", change.Request{State: change.Applying, Plan: plan, Decided: change.DecidedRevert}, change.PhaseStage, []StepState{failed, todo, todo, todo, now}},
		{"reverted", change.Request{State: change.Reverted, Plan: plan, Decided: change.DecidedRevert}, change.PhaseCutOver, []StepState{done, done, failed, todo, done}},
		{"attention, undecided", change.Request{State: change.NeedsAttention, Plan: plan}, change.PhaseProve, []StepState{done, done, done, unknown, todo}},
		{"attention, decided", change.Request{State: change.NeedsAttention, Plan: plan, Decided: change.DecidedCommit}, change.PhaseProve, []StepState{done, done, done, done, unknown}},
		{"rekey", change.Request{State: change.Applying, Plan: bare}, change.PhaseProve, []StepState{done, now, todo}},
	} {
		w := way{r: tt.r}
		w.reach(tt.reached)
		var got []StepState
		for _, phase := range w.list() {
			got = append(got, w.state(phase))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

var _ Routers = whole{}

// Ensure whoever may read at one of a tunnel's sites sees its requests.
func TestRequests_Tunnel(t *testing.T) {
	w := openWhole(t, newStar(3))
	w.must(w.say("U0OLGA", "rekey hq-fengshan --yes"))
	w.must(w.say("U0OLGA", "rekey hq-taichung --yes"))
	reply := w.must(w.say("U0FRED", "requests"))
	say := func(t change.Text) string { return w.catalog.Say("en", t, style()) }
	if text := Plain(reply, say); !strings.Contains(text, "hq-fengshan") || strings.Contains(text, "hq-taichung") {
		t.Errorf("got %s, want Fred's own site", text)
	}
	if _, err := w.say("U0FRED", "show 1"); err != nil {
		t.Error(err)
	}
	if _, err := w.say("U0FRED", "show 2"); why(err) != "error.notallowed" {
		t.Errorf("got %v, want it refused", err)
	}
	if text := Plain(w.must(w.say("U0FRED", "audit")), say); !strings.Contains(text, "hq-fengshan") || strings.Contains(text, "hq-taichung") {
		t.Errorf("got %s, want the events of Fred's own site", text)
	}
	r, err := w.store.RequestByNumber(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Form(t.Context(), w.as("U0FRED"), ActionApprove, r.ID+" "+r.Digest); why(err) != "error.notallowed" {
		t.Errorf("got %v, want an approver of one site refused", err)
	}
	if vpn.KindTunnel != r.Plan.Definition.Kind {
		t.Errorf("got %+v, want the definition named", r.Plan.Definition)
	}
}
