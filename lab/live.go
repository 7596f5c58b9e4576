package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// Side is one router of a Live.
type Side struct {
	Router string // as the Internet calls it
	WAN    netip.Addr
	LANs   []netip.Prefix
}

// Live is a lab in which the daemons and kernels of two routers are at every
// moment what the routers' rows say. What comes up stays up until the simulator
// says that a router has lost it, a policy that is enabled lets nothing out in
// clear, and beside the tunnel there is a way between the networks in clear, for
// whatever gets past. It judges negotiations as its Lab does, and is for SAs that
// are younger than their lifetime.
type Live struct {
	lab    *Lab
	sides  [2]Side
	rules  [2]string // what each router's kernel does with packets, as last written
	turned *Lab      // the lab with its ends exchanged
	talks  atomic.Uint32
}

var _ rossim.Holder = (*Live)(nil)

// Live lays the network of two routers; each host behind a router has an address
// in each of its LANs. The lab is for the Live alone from here on.
func (l *Lab) Live(ctx context.Context, sides [2]Side) (*Live, error) {
	release, err := l.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	l.keeps = map[string]bool{}
	v := &Live{lab: l, sides: sides, turned: &Lab{dir: l.dir, sites: [2]*site{l.sites[1], l.sites[0]}, keeps: l.keeps}}
	for i, s := range sides {
		other := sides[1-i]
		if err := l.sites[i].place(s.WAN, s.WAN, other.WAN, s.LANs, other.LANs); err != nil {
			return nil, fmt.Errorf("laying the network of %s: %w", s.Router, err)
		}
	}
	return v, nil
}

// side returns which end a router is.
func (v *Live) side(router string) (int, error) {
	i := slices.IndexFunc(v.sides[:], func(s Side) bool { return s.Router == router })
	if i < 0 {
		return 0, fmt.Errorf("%s is no router of the lab", router)
	}
	return i, nil
}

// Negotiate is Lab.Negotiate, beside what is up.
func (v *Live) Negotiate(ctx context.Context, a schema.Attempt) (schema.Outcome, error) {
	i, err := v.side(a.Initiator.Name)
	if err != nil {
		return schema.Outcome{}, err
	}
	if j, err := v.side(a.Responder.Name); err != nil || i == j {
		return schema.Outcome{}, errors.Join(err, fmt.Errorf("%s calls %s", a.Initiator.Name, a.Responder.Name))
	}
	release, err := v.lab.hold(ctx)
	if err != nil {
		return schema.Outcome{}, err
	}
	defer release()
	facing := v.lab
	if i == 1 {
		facing = v.turned
	}
	out, err := facing.judge(ctx, a)
	if err == nil && out.Phase1 != nil {
		v.lab.keeps[out.Phase1.Ref] = true
	}
	return out, err
}

// Wrote makes a router's kernel do with packets what its policies and its NAT say.
func (v *Live) Wrote(ctx context.Context, p schema.Party) error {
	release, err := v.lab.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	i, err := v.side(p.Name)
	if err != nil {
		return err
	}
	nat, err := natScript(p.Rows[menuNAT])
	if err != nil {
		return err
	}
	script := nat + policyScript(p.Rows[menuPolicy])
	if script == v.rules[i] {
		return nil
	}
	if err := v.lab.sites[i].router.run(script, "nft", "-f", "-"); err != nil {
		return err
	}
	v.rules[i] = script
	return nil
}

