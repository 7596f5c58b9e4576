package ros

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// Menus that a change in phases touches besides its steps.
const (
	menuScheduler   = "/system/scheduler"
	menuActivePeers = "/ip/ipsec/active-peers"
	menuConnections = "/ip/firewall/connection"
	menuPeer        = "/ip/ipsec/peer"
	menuPolicy      = "/ip/ipsec/policy"
	menuProfile     = "/ip/ipsec/profile"
	menuProposal    = "/ip/ipsec/proposal"
)

// AddGuard adds the guard of a plan in phases, switched off: the script that arms
// it has the router parse it first. It fails as Execute does.
func (f *Fleet) AddGuard(ctx context.Context, router string, request int64, plan change.Plan) error {
	event, err := RenderGuard(plan, router, request)
	if err != nil {
		return &StepError{Router: router, Menu: menuScheduler, Action: schema.Add, Err: err}
	}
	return f.Execute(ctx, router, request, change.Step{
		Router: router, Menu: menuScheduler, Action: schema.Add, Match: schema.Row{"name": change.GuardName(request)},
		After: schema.Row{
			"name": change.GuardName(request), "start-time": "startup", "interval": schema.FormatDuration(plan.Tunnel.Guard),
			"policy": "read,write", "on-event": event, "disabled": "yes",
		},
	}, nil)
}

// RemoveGuard removes the guard of a request. It fails as Execute does, with
// ErrNoRow when there is none.
func (f *Fleet) RemoveGuard(ctx context.Context, router string, request int64) error {
	return f.Execute(ctx, router, request, change.Step{
		Router: router, Menu: menuScheduler, Action: schema.Remove, Match: schema.Row{"name": change.GuardName(request)},
	}, nil)
}

// RunScript hands a script to its router, which runs it by itself: that it began
// is all that nil means. It fails as Execute does.
func (f *Fleet) RunScript(ctx context.Context, s change.Script) error {
	text, err := RenderScript(s)
	if err != nil {
		return scriptError(s.Act.Router, err)
	}
	err = f.writing(ctx, s.Act.Router, func(ctx context.Context, p *pool, session *session) error {
		// A read first: it proves that a session which lay idle is alive.
		if _, err := p.print(ctx, session, "/system/identity", nil); err != nil {
			return err
		}
		return p.send(ctx, session, command{words: []string{"/execute", word("script", text)}, script: true})
	})
	return scriptError(s.Act.Router, err)
}

func scriptError(router string, err error) error {
	if err == nil {
		return nil
	}
	return &StepError{Router: router, Menu: "/execute", Action: "run", Err: err}
}

// writing runs do with a session of the writing login.
func (f *Fleet) writing(ctx context.Context, router string, do func(context.Context, *pool, *session) error) error {
	r, ctx, leave, err := f.enter(ctx, router)
	if err != nil {
		return err
	}
	defer leave()
	return r.write.use(ctx, func(s *session) error { return do(ctx, r.write, s) })
}

// Drop removes the one row of active-peers that old tells apart from all others.
// That it is gone already is no error; ErrManyRows means that nothing was done.
func (f *Fleet) Drop(ctx context.Context, router string, old change.Phase1) error {
	return f.removeRows(ctx, router, menuActivePeers, func(rows []schema.Row) ([]schema.Row, error) {
		rows = slices.DeleteFunc(rows, func(row schema.Row) bool { return !isPhase1(row, old) })
		if len(rows) > 1 {
			return nil, fmt.Errorf("%w: %d", ErrManyRows, len(rows))
		}
		return rows, nil
	})
}

// isPhase1 compares by everything that tells two rows apart.
func isPhase1(row schema.Row, p change.Phase1) bool {
	local, _ := netip.ParseAddr(row["local-address"])
	remote, _ := netip.ParseAddr(row["remote-address"])
	cookie := func(name string) string { return strings.ToLower(strings.TrimPrefix(row[name], "0x")) }
	return p.SPII != "" && local.Unmap() == p.Local && remote.Unmap() == p.Remote && row["port"] == p.Port && row["id"] == p.ID &&
		cookie("spii") == p.SPII && cookie("spir") == p.SPIR
}

// Forget removes the connections between exactly these prefixes that were
// translated or fast-tracked: what was decided on their first packet would hold
// whatever the rules say now.
func (f *Fleet) Forget(ctx context.Context, router string, between []change.Selectors) error {
	return f.removeRows(ctx, router, menuConnections, func(rows []schema.Row) ([]schema.Row, error) {
		return slices.DeleteFunc(rows, func(row schema.Row) bool {
			return !translated(row, between)
		}), nil
	})
}

// translated tells whether a connection between the prefixes was translated or
// fast-tracked.
func translated(row schema.Row, between []change.Selectors) bool {
	source, destination := host(row["src-address"]), host(row["dst-address"])
	return (isTrue(row["srcnat"]) || isTrue(row["fasttrack"])) && slices.ContainsFunc(between, func(s change.Selectors) bool {
		return s.Source.Contains(source) && s.Destination.Contains(destination)
	})
}

// host reads an address that may carry a port.
func host(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap()
	}
	ip, _ := netip.ParseAddr(s)
	return ip.Unmap()
}

// removeRows removes the rows that choose picks, by the ids that they have now.
func (f *Fleet) removeRows(ctx context.Context, router, menu string, choose func([]schema.Row) ([]schema.Row, error)) error {
	fail := func(err error) error {
		return &StepError{Router: router, Menu: menu, Action: schema.Remove, Err: err}
	}
	if err := schema.Allowed(menu, schema.Remove, nil); err != nil {
		return fail(err)
	}
	err := f.writing(ctx, router, func(ctx context.Context, p *pool, s *session) error {
		rows, err := p.print(ctx, s, menu, nil)
		if err == nil {
			rows, err = choose(rows)
		}
		if err != nil || len(rows) == 0 {
			return err
		}
		var ids []string
		for _, row := range rows {
			if row[schema.ID] == "" {
				return fmt.Errorf("%w: row without id", ErrProtocol)
			}
			ids = append(ids, row[schema.ID])
		}
		err = p.send(ctx, s, command{words: []string{menu + "/remove", word(schema.ID, strings.Join(ids, ","))}})
		if errors.Is(err, ErrNoRow) {
			return nil // it ended by itself meanwhile
		}
		return err
	})
	if err != nil {
		return fail(err)
	}
	return nil
}

// Ping sends count packets of size bytes from inside one end to inside the other
// and returns how many were answered. It needs the policy "test".
func (f *Fleet) Ping(ctx context.Context, router string, probe change.Probe, size, count int) (int, error) {
	r, ctx, leave, err := f.enter(ctx, router)
	if err != nil {
		return 0, err
	}
	defer leave()
	const interval = 50 * time.Millisecond
	answered := 0
	err = r.read.use(ctx, func(s *session) error {
		a, err := r.read.run(ctx, s, command{words: []string{
			"/ping", word("address", probe.To.String()), word("src-address", probe.From.String()), word("count", strconv.Itoa(count)),
			word("size", strconv.Itoa(size)), word("interval", schema.FormatDuration(interval)),
		}})
		if err != nil {
			return err
		}
		answered = len(slices.DeleteFunc(a.rows, func(row schema.Row) bool { return row["time"] == "" }))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("pinging from %s: %w", router, err)
	}
	return answered, nil
}
