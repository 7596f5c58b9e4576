package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// keyReach is the value of a dial-in server that lists the other sites which its
// clients reach.
const keyReach = "reach"

// renameSites puts the names of sites in place of what people call them, in a list
// joined by commas. "none" names no site.
func (s *Service) renameSites(list string) (string, error) {
	set := vpn.DialIn{}.WithSettings(vpn.Site{}, []change.Setting{{Key: keyReach, Value: list}}).Setup
	if len(set.Reach) == 0 {
		return "none", nil
	}
	var names []string
	for _, word := range set.Reach {
		site, err := s.siteNamed(strings.Map(foldDash, word))
		if err != nil {
			return "", err
		}
		names = append(names, site.Name)
	}
	return strings.Join(names, ","), nil
}

// dialins are the definitions of all dial-in servers.
func (s *Service) dialins(ctx context.Context) ([]vpn.DialIn, error) {
	defs, err := s.o.Ledger.Definitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading definitions: %w", err)
	}
	var list []vpn.DialIn
	for _, def := range defs {
		if def.Kind != vpn.KindDialIn {
			continue
		}
		d, err := vpn.DecodeDialIn(def)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// reaching returns the site that clients of a dial-in server come to reach by intent,
// or do not reach any more; "" for none. It is one at a time: each has a tunnel of its
// own, which is changed at both ends.
func (s *Service) reaching(ctx context.Context, intent change.Intent) (string, error) {
	i := slices.IndexFunc(intent.Settings, func(set change.Setting) bool { return set.Key == keyReach })
	if i < 0 {
		return "", nil
	}
	var was []string
	def, err := s.o.Ledger.Definition(ctx, vpn.KindDialIn, intent.Site)
	switch {
	case err == nil:
		held, err := vpn.DecodeDialIn(def)
		if err != nil {
			return "", err
		}
		if held.Setup != nil {
			was = held.Setup.Reach
		}
	case !errors.Is(err, change.ErrNotFound):
		return "", fmt.Errorf("reading definition: %w", err)
	}
	is := vpn.DialIn{}.WithSettings(vpn.Site{}, intent.Settings[i:i+1]).Setup.Reach
	differ := slices.Concat(lacking(is, was), lacking(was, is))
	switch len(differ) {
	case 0:
		return "", nil
	case 1:
		return differ[0], nil
	}
	return "", &ParseError{change.T("reach.one", "sites", strings.Join(differ, ", ")), change.T("reach.one.hint", "site", intent.Site, "far", differ[0])}
}

// lacking are the names of list that others does not have.
func lacking(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool {
		return slices.ContainsFunc(others, func(o string) bool { return vpn.SameName(o, name) })
	})
}

// planReach computes the plan of a change to a dial-in server with which a tunnel
// changes; ok is false where none does.
func (s *Service) planReach(ctx context.Context, in vpn.SetupDialIn) (plan change.Plan, sealed []secret.Sealed, ok bool, err error) {
	if in.Intent.Verb == verbRotateL2TP {
		return plan, nil, false, nil
	}
	dialins, err := s.dialins(ctx)
	if err != nil {
		return plan, nil, false, err
	}
	tunnels := vpn.ReachTunnels(s.o.Estate, in.Tunnels, dialins, in.DialIn)
	switch {
	case len(tunnels) == 0:
		return plan, nil, false, nil
	case len(tunnels) > 1 || in.Intent.Far == "" || len(in.Intent.Settings) != 1 || in.Intent.Verb != verbDialInSet:
		var names []string
		for _, t := range tunnels {
			names = append(names, t.Name)
		}
		if in.Held == nil || in.Held.Setup == nil || len(in.Held.Setup.Reach) == 0 { // nobody reaches another site yet
			return plan, nil, false, &ParseError{
				change.T("reach.later", "site", in.Intent.Site, "tunnels", strings.Join(names, ", ")), change.T("reach.later.hint", "site", in.Intent.Site),
			}
		}
		return plan, nil, false, &ParseError{
			change.T("reach.alone", "site", in.Intent.Site, "tunnels", strings.Join(names, ", ")), change.T("reach.alone.hint", "site", in.Intent.Site),
		}
	}
	plan, sealed, err = s.planReachThrough(ctx, in, tunnels[0])
	return plan, sealed, true, err
}

// planReachThrough reads both routers of a tunnel and computes the plan. The key that
// it makes is sealed before anything else is done with it.
func (s *Service) planReachThrough(ctx context.Context, in vpn.SetupDialIn, t vpn.Tunnel) (change.Plan, []secret.Sealed, error) {
	about := change.Intent{Verb: verbSet, Tunnel: t.Name}
	if _, err := s.sameSubject(ctx, about); err != nil {
		return change.Plan{}, nil, err
	}
	tunnel, err := s.tunnelChange(ctx, about)
	if err != nil {
		return change.Plan{}, nil, err
	}
	tunnel.Intent = in.Intent
	if tunnel.Snapshots, err = s.bothEnds(ctx, t, vpn.ReachMenus()); err != nil {
		return change.Plan{}, nil, err
	}
	psk := secret.PSK()
	sealed := []secret.Sealed{s.o.Key.Seal(secret.NewRef(), psk)}
	tunnel.PSK, tunnel.Mark = sealed[0].Ref, s.o.Key.Mark("psk", psk)
	plan, err := vpn.PlanReach(vpn.ReachChange{TunnelChange: tunnel, DialIn: in.DialIn, Server: in.Definition})
	return plan, sealed, err
}
