package change_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// done is an applied request that does something to vpn-01.
func done(do change.AccountAct, edit ...func(*change.AccountIntent)) change.Request {
	a := &change.AccountIntent{Name: "vpn-01", Do: do, Owner: "staff"}
	for _, e := range edit {
		e(a)
	}
	plan := change.Plan{Intent: change.Intent{Site: "hq", Account: a}, Routers: []string{"gw1"}}
	if do == change.AccountDisable || do == change.AccountExpire {
		plan.Steps = []change.Step{{Menu: "/ppp/secret", Action: schema.Disable}}
	}
	return change.Request{ID: "id-7", Number: 7, Plan: plan}
}

// Ensure what is known of an account follows from what was applied.
func TestAccount_After(t *testing.T) {
	date := start.Add(48 * time.Hour)
	known := change.Account{
		Version: 4, Site: "hq", Router: "gw1", Name: "vpn-01", Owner: "staff", Reader: "staff", Request: "id-1", Number: 1, Created: start.Add(-time.Hour),
		Keyed: "id-1", Expires: date, ExpiresBy: "id-1", Set: start.Add(-time.Hour), Warned: start.Add(-time.Minute), Due: "id-5",
	}
	with := func(edit func(*change.Account)) change.Account {
		a := known
		edit(&a)
		return a
	}
	until := func(t time.Time) func(*change.AccountIntent) { return func(a *change.AccountIntent) { a.Expires = t } }
	enabling := done(change.AccountExtend, until(date.Add(time.Hour)))
	enabling.Plan.Steps = []change.Step{{Menu: "/ppp/secret", Action: schema.Enable}}
	off := with(func(a *change.Account) { a.Off, a.Expired = 5, true })
	tests := []struct {
		name string
		a    change.Account
		r    change.Request
		want change.Account
	}{
		{"made", change.Account{}, done(change.AccountNew, until(date)), change.Account{
			Site: "hq", Router: "gw1", Name: "vpn-01", Owner: "staff", Reader: "staff", Request: "id-7", Number: 7, Created: start,
			Keyed: "id-7", Expires: date, ExpiresBy: "id-7", Set: start,
		}},
		{"made after another of that name", with(func(a *change.Account) { a.Removed = start }), done(change.AccountNew), change.Account{
			Version: 4, Site: "hq", Router: "gw1", Name: "vpn-01", Owner: "staff", Reader: "staff", Request: "id-7", Number: 7, Created: start,
			Keyed: "id-7", Set: start,
		}},
		{"found", change.Account{}, done(change.AccountDisable), change.Account{
			Site: "hq", Router: "gw1", Name: "vpn-01", Request: "id-7", Number: 7, Created: start, Adopted: true, Off: 7,
		}},
		{"removed", known, done(change.AccountRemove), with(func(a *change.Account) { a.Removed = start })},
		{"switched off", known, done(change.AccountDisable), with(func(a *change.Account) { a.Off = 7 })},
		{"expired", known, done(change.AccountExpire), with(func(a *change.Account) { a.Off, a.Expired = 7, true })},
		{"switched on", off, done(change.AccountEnable), known},
		{"new password", known, done(change.AccountPassword, func(a *change.AccountIntent) { a.Owner, a.Handover = "outside:Mr Lee", "olga" }), with(func(a *change.Account) {
			a.Owner, a.Reader, a.Keyed = "outside:Mr Lee", "olga", "id-7"
		})},
		{"another date", known, done(change.AccountExtend, until(date.Add(time.Hour))), with(func(a *change.Account) {
			a.Expires, a.ExpiresBy, a.Set, a.Warned, a.Due = date.Add(time.Hour), "id-7", start, time.Time{}, ""
		})},
		{"another date after it was over", off, enabling, with(func(a *change.Account) {
			a.Expires, a.ExpiresBy, a.Set, a.Warned, a.Due = date.Add(time.Hour), "id-7", start, time.Time{}, ""
		})},
		{"another date after somebody switched it on", off, done(change.AccountExtend, until(date.Add(time.Hour))), with(func(a *change.Account) {
			a.Off = 5
			a.Expires, a.ExpiresBy, a.Set, a.Warned, a.Due = date.Add(time.Hour), "id-7", start, time.Time{}, ""
		})},
		{"no date", known, done(change.AccountExtend), with(func(a *change.Account) {
			a.Expires, a.ExpiresBy, a.Set, a.Warned, a.Due = time.Time{}, "", start, time.Time{}, ""
		})},
		{"kicked", known, done(change.AccountKick), known},
		{"made again", with(func(a *change.Account) { a.Removed = start }), done(change.AccountRestore, until(date)), with(func(a *change.Account) {
			a.Keyed, a.ExpiresBy, a.Set, a.Warned, a.Due = "id-7", "id-7", start, time.Time{}, ""
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.a.After(start, tt.r)); diff != "" {
				t.Errorf("(-want +got): %s", diff)
			}
		})
	}
}