// policyScript writes what policies do to packets that leave by no SA, as one
// transaction of nft: the first that matches decides. A daemon takes what it has
// SAs for before that. Policies match after address translation, and rules of
// address translation ask what would match before it.
func policyScript(rows []schema.Row) string {
	var marks, verdicts strings.Builder
	for _, r := range rows {
		s, ok := selectorOf(r)
		if !ok || !s.src.Addr().Is4() || !s.dst.Addr().Is4() || on(r, "disabled") || on(r, "template") || on(r, "invalid") {
			continue
		}
		match := fmt.Sprintf("oifname wan ip saddr %s ip daddr %s", s.src, s.dst)
		if s.protocol != "all" {
			match += " ip protocol " + s.protocol
		}
		verdict := "drop"
		if or(r, "action", "encrypt") == "none" || or(r, "action", "encrypt") == "encrypt" && r["level"] == "use" {
			verdict = "accept"
		}
		if or(r, "action", "encrypt") == "encrypt" {
			fmt.Fprintf(&marks, "  %s meta mark set %s\n", match, covered)
		}
		fmt.Fprintf(&verdicts, "  %s %s\n", match, verdict)
	}
	return "add table ip policies\ndelete table ip policies\ntable ip policies {\n" +
		" chain before {\n  type filter hook postrouting priority 90; policy accept;\n" + marks.String() + " }\n" +
		" chain after {\n  type filter hook postrouting priority 200; policy accept;\n" + verdicts.String() + " }\n}\n"
}

// Lost makes a router's daemon forget what the simulator says the router has lost.
// Other than most RouterOS versions do, the daemon says so to the other end.
func (v *Live) Lost(ctx context.Context, router, ref string) error {
	release, err := v.lab.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	i, err := v.side(router)
	if err != nil {
		return err
	}
	d := v.lab.sites[i].daemon
	sas, err := d.held(ctx)
	if err != nil {
		return err
	}
	cookie, spi, isChild := strings.Cut(ref, "/")
	if !isChild {
		delete(v.lab.keeps, cookie)
	}
	for _, sa := range sas {
		if sa.text("initiator-spi") != cookie {
			continue
		}
		kind, id := "ike-id", sa.id
		if isChild {
			child, ok := installed(sa.message, func(m message) bool { return m.text("spi-in") == spi || m.text("spi-out") == spi })
			if !ok {
				return nil
			}
			kind, id = "child-id", child.text("uniqueid")
		}
		return d.terminate(ctx, kind, id, "1000")
	}
	return nil
}

// SA is a phase 1 that a daemon has, with what was negotiated under it.
type SA struct {
	Cookie   string
	Policies []schema.Phase2
	SPIs     []string // of what comes in and of what goes out
}

// Held lists what both daemons have up, by their own word.
func (v *Live) Held(ctx context.Context) ([2][]SA, error) {
	var all [2][]SA
	release, err := v.lab.hold(ctx)
	if err != nil {
		return all, err
	}
	defer release()
	for i, s := range v.lab.sites {
		held, err := s.daemon.held(ctx)
		if err != nil {
			return all, err
		}
		for _, sa := range held {
			if sa.text("state") == "ESTABLISHED" {
				all[i] = append(all[i], shown(sa.message))
			}
		}
	}
	return all, nil
}

func shown(sa message) SA {
	s := SA{Cookie: sa.text("initiator-spi") + sa.text("responder-spi")}
	for _, p := range sa.section("child-sas") {
		m, ok := p.value.(message)
		if !ok || m.text("state") != "INSTALLED" {
			continue
		}
		s.SPIs = append(s.SPIs, m.text("spi-in"), m.text("spi-out"))
		s.Policies = append(s.Policies, schema.Phase2{
			Tunnel: m.text("mode") == "TUNNEL", Encryption: cipherName(m, true), Auth: hashName(m.text("integ-alg")),
			PFSGroup: groupName(m.text("dh-group")), Source: selected(m, "local-ts"), Destination: selected(m, "remote-ts"),
		})
	}
	return s
}

// Ping is Lab.Ping between LANs of either router.
func (v *Live) Ping(ctx context.Context, from, to netip.Prefix) error {
	if slices.Contains(v.sides[1].LANs, from) {
		return v.turned.Ping(ctx, from, to)
	}
	return v.lab.Ping(ctx, from, to)
}
