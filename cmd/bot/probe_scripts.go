package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"vpnbot/change"
	"vpnbot/ros"
	"vpnbot/ros/schema"
)

const scheduleMenu = "/system/scheduler"

const (
	probeInterval = time.Hour       // of schedules, none of which runs in a probe
	probeGap      = 5 * time.Second // between two things whose times are told apart
	probePatience = 5 * time.Second // for a script to do its work
)

// trySchedules looks at when schedules would run next.
func (p *probe) trySchedules(ctx context.Context) {
	first, second := probeName+"-a", probeName+"-b"
	row := func(name, disabled string) schema.Row {
		return schema.Row{
			"name": name, "start-time": "startup", "interval": schema.FormatDuration(probeInterval), "policy": "read,write",
			"on-event": ":log info probe", "disabled": disabled,
		}
	}
	_, err := p.add(ctx, scheduleMenu, schema.Row{"name": first}, row(first, "yes"))
	if p.report.Device.Flagged {
		p.say("27", errors.Is(err, ros.ErrFlagged), "refused: configuration flagged", told(err))
	}
	if err != nil {
		p.skip("a schedule could not be added: "+told(err), "80", "84", "88", "89")
		return
	}
	p.pause(ctx, probeGap)
	p.steps++
	err = p.refused(p.fleet.Execute(ctx, p.router.Name, probeRequest, change.Step{
		ID: p.steps, Router: p.router.Name, Menu: scheduleMenu, Action: schema.Enable, Match: schema.Row{"name": first},
	}, nil))
	if err == nil {
		_, err = p.add(ctx, scheduleMenu, schema.Row{"name": second}, row(second, "no"))
	}
	if err != nil {
		p.skip(told(err), "80", "89")
	} else {
		p.tryNextRun(ctx, first, second)
	}
	p.tryPolicies(ctx, row)
}

// tryNextRun compares two schedules that began at the same moment, the first of
// them having been added earlier, with the router's clock.
func (p *probe) tryNextRun(ctx context.Context, first, second string) {
	next := map[string]time.Time{}
	rows, err := p.fleet.Ask(ctx, p.router.Name, scheduleMenu, []string{"name", "next-run"})
	for _, row := range rows {
		if at, perr := routerTime(row["next-run"]); perr == nil {
			next[row["name"]] = at
		}
	}
	clock, cerr := p.fleet.Ask(ctx, p.router.Name, "/system/clock", []string{"date", "time"})
	if err = errors.Join(err, cerr); err != nil || len(clock) == 0 || next[first].IsZero() || next[second].IsZero() {
		p.skip(fmt.Sprintf("next-run is not shown as a date and a time (%v)", err), "80", "89")
		return
	}
	now, err := routerTime(clock[0]["date"] + " " + clock[0]["time"])
	if err != nil {
		p.skip(err.Error(), "80", "89")
		return
	}
	near := func(d time.Duration) bool { return d.Abs() < probeGap/2 }
	p.say("80", near(next[second].Sub(now)-probeInterval), "added: next run in an hour (boots were not tried)", fmt.Sprintf("in %v", next[second].Sub(now)))
	p.say("89", near(next[first].Sub(now)-probeInterval), "enabled: next run in an hour, although added earlier", fmt.Sprintf("in %v", next[first].Sub(now)))
}

// routerTime reads a date and a time as 7.10 and as older versions print them.
func routerTime(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04:05", "Jan/02/2006 15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date and time", text)
}

// tryPolicies asks for more than the writer of a schedule may do.
func (p *probe) tryPolicies(ctx context.Context, row func(name, disabled string) schema.Row) {
	if !p.report.Write.Known || slices.Contains(p.report.Write.Policies, "reboot") {
		p.skip("the writing login may reboot, or does not say", "84")
		return
	}
	more := withAll(row(probeName+"-c", "yes"), schema.Row{"policy": "read,write,reboot"})
	_, err := p.add(ctx, scheduleMenu, schema.Row{"name": more["name"]}, more)
	_, refused := refusal(err)
	p.say("84", refused, "refused", told(err))
}

// tryScripts runs scripts on the policy of the probe, which is switched off: those
// that a change of a tunnel is made of.
func (p *probe) tryScripts(ctx context.Context) {
	if f := p.found["87"]; f.verdict == notTried {
		return
	}
	begun := p.fleet.RunScript(ctx, p.cutOver("require", "unique", 0))
	if begun != nil {
		p.say("83", false, "it begins", told(p.refused(begun)))
		p.skip("scripts do not begin", "79", "87", "88")
		return
	}
	rights := strings.Join(p.report.Write.Policies, ",")
	p.say("83", true, "it begins (with more than read alone)", "begun with "+rights)
	changed := p.level(ctx, "unique")
	p.say("87", changed, "one row is found and set", map[bool]string{true: "set", false: "not set: see its log"}[changed])
	if changed {
		p.tryOutlives(ctx)
	} else {
		p.skip("the script that would show it finds no row", "79")
	}
	p.tryParse(ctx)
}

