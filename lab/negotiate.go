package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"vpnbot/ros/schema"
)

// initiateTimeout is far above the time in which a daemon gives up by itself.
const initiateTimeout = 15 * time.Second

// Negotiate plays an attempt: the initiator's daemon calls, the responder's
// answers, and what came up or failed is read back from both. What came up stays
// up until the next attempt. A verdict CannotTell names what the daemons cannot
// judge; an error means that the lab itself is broken.
func (l *Lab) Negotiate(ctx context.Context, a schema.Attempt) (schema.Outcome, error) {
	release, err := l.hold(ctx)
	if err != nil {
		return schema.Outcome{}, err
	}
	defer release()
	return l.judge(ctx, a)
}

// judge is Negotiate for a caller who holds the lab.
func (l *Lab) judge(ctx context.Context, a schema.Attempt) (schema.Outcome, error) {
	s, silent, err := prepare(a)
	var u *unknown
	switch {
	case errors.As(err, &u):
		return cannotTell(u), nil
	case err != nil:
		return schema.Outcome{}, err
	case silent != nil:
		return schema.Outcome{Verdict: schema.Disagree, Faults: []schema.Fault{*silent}}, nil
	}
	if u := s.impossible(); u != nil {
		return cannotTell(u), nil
	}
	if l.keeps != nil {
		s.rename()
	}
	for range patience {
		if err := l.load(ctx, s); err != nil {
			return schema.Outcome{}, fmt.Errorf("telling the daemons: %w", err)
		}
		out, err := l.play(ctx, s)
		if !errors.Is(err, errSlow) {
			return out, err
		}
	}
	return schema.Outcome{}, errSlow
}

// errSlow means that the initiator gave up although the responder had heard it:
// the machine is too busy, and nothing is known.
var errSlow = errors.New("the responder was heard too late")

// patience is how often an attempt is played on a machine that is too busy.
const patience = 4

func cannotTell(u *unknown) schema.Outcome {
	return schema.Outcome{Verdict: schema.CannotTell, Unknown: []schema.Fault{{
		Code: schema.FaultUnknownRow, Attr: u.attr, Initiator: u.value,
		InitiatorRow: schema.RowRef{Menu: u.menu, ID: u.id},
	}}}
}

// load tells both daemons what the parties' rows say.
func (l *Lab) load(ctx context.Context, s setup) error {
	for i, connections := range [][]connection{{s.initiator}, s.responder} {
		d := l.sites[i].daemon
		if err := d.clear(ctx, l.keeps); err != nil {
			return err
		}
		if i == 0 && l.keeps == nil {
			if err := l.connectSites(s); err != nil {
				return err
			}
		}
		for _, c := range connections {
			if err := d.load(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// catchUp waits for what both daemons have logged so far.
func (l *Lab) catchUp(ctx context.Context) error {
	for _, s := range l.sites {
		if err := s.daemon.catchUp(ctx); err != nil {
			return err
		}
	}
	return nil
}

// forget leaves only what the daemons log from now on.
func (l *Lab) forget(ctx context.Context) error {
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	for _, s := range l.sites {
		s.daemon.forget()
	}
	return nil
}

// play initiates each policy in turn, replaces what came up when the attempt
// asks about that, and reads the outcome.
func (l *Lab) play(ctx context.Context, s setup) (schema.Outcome, error) {
	var out schema.Outcome
	names := []string{""} // without a policy phase 1 alone
	if len(s.initiator.children) > 0 {
		names = names[:0]
		for _, k := range s.initiator.children {
			names = append(names, k.name)
		}
	}
	for _, name := range names {
		up, err := l.has(ctx, s.initiator.name, name)
		if err == nil && !up {
			up, err = l.initiate(ctx, s.initiator.name, name)
		}
		if err == nil && up && s.rekeys() && name != "" {
			up, err = l.rekey(ctx, s.initiator.name, name)
		}
		if err != nil {
			return out, err
		}
		if up {
			continue
		}
		fault, err := l.fault(s, name)
		if err != nil {
			return out, err
		}
		out.Faults = append(out.Faults, fault)
		if fault.Stage != schema.StagePhase2 {
			break // no policy can do better
		}
	}
	return l.read(ctx, s, out)
}

// has tells whether a child is up already, in a lab that keeps what is up.
func (l *Lab) has(ctx context.Context, connection, child string) (bool, error) {
	if l.keeps == nil || child == "" {
		return false, nil
	}
	sas, err := l.sites[0].daemon.held(ctx)
	return slices.ContainsFunc(sas, func(sa heldSA) bool {
		_, up := installed(sa.message, func(m message) bool { return m.text("name") == child })
		return up && sa.name == connection
	}), err
}

// initiate brings one child up and tells whether it is. It does not wait for the
// initiator to give up once the responder has said that it cannot decrypt.
func (l *Lab) initiate(ctx context.Context, connection, child string) (bool, error) {
	in := message{{"ike", connection}, {"timeout", strconv.FormatInt(initiateTimeout.Milliseconds(), 10)}, {"loglevel", "-1"}}
	if child != "" {
		in = append(in, pair{"child", child})
	}
	if err := l.forget(ctx); err != nil {
		return false, err
	}
	caller, answerer := l.sites[0].daemon, l.sites[1].daemon
	watching, done := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		if answerer.await(watching, cannotDecrypt) {
			// Refused when it has ended by itself.
			_, _ = caller.call(ctx, "terminate", "", message{{"ike", connection}, {"force", "yes"}, {"timeout", "-1"}})
		}
	})
	_, err := caller.call(ctx, "initiate", "", in)
	done()
	watch.Wait()
	if err != nil && !errors.Is(err, errCommand) {
		return false, err
	}
	return err == nil, l.catchUp(ctx)
}

// rekey replaces a child that is up and tells whether the new one came up.
func (l *Lab) rekey(ctx context.Context, connection, child string) (bool, error) {
	if err := l.forget(ctx); err != nil {
		return false, err
	}
	caller := l.sites[0].daemon
	_, err := caller.call(ctx, "rekey", "", message{{"ike", connection}, {"child", child}})
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, initiateTimeout)
	defer cancel()
	if !caller.await(ctx, "outbound CHILD_SA "+child, "no CHILD_SA built", "giving up after") {
		return false, fmt.Errorf("rekeying %s: neither done nor refused", child)
	}
	return !logged(caller.since(0), "no CHILD_SA built") && !logged(caller.since(0), "giving up after"), l.catchUp(ctx)
}

// fault reads from the logs why the child did not come up.
func (l *Lab) fault(s setup, name string) (schema.Fault, error) {
	caller, answerer := l.sites[0].daemon.since(0), l.sites[1].daemon.since(0)
	f, ok := diagnose(caller, answerer)
	if !ok {
		return f, fmt.Errorf("no reason found in the daemons' logs: %q %q", caller, answerer)
	}
	if f.Stage == schema.StageReach && logged(answerer, "is initiating") {
		return f, errSlow
	}
	f.InitiatorRow = schema.RowRef{Menu: menuPeer, ID: s.initiator.peer[schema.ID]}
	for _, k := range s.initiator.children {
		if k.name == name && f.Stage == schema.StagePhase2 {
			f.InitiatorRow = schema.RowRef{Menu: menuPolicy, ID: k.policy[schema.ID]}
		}
	}
	return f, nil
}
