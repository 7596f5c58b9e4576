package commands

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Samples tells what the last polls of a router read, oldest first, failures
// among them. Nobody may change the rows.
type Samples interface {
	Samples(router string) []vpn.Half
}

const (
	// freshEnough is how old a poll may be to answer for the whole estate.
	freshEnough = 90 * time.Second
	// between is how long after a first look a second one is taken, when nothing
	// earlier is there to compare with.
	between = 2 * time.Second
)

// survey is what routers say of tunnels, and what follows from it.
type survey struct {
	s       *Service
	tunnels []vpn.Tunnel
	halves  map[string][]vpn.Half // by router, oldest first
	asked   map[string]bool       // routers that this answer has read
	judged  []vpn.Judged          // in the order of tunnels
	second  bool                  // a second look was taken
}

func (s *Service) newSurvey(tunnels []vpn.Tunnel) *survey {
	return &survey{s: s, tunnels: tunnels, halves: map[string][]vpn.Half{}, asked: map[string]bool{}}
}

// all judges from the last polls. Only where they are missing, too old or do not
// suffice are routers read.
func (v *survey) all(ctx context.Context, routers []string) error {
	var missing []string
	now := time.Now()
	for _, r := range routers {
		v.halves[r] = v.s.samples(r)
		if h, ok := v.newest(r); !ok || now.Sub(h.At) > freshEnough {
			missing = append(missing, r)
		}
	}
	// The other ends too: two looks of one moment are worth more than two of
	// different ones.
	for _, t := range v.tunnels {
		if ends := routersOf(t); slices.ContainsFunc(ends, func(r string) bool { return slices.Contains(missing, r) }) {
			missing = append(missing, ends...)
		}
	}
	v.look(ctx, missing)
	v.judge()
	if more := v.unsettled(false); len(more) > 0 {
		v.look(ctx, more)
		v.judge()
	}
	return v.again(ctx)
}

// now judges from a look at every router that the tunnels and the given ones
// make, compared with the last polls.
func (v *survey) now(ctx context.Context, routers []string) error {
	for _, t := range v.tunnels {
		routers = append(routers, routersOf(t)...)
	}
	v.look(ctx, routers)
	v.judge()
	return v.again(ctx)
}

// again takes a second look at what one look could not tell.
func (v *survey) again(ctx context.Context) error {
	routers := v.unsettled(true)
	if len(routers) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	wait := time.NewTimer(between)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	v.second = true
	v.look(ctx, routers)
	v.judge()
	return ctx.Err()
}

// look reads routers side by side and adds what they say.
func (v *survey) look(ctx context.Context, routers []string) {
	routers = slices.Compact(slices.Sorted(slices.Values(routers)))
	found := make([]vpn.Half, len(routers))
	var wg sync.WaitGroup
	for i, router := range routers {
		wg.Go(func() {
			at := time.Now().UTC()
			snap, err := v.s.snapshot(ctx, router, vpn.StatusMenus()...)
			if err != nil {
				snap = change.Snapshot{Router: router, At: at}
			}
			found[i] = vpn.Half{Snapshot: snap, Err: err}
		})
	}
	wg.Wait()
	for i, router := range routers {
		if !v.asked[router] && len(v.halves[router]) == 0 {
			v.halves[router] = v.s.samples(router)
		}
		v.asked[router] = true
		v.halves[router] = append(slices.Clip(v.halves[router]), found[i])
	}
}

// judge judges every tunnel by what is known now.
func (v *survey) judge() {
	wants := make([]vpn.Expected, len(v.tunnels))
	for i, t := range v.tunnels {
		wants[i] = t.Expect(v.s.o.Estate)
	}
	v.judged = vpn.JudgeAll(wants, func(router string) []vpn.Half { return v.halves[router] }, time.Now())
}

// unsettled returns the routers of tunnels on which another look can throw more
// light: all of them, or those that this answer has not read.
func (v *survey) unsettled(asked bool) []string {
	var routers []string
	for _, j := range v.judged {
		switch j.Reason.ID {
		case "status.unknown.one_sample", "status.unknown.moving":
		default:
			continue
		}
		ends := routersOf(j.Tunnel)
		if asked || slices.ContainsFunc(ends, func(r string) bool { return !v.asked[r] }) {
			routers = append(routers, ends...)
		}
	}
	return routers
}

// newest returns what a router said last.
func (v *survey) newest(router string) (vpn.Half, bool) {
	list := v.halves[router]
	if len(list) == 0 {
		return vpn.Half{}, false
	}
	return list[len(list)-1], true
}

// routersOf are the routers of a tunnel that are ours.
func routersOf(t vpn.Tunnel) []string {
	return slices.DeleteFunc([]string{t.Ends[0].Router, t.Ends[1].Router}, func(r string) bool { return r == "" })
}

// samples are those of the last polls, when somebody polls.
func (s *Service) samples(router string) []vpn.Half {
	if s.o.Samples == nil {
		return nil
	}
	return s.o.Samples.Samples(router)
}

// silent says which routers did not answer, and why, at most a few of them.
func (v *survey) silent() []Part {
	const shown = 5
	var parts []Part
	left := 0
	for _, router := range v.routers() {
		h, ok := v.newest(router)
		if !ok || h.Err == nil {
			continue
		}
		if len(parts) == shown {
			left++
			continue
		}
		parts = append(parts, v.s.why(router, h.Err))
	}
	if left > 0 {
		parts = append(parts, Say(Warning, change.T("status.silent.more", "count", left)))
	}
	return parts
}

func (v *survey) routers() []string {
	var names []string
	for name := range v.halves {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}

// age is how old the oldest of the newest looks is. The second result is false
// when nothing was read.
func (v *survey) age(now time.Time) (time.Duration, bool) {
	var age time.Duration
	found := false
	for router := range v.halves {
		if h, ok := v.newest(router); ok && h.Err == nil {
			age, found = max(age, now.Sub(h.At)), true
		}
	}
	return age, found
}
