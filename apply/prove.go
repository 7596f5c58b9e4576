package apply

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Sizes and number of the packets of a probe: the smallest, and one that fills a
// tunnel's packets without being cut on the way.
const (
	smallPing = 56
	fullPing  = 1400
	pings     = 3
)

// statusMenus are those that vpn.Judge reads.
func statusMenus() []string {
	return []string{"/ip/address", "/ip/ipsec/active-peers", "/ip/ipsec/installed-sa", "/ip/ipsec/peer", "/ip/ipsec/policy"}
}

// expected is what vpn.Judge has to look for: the tunnel where it is to be, or where
// it was.
func expected(t *change.TunnelPlan, old bool) vpn.Expected {
	want := vpn.Expected{Tunnel: vpn.Tunnel{Name: t.Name}}
	for i, end := range t.Ends {
		x := vpn.ExpectedEnd{Site: end.Site, Router: end.Router, Local: end.Local, Remote: end.Remote}
		if old && end.WasLocal.IsValid() {
			x.Local = end.WasLocal
		}
		if old && end.WasRemote.IsValid() {
			x.Remote = end.WasRemote
		}
		if end.RemoteID != "" {
			x.Remote, x.RemoteAny, x.RemoteID = netip.Addr{}, true, end.RemoteID
		}
		for _, s := range end.Selectors {
			x.Policies = append(x.Policies, vpn.Selectors(s))
		}
		want.Ends[i] = x
		want.Tunnel.Ends[i] = vpn.End{Site: end.Site, Router: end.Router}
	}
	return want
}

// both is how the two ends stand at one time.
type both struct {
	views [2]view
	errs  [2]error
	sides [2]vpn.Side
}

// look2 looks at both routers at once, a single time each. Once it is decided to go
// back, the tunnel is looked for where it was.
func (j *job) look2(ctx context.Context) both {
	return j.lookAt(ctx, j.r.Decided == change.DecidedRevert)
}

func (j *job) lookAt(ctx context.Context, old bool) both {
	at := time.Now()
	b := j.rowsOf2(ctx, statusMenus()...)
	var halves [2][]vpn.Half
	for i, end := range j.r.Plan.Tunnel.Ends {
		h := vpn.Half{Snapshot: b.views[i].snap, Err: b.errs[i]}
		h.Router, h.At = end.Router, at
		halves[i] = []vpn.Half{h}
	}
	b.sides = vpn.Judge(expected(j.r.Plan.Tunnel, old), halves, time.Now()).Sides
	return b
}

// rowsOf2 reads what both routers hold of the change at once, a single time each,
// and further menus.
func (j *job) rowsOf2(ctx context.Context, more ...string) both {
	var b both
	var group sync.WaitGroup
	for i, end := range j.r.Plan.Tunnel.Ends {
		group.Go(func() { b.views[i], b.errs[i] = j.once(ctx, end.Router, more...) })
	}
	group.Wait()
	return b
}

// sides waits until both routers answer and returns what they show of the tunnel
// where it was.
func (j *job) sides(ctx context.Context) ([2]vpn.Side, error) {
	for {
		if b := j.lookAt(ctx, true); b.errs[0] == nil && b.errs[1] == nil {
			return b.sides, nil
		}
		for _, end := range j.r.Plan.Tunnel.Ends { // notes a silent router on the card
			if _, err := j.read(ctx, end.Router, "/ip/ipsec/active-peers"); err != nil {
				return [2]vpn.Side{}, err
			}
		}
		if !pause(ctx, calm) {
			return [2]vpn.Side{}, ctx.Err()
		}
	}
}

// sighting is what has to be remembered of a side.
func sighting(s vpn.Side) change.Sighting {
	n, of := s.Established()
	matched := slices.ContainsFunc(s.Phase1, func(p vpn.ActivePeer) bool { return p.Matched })
	saw := change.Sighting{Router: s.Router, Up: n == of && of > 0 && matched}
	for _, p := range s.Phase1 {
		saw.Phase1 = append(saw.Phase1, phase1(p))
	}
	for _, sa := range s.SAs {
		saw.SPIs = append(saw.SPIs, sa.SPI)
	}
	return saw
}

func phase1(p vpn.ActivePeer) change.Phase1 {
	return change.Phase1{Local: p.Local, Remote: p.Remote, Port: p.Port, ID: p.ID, SPII: p.SPII, SPIR: p.SPIR, Both: p.Matched}
}