// Ensure people are told a week and a day before, unless the date was set later
// than that, and once when it is over and nothing has come of it.
func TestAccount_Warning(t *testing.T) {
	day := 24 * time.Hour
	tests := []struct {
		name                 string
		set, warned, expires time.Duration // from now
		edit                 func(*change.Account)
		want                 time.Duration
		due                  bool
	}{
		{"long before", -30 * day, 0, 8 * day, nil, 0, false},
		{"a week before", -30 * day, 0, 7 * day, nil, change.WarnWeek, true},
		{"told a moment ago", -30 * day, -time.Hour, 7*day - 2*time.Hour, nil, change.WarnWeek, false},
		{"told on time, a day before", -30 * day, -6 * day, day, nil, change.WarnDay, true},
		{"set for less than a week", -time.Hour, 0, 6 * day, nil, change.WarnWeek, false},
		{"set for less than a week, a day before", -3 * day, 0, day - time.Hour, nil, change.WarnDay, true},
		{"set for less than a day", -time.Hour, 0, time.Hour, nil, change.WarnDay, false},
		{"just over", -30 * day, -day, -time.Minute, nil, 0, false},
		{"over for long", -30 * day, -day, -time.Hour, nil, change.WarnLate, true},
		{"over for long, and told", -30 * day, -time.Minute, -time.Hour, nil, change.WarnLate, false},
		{"set for a moment, and over", -2 * time.Hour, 0, -time.Hour, nil, change.WarnLate, true},
		{"ended", -30 * day, -day, -time.Hour, func(a *change.Account) { a.Expired = true }, 0, false},
		{"removed", -30 * day, -day, -time.Hour, func(a *change.Account) { a.Removed = start }, 0, false},
		{"never", -30 * day, 0, 0, func(a *change.Account) { a.Expires = time.Time{} }, 0, false},
	}
	for _, tt := range tests {
		a := change.Account{Site: "hq", Name: "vpn-01", Owner: "staff", Set: start.Add(tt.set), Expires: start.Add(tt.expires)}
		if tt.warned != 0 {
			a.Warned = start.Add(tt.warned)
		}
		if tt.edit != nil {
			tt.edit(&a)
		}
		got, due := a.Warning(start)
		if due != tt.due || due && got != tt.want {
			t.Errorf("%s: %v %v, want %v %v", tt.name, got, due, tt.want, tt.due)
		}
		granted := request(t, change.Proven)
		m, err := a.Warn(start, granted)
		if (err == nil) != tt.due {
			t.Errorf("%s: Warn: %v", tt.name, err)
		}
		if err != nil {
			continue
		}
		var told []change.Audience
		for _, n := range m.Notices {
			told = append(told, n.Audience)
		}
		want := []change.Audience{{Person: "olga"}, {Person: "staff"}}
		if tt.want == change.WarnLate {
			want = []change.Audience{{Channel: change.ChannelApprovals}}
		}
		if diff := cmp.Diff(want, told); diff != "" || !m.Accounts[0].Warned.Equal(start) {
			t.Errorf("%s: told (-want +got): %s", tt.name, diff)
		}
	}
}