// cutOver is a script that sets the level of the probe's policy.
func (p *probe) cutOver(from, to string, delay time.Duration) change.Script {
	step := change.Step{
		ID: 1, Router: p.router.Name, Menu: policyMenu, Action: schema.Change, Phase: change.PhaseCutOver,
		Match: probePolicy(), Before: schema.Row{"level": from}, After: schema.Row{"level": to},
	}
	plan := change.Plan{Tunnel: &change.TunnelPlan{Guard: probeInterval}, Steps: []change.Step{step}}
	plan.Tunnel.Ends[0].Router = p.router.Name
	return change.Script{
		Request: probeRequest, Act: change.Act{Name: change.ActCutOver, Router: p.router.Name}, Plan: plan, Delay: delay, Again: true,
	}
}

// level waits until the probe's policy has a level.
func (p *probe) level(ctx context.Context, want string) bool {
	for began := time.Now(); time.Since(began) < probePatience; p.pause(ctx, time.Second/2) {
		rows, err := p.rows(ctx, policyMenu, probePolicy())
		if err == nil && len(rows) == 1 && rows[0]["level"] == want {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
	}
	return false
}

// tryOutlives begins a script that waits, and logs out.
func (p *probe) tryOutlives(ctx context.Context) {
	fleet, err := p.client(p.router, p.dial)
	if err != nil {
		p.skip(err.Error(), "79")
		return
	}
	err = fleet.RunScript(ctx, p.cutOver("unique", "require", probeGap))
	fleet.Close()
	if err != nil {
		p.skip(told(p.refused(err)), "79")
		return
	}
	p.pause(ctx, probeGap)
	ends := p.level(ctx, "require")
	p.say("79", ends, "it goes on without the session", map[bool]string{true: "it did", false: "it ended with it"}[ends])
}

// tryParse lets a guard be armed that can be read, and one that cannot.
func (p *probe) tryParse(ctx context.Context) {
	arm := p.cutOver("require", "unique", 0)
	arm.Act.Name, arm.Again = change.ActArm, false
	armed := map[string]bool{}
	for _, event := range []string{":log info probe", ":if ("} {
		name := change.GuardName(probeRequest)
		_, err := p.add(ctx, scheduleMenu, schema.Row{"name": name}, schema.Row{
			"name": name, "start-time": "startup", "interval": schema.FormatDuration(probeInterval), "policy": "read,write", "on-event": event, "disabled": "yes",
		})
		if err == nil {
			err = p.fleet.RunScript(ctx, arm)
		}
		if err != nil {
			p.skip(told(p.refused(err)), "88")
			return
		}
		p.pause(ctx, probePatience)
		rows, err := p.rows(ctx, scheduleMenu, schema.Row{"name": name})
		if err != nil || len(rows) != 1 {
			p.skip(fmt.Sprintf("%d guards, %v", len(rows), err), "88")
			return
		}
		armed[event] = rows[0]["disabled"] == "false" || rows[0]["disabled"] == "no"
		if err := p.remove(ctx, scheduleMenu, rows[0]); err != nil {
			p.skip(told(err), "88")
			return
		}
	}
	if !armed[":log info probe"] {
		p.skip("a guard that can be read is not armed either", "88")
		return
	}
	p.say("88", !armed[":if ("], "a guard that cannot be read stays off", map[bool]string{true: "it was armed", false: "it stayed off"}[armed[":if ("]])
}

// tryCut cuts the connection right behind a write.
func (p *probe) tryCut(ctx context.Context) {
	dial := p.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c := &cutter{dial: dial}
	fleet, err := p.client(p.router, c.connect)
	if err != nil {
		p.skip(err.Error(), "C1")
		return
	}
	defer fleet.Close()
	name := probeName + "-cut"
	// Logs in, and finds that there is no such row: what follows are two writes.
	p.steps++
	if err := fleet.Execute(ctx, p.router.Name, probeRequest, change.Step{
		ID: p.steps, Router: p.router.Name, Menu: secretMenu, Action: schema.Remove, Match: schema.Row{"name": name},
	}, nil); !errors.Is(err, ros.ErrNoRow) {
		p.skip(told(err), "C1")
		return
	}
	c.left.Store(2)
	_, err = p.addBy(ctx, fleet, secretMenu, schema.Row{"name": name}, schema.Row{"name": name, "service": "l2tp"}, "password")
	if !errors.Is(err, ros.ErrUnknownOutcome) {
		p.skip("the connection was not cut in time: "+told(err), "C1")
		return
	}
	p.pause(ctx, probePatience)
	rows, err := p.rows(ctx, secretMenu, schema.Row{"name": name})
	if err != nil {
		p.skip(err.Error(), "C1")
		return
	}
	p.say("C1", len(rows) == 1, "executed", map[bool]string{true: "executed", false: "not executed"}[len(rows) == 1])
}

// cutter dials connections that end behind a counted write.
type cutter struct {
	dial dialer
	left atomic.Int64 // writes until the cut; none while it is zero
}

func (c *cutter) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &cut{conn, c}, nil
}

type cut struct {
	net.Conn
	by *cutter
}

func (c *cut) Write(b []byte) (int, error) {
	last := c.by.left.Load() > 0 && c.by.left.Add(-1) == 0
	n, err := c.Conn.Write(b)
	if last {
		_ = c.Close() // the answer is not to be heard
	}
	return n, err
}

// pause waits, or until ctx ends.
func (p *probe) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