// prove waits until both ends show a tunnel that was negotiated on the new rows
// and probes pass, and decides. at is when the cut-over was ordered.
func (j *job) prove(ctx context.Context, at time.Time) error {
	if err := j.enter(ctx, change.PhaseProve); err != nil {
		return err
	}
	if err := j.see2(ctx); err != nil {
		return err
	}
	t := j.r.Plan.Tunnel
	begun := time.Now()
	deadline := at.Add(t.Delay + t.Patience)
	if least := begun.Add(min(t.Patience, 30*time.Second)); deadline.Before(least) {
		deadline = least // the bot was away: the routers go on by themselves
	}
	forgotten, dropped := map[string]bool{}, map[string]time.Time{}
	wait, kicked := quick, begun
	for {
		b := j.look2(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if why := j.odd(b); !why.IsZero() {
			return j.attend(ctx, why) // with the guards in place
		}
		if why, over := j.hopeless(b, at, begun); over {
			return j.revert(ctx, why)
		}
		if err := j.drop(ctx, b, dropped); err != nil {
			return err
		}
		if err := j.forget(ctx, b, forgotten); err != nil {
			return err
		}
		proof, why := j.shown(b)
		if why.IsZero() {
			if proof, why = j.probes(ctx, proof); why.IsZero() {
				switch moved, err := j.moved(ctx); {
				case err != nil:
					return err
				case !moved.IsZero():
					return j.revert(ctx, moved)
				}
				var err error
				if why, err = j.undisturbed(ctx); err != nil {
					return err
				}
			}
			if why.IsZero() {
				m, err := j.r.Decide(time.Now(), change.DecidedCommit, change.Text{}, proof)
				if err := j.commit(ctx, m, err); err != nil {
					return err
				}
				j.proven = true
				return errDecided
			}
		}
		if time.Now().After(deadline) {
			return j.revert(ctx, why)
		}
		if err := j.kick(ctx, b, &kicked); err != nil {
			return err
		}
		if !pause(ctx, wait) {
			return ctx.Err()
		}
		if wait = wait * 3 / 2; time.Since(begun) < 5*time.Second {
			wait = min(wait, 2*quick)
		}
		wait = min(wait, calm)
	}
}

// see2 makes sure that there is something to compare with: only a change without
// steps can come here without.
func (j *job) see2(ctx context.Context) error {
	if j.past.saw != nil {
		return nil
	}
	return j.see(ctx)
}

// odd tells of a row that somebody else has changed, on a router that answers.
func (j *job) odd(b both) change.Text {
	for i, v := range b.views {
		if b.errs[i] != nil {
			continue
		}
		if row := v.odd(j.r.Decided, j.r.Resumed != ""); row != "" {
			return change.T("apply.tunnel.odd", "router", v.router, "row", row)
		}
	}
	return change.Text{}
}

// hopeless tells that a router is not on the new rows although its script has had
// its time: it refused, or a guard was faster.
func (j *job) hopeless(b both, at, begun time.Time) (change.Text, bool) {
	late := time.Now().After(at.Add(j.r.Plan.Tunnel.Delay+scriptTime/2)) && time.Since(begun) > calm
	for i, v := range b.views {
		if b.errs[i] != nil {
			continue
		}
		if late && !v.isNew() {
			return change.T("apply.tunnel.cutover", "router", v.router), true
		}
	}
	return change.Text{}, false
}

// drop removes what is left of the phase 1 that was there before, on each end
// that is on the new rows, and nothing else.
func (j *job) drop(ctx context.Context, b both, dropped map[string]time.Time) error {
	for i, side := range b.sides {
		if b.errs[i] != nil || !b.views[i].isNew() {
			continue
		}
		for _, p := range side.Phase1 {
			old, key := phase1(p), side.Router+p.SPII+p.SPIR
			if !was(j.past.saw[i], old) || time.Since(dropped[key]) < 5*time.Second {
				continue
			}
			dropped[key] = time.Now()
			_, _, err := j.act(ctx, change.Act{Name: change.ActDrop, Router: side.Router}, func() error {
				return j.e.o.Tunnels.Drop(ctx, side.Router, old)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// kick has both ends negotiate afresh where they share a phase 1 and phase 2 does
// not come up: what failed while one end was not there yet is tried again by
// routers only after a while.
func (j *job) kick(ctx context.Context, b both, last *time.Time) error {
	if j.r.Plan.Tunnel.Removes || b.errs[0] != nil || b.errs[1] != nil || time.Since(*last) < 5*time.Second {
		return nil
	}
	*last = time.Now()
	for _, side := range b.sides {
		for _, p := range side.Phase1 {
			if n, of := side.Established(); !p.Matched || n == of {
				continue
			}
			_, _, err := j.act(ctx, change.Act{Name: change.ActDrop, Router: side.Router}, func() error {
				return j.e.o.Tunnels.Drop(ctx, side.Router, phase1(p))
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// forget removes, once on each end that got a bypass, the connections whose
// translation was decided before it.
func (j *job) forget(ctx context.Context, b both, forgotten map[string]bool) error {
	for i, end := range j.r.Plan.Tunnel.Ends {
		bypassed := slices.ContainsFunc(j.r.Plan.In(change.PhaseStage, end.Router), func(s change.Step) bool { return s.Menu == "/ip/firewall/nat" })
		if !bypassed || forgotten[end.Router] || b.errs[i] != nil || !b.views[i].isNew() {
			continue
		}
		act := change.Act{Name: change.ActForget, Router: end.Router}
		refusal, lost, err := j.act(ctx, act, func() error { return j.e.o.Tunnels.Forget(ctx, end.Router, end.Selectors) })
		if err != nil {
			return err
		}
		forgotten[end.Router] = refusal == nil && !lost
	}
	return nil
}

// proof compares both ends with each other and with what they showed before. The
// text says what is missing.
func (j *job) proof(b both) (map[string]string, change.Text) {
	facts := map[string]string{}
	for i, v := range b.views {
		if b.errs[i] != nil {
			return nil, change.T("apply.tunnel.silent", "router", b.sides[i].Router)
		}
		if !v.isNew() {
			return nil, change.T("apply.tunnel.cutover", "router", v.router)
		}
	}
	if why := j.up(b); !why.IsZero() {
		return nil, why
	}
	for i, side := range b.sides {
		var cookies []string
		for _, p := range side.Phase1 {
			if was(j.past.saw[i], phase1(p)) {
				return nil, change.T("apply.tunnel.phase1", "router", side.Router)
			}
			if p.Matched {
				cookies = append(cookies, phase1(p).Cookies())
			}
		}
		var spis []string
		for _, sa := range side.SAs {
			if slices.Contains(j.past.saw[i].SPIs, sa.SPI) {
				return nil, change.T("apply.tunnel.phase2", "router", side.Router)
			}
			spis = append(spis, sa.SPI)
		}
		n, of := side.Established()
		facts["cookies."+side.Router], facts["spis."+side.Router] = strings.Join(cookies, ","), strings.Join(spis, ",")
		facts["policies."+side.Router] = fmt.Sprintf("%d/%d", n, of)
	}
	return facts, change.Text{}
}

// up tells what is missing for both ends to have the tunnel: equal cookies, every
// policy established, SAs that each end knows in both directions.
func (j *job) up(b both) change.Text {
	for i, side := range b.sides {
		if b.errs[i] != nil {
			return change.T("apply.tunnel.silent", "router", side.Router)
		}
		if !slices.ContainsFunc(side.Phase1, func(p vpn.ActivePeer) bool { return p.Matched }) {
			return change.T("apply.tunnel.phase1", "router", side.Router)
		}
		if n, of := side.Established(); n < of || of == 0 {
			return change.T("apply.tunnel.policies", "router", side.Router, "established", n, "total", of)
		}
		var ways [2]bool
		for _, sa := range side.SAs {
			if !sa.Matched {
				return change.T("apply.tunnel.phase2", "router", side.Router)
			}
			ways[0], ways[1] = ways[0] || sa.Out, ways[1] || !sa.Out
		}
		if !ways[0] || !ways[1] {
			return change.T("apply.tunnel.phase2", "router", side.Router)
		}
	}
	return change.Text{}
}

// probes pings from each end at once, small and full size.
func (j *job) probes(ctx context.Context, facts map[string]string) (map[string]string, change.Text) {
	var failed [2]change.Text
	var passed [2]int
	var group sync.WaitGroup
	for i, end := range j.r.Plan.Tunnel.Ends {
		group.Go(func() {
			for _, probe := range end.Probes {
				for _, size := range []int{smallPing, fullPing} {
					n, err := j.e.o.Tunnels.Ping(ctx, end.Router, probe, size, pings)
					if err != nil {
						failed[i] = change.T("apply.tunnel.refused", "router", end.Router, "why", j.e.o.Explain(err))
						return
					}
					if n == 0 {
						failed[i] = change.T("apply.tunnel.ping", "router", end.Router, "from", addr(probe.From), "to", addr(probe.To), "size", size)
						return
					}
					passed[i]++
				}
			}
		})
	}
	group.Wait()
	for i, end := range j.r.Plan.Tunnel.Ends {
		if !failed[i].IsZero() {
			return nil, failed[i]
		}
		facts["probes."+end.Router] = fmt.Sprint(passed[i])
	}
	return facts, change.Text{}
}

func addr(a netip.Addr) string { return a.String() }
