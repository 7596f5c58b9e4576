//go:build !nodemo

package main

import (
	"context"
	"slices"
	"time"

	"vpnbot/change"
	"vpnbot/ros/rossim"
)

// stuck is a change that has come to need a person: at one of its writes something
// has gone wrong, which is over by now.
type stuck struct {
	of      story
	mishap  string
	nth     int
	on      string
	decided change.Decision // what the bot had
	// replaced: what follows does not end it one way or the other, but begins with
	// what the routers hold.
	replaced bool
}

// far tells that a story takes long to get to.
func (c story) far() bool {
	return c.stuck != nil || c.inBand || slices.ContainsFunc(c.before, func(b story) bool { return len(b.routers) > 1 })
}

// stuckStories are how people end a redo that needs them.
func stuckStories() []story {
	redo := tunnelStory("redo", "/vpn redo fengshan")
	resolve := func(how, form string, s stuck) story {
		c := tunnelStory("resolve "+how, "/vpn resolve 1 "+how+" 查過了")
		s.of, s.mishap, s.on = redo, "right revoked", "gw-fengshan"
		c.form, c.ends, c.repeats, c.stuck = form, []string{"已套用", "已確認生效", "已還原"}, false, &s
		return c
	}
	all := []story{
		resolve("keep", "兩台路由器都改到新設定", stuck{nth: keptAt, decided: change.DecidedCommit}),
		resolve("restore", "兩台路由器都恢復舊設定", stuck{nth: restoredAt, decided: change.DecidedRevert}),
		resolve("adopt", tunnelName, stuck{nth: restoredAt, decided: change.DecidedRevert, replaced: true}),
	}
	all[2].ends = append(all[2].ends, "需人工處理") // a plan of its own, which may come to need a person too
	return all
}

// The writes on fengshan's router at which a right is revoked, so that a redo needs a
// person when it is being committed, and when it is being taken back.
const (
	keptAt     = 9
	restoredAt = 7
)

// stall plays the change that comes to need a person, and mends what broke it.
func (f *fork) stall() {
	f.t.Helper()
	s := f.c.stuck
	x := mishapNamed(s.mishap)
	x.lasts = 11 * time.Minute // until it is left to a person
	m := &mess{fork: f, mishap: x, nth: s.nth, on: []string{s.on}, seen: map[string]int{}, api: map[string]int{}}
	f.p = newStoryPeople(f.w.demo, s.of, patience)
	f.p.trusting = true
	m.lay()
	ctx, cancel := context.WithTimeout(f.t.Context(), m.lasts+overdue)
	defer cancel()
	if err := f.p.play(ctx); err != nil {
		f.t.Fatalf("%s, %s: %v", s.of.name, s.mishap, err)
	}
	time.Sleep(m.lasts + time.Minute)
	if got := m.stuck().Decided; got != s.decided {
		f.t.Fatalf("%s, %s at write %d: it was decided %q, want %q", s.of.name, s.mishap, s.nth, got, s.decided)
	}
	for _, o := range f.w.routers {
		o.router.SetFaults(rossim.Faults{})
	}
}

// insist has people decide once more what an outage has kept from its end.
func (f *fork) insist() {
	f.t.Helper()
	stalled, err := f.w.sys.store.Requests(f.t.Context(), change.Filter{States: []change.State{change.NeedsAttention}})
	if err != nil {
		f.t.Fatal(err)
	}
	if len(stalled) > 0 {
		time.Sleep(absence)
		f.p = newStoryPeople(f.w.demo, f.c, patience)
		f.play()
	}
}

// inBandStories are changes of the tunnel that the bot talks through.
func inBandStories() []story {
	all := []story{
		tunnelStory("redo in band", "/vpn redo fengshan"),
		tunnelStory("rotate psk in band", "/vpn rotate psk fengshan"),
		tunnelStory("wrong redo in band", "/vpn redo fengshan"),
	}
	for i := range all {
		all[i].inBand, all[i].repeats = true, false
	}
	all[2].wrong = true
	return all
}