// Ensure an account ends by itself only on the approval of exactly that date, and
// that the request says so.
func TestNewExpiry(t *testing.T) {
	date := start.Add(-time.Minute)
	grant := func(s change.State) change.Request {
		r := request(t, s)
		r.Plan.Intent.Account.Expires = date
		return r
	}
	plan := func() change.Plan {
		return change.Plan{
			Intent: change.Intent{Verb: "expire", Site: "hq", Account: &change.AccountIntent{Name: "vpn-01", Do: change.AccountExpire, Expires: date}},
			Steps:  []change.Step{{ID: 1, Router: "gw1", Menu: "/ppp/secret", Action: schema.Disable, Match: schema.Row{"name": "vpn-01"}}},
		}
	}
	m, err := change.NewExpiry(start, "id-9", plan(), grant(change.Proven))
	if err != nil {
		t.Fatal(err)
	}
	r, e := m.Request, m.Events[0]
	if r.State != change.Approved || r.Requester != change.SystemPerson || r.Missing() != 0 || r.Under.Number != 42 || len(r.Under.Approvals) != 1 {
		t.Errorf("got %+v", r)
	}
	if e.Kind != change.EventDue || e.Actor != change.SystemPerson || e.To != change.Approved || e.Facts["approved-in"] != "#42" || e.Facts["approved-by"] != "anna" {
		t.Errorf("event %+v", e)
	}
	if _, err := r.Cancel(start, olga, ""); !errors.Is(err, change.ErrNotAllowed) {
		t.Errorf("cancelled: %v", err)
	}
	started, err := r.Start(start.Add(time.Minute))
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	if n := started.Notices; len(n) != 1 {
		t.Errorf("notices %+v", n)
	}
	failed, err := started.Request.Fail(start.Add(time.Minute), change.T("x"))
	if err != nil || failed.Notices[1].Audience.Person != "olga" {
		t.Errorf("the outcome goes to %+v, %v, want whoever asked for the date", failed.Notices, err)
	}
	late, err := r.Lapse(start.Add(change.ApprovalLife))
	if err != nil || late.To != change.Stale {
		t.Errorf("after its time it is %s, %v", late.To, err)
	}
	forged := *r
	forged.Under = &change.Earlier{}
	if _, err := forged.Start(start); !errors.Is(err, change.ErrDigest) {
		t.Errorf("without an approval: %v", err)
	}

	for name, edit := range map[string]func(*change.Plan, *change.Request){
		"nothing applied": func(_ *change.Plan, r *change.Request) { r.State = change.Approved },
		"reverted":        func(_ *change.Plan, r *change.Request) { r.State = change.Reverted },
		"another account": func(p *change.Plan, _ *change.Request) { p.Intent.Account.Name = "vpn-02" },
		"another site":    func(p *change.Plan, _ *change.Request) { p.Intent.Site = "fengshan" },
		"another act":     func(p *change.Plan, _ *change.Request) { p.Intent.Account.Do = change.AccountRemove },
		"another date":    func(_ *change.Plan, r *change.Request) { r.Plan.Intent.Account.Expires = date.Add(-time.Hour) },
		"too early": func(p *change.Plan, r *change.Request) {
			p.Intent.Account.Expires = start.Add(1)
			r.Plan.Intent.Account.Expires = start.Add(1)
		},
		"no date": func(p *change.Plan, r *change.Request) {
			p.Intent.Account.Expires = time.Time{}
			r.Plan.Intent.Account.Expires = time.Time{}
		},
		"nobody approved":      func(_ *change.Plan, r *change.Request) { r.Approvals = nil },
		"an expiry of its own": func(_ *change.Plan, r *change.Request) { r.Under = &change.Earlier{} },
	} {
		p, r := plan(), grant(change.Proven)
		edit(&p, &r)
		if _, err := change.NewExpiry(start, "id-9", p, r); !errors.Is(err, change.ErrNotAllowed) {
			t.Errorf("%s: %v, want %v", name, err, change.ErrNotAllowed)
		}
	}
}

// Ensure an account that is not ended says why, and what is left is told to
// somebody when it is not for the best.
func TestAccount_Leave(t *testing.T) {
	granted := request(t, change.Proven)
	for why, told := range map[string]bool{"gone": false, "off": false, "released": false, "plan.refuse.made_anew": true} {
		a := change.Account{Site: "hq", Name: "vpn-01", Expires: start, ExpiresBy: "id-1"}
		m := a.Leave(start, why, granted)
		if (len(m.Notices) > 0) != told || m.Events[0].Kind != change.EventLeft || m.Events[0].Facts["why"] != why {
			t.Errorf("%s: %+v", why, m)
		}
		if _, due := m.Accounts[0].Warning(start.Add(24 * time.Hour)); due {
			t.Errorf("%s: somebody is to be told again", why)
		}
	}
}
