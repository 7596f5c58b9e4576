package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// The verbs that change a tunnel.
const (
	verbRedo   = "redo"
	verbRekey  = "rekey"
	verbRotate = "rotate psk"
	verbSet    = "tunnel set"
	verbAdd    = "tunnel add"
	verbRemove = "tunnel remove"
)

// retunnel plans a change to one tunnel and shows the plan to its requester.
func (s *Service) retunnel(ctx context.Context, c *call) (Reply, error) {
	if len(c.place.tunnels) == 0 {
		return Reply{}, bad("tunnel.none")
	}
	if len(c.place.tunnels) > 1 {
		return s.which(c)
	}
	intent := tunnelIntent(c.Verb, c.place.tunnels[0])
	if err := s.renameSettings(c.Args); err != nil {
		return Reply{}, err
	}
	intent.Settings = settingsOf(c.Args)
	if !intent.Grants(c.Actor.Person, change.Operator) {
		return Reply{}, change.ErrNotAllowed
	}
	return s.propose(ctx, c, intent, c.Args["yes"] != "")
}

func tunnelIntent(verb string, t vpn.Tunnel) change.Intent {
	return change.Intent{Verb: verb, Site: t.Ends[0].Site, Far: t.Ends[1].Site, Tunnel: t.Name}
}

// which asks which of a site's tunnels is meant, and offers those that the caller
// may change.
func (s *Service) which(c *call) (Reply, error) {
	var buttons []Button
	for _, t := range c.place.tunnels {
		if !tunnelIntent(c.Verb, t).Grants(c.Actor.Person, change.Operator) {
			continue
		}
		cmd := Command{Verb: c.Verb, Args: maps.Clone(c.Args)}
		cmd.Args["place"] = t.Name
		buttons = append(buttons, Button{Action: ActionPick, Value: commandValue(cmd), Label: value(t.Name)})
	}
	if len(buttons) == 0 {
		return Reply{}, change.ErrNotAllowed
	}
	return Reply{Parts: []Part{Say("", change.T("tunnel.which", "site", c.place.site.Name)), {Buttons: buttons}}}, nil
}

// pick carries out the command of a button that which offered, with the rights of
// whoever pressed.
func (s *Service) pick(ctx context.Context, c *call, value string) (Reply, error) {
	var cmd Command
	if err := json.Unmarshal([]byte(value), &cmd); err != nil {
		return Reply{}, bad("refuse.action")
	}
	if v, ok := lookup(cmd.Verb); !ok || !v.Changing || cmd.Args["place"] == "" || cmd.Problem != nil {
		return Reply{}, bad("refuse.action")
	}
	c.Command = cmd
	return s.run(ctx, c)
}

// planTunnel reads both routers and computes the plan. The key that it makes is
// sealed before anything else is done with it.
func (s *Service) planTunnel(ctx context.Context, intent change.Intent) (change.Plan, []secret.Sealed, error) {
	in, err := s.tunnelChange(ctx, intent)
	if err != nil {
		return change.Plan{}, nil, err
	}
	if in.Tunnel.Name == "" {
		return change.Plan{}, nil, bad("tunnel.undefined")
	}
	if intent.Verb == verbRemove && in.Tunnel.Foreign(in.Estate) {
		return vpn.PlanForget(in), nil, nil
	}
	menus := vpn.TunnelMenus()
	switch intent.Verb {
	case verbAdd, verbRemove:
		menus = vpn.AddMenus()
	case verbSet:
		menus = vpn.MoveMenus()
	}
	if in.Snapshots, err = s.bothEnds(ctx, in.Tunnel, menus); err != nil {
		return change.Plan{}, nil, err
	}
	var sealed []secret.Sealed
	if intent.Verb != verbRekey && intent.Verb != verbRemove {
		sealed = s.newKey(&in)
	}
	plan, err := planners()[intent.Verb](in)
	return plan, used(sealed, plan), err
}

// newKey makes the key that both ends are to get.
func (s *Service) newKey(in *vpn.TunnelChange) []secret.Sealed {
	psk := secret.PSK()
	sealed := s.o.Key.Seal(secret.NewRef(), psk)
	in.PSK, in.Mark = sealed.Ref, s.o.Key.Mark("psk", psk)
	return []secret.Sealed{sealed}
}

// used are those of the sealed keys that a row gets. Any other would outlive the
// request: nobody would destroy it.
func used(sealed []secret.Sealed, plan change.Plan) []secret.Sealed {
	return slices.DeleteFunc(sealed, func(k secret.Sealed) bool { return !slices.Contains(plan.SecretRefs(), k.Ref) })
}

func planners() map[string]func(vpn.TunnelChange) (change.Plan, error) {
	return map[string]func(vpn.TunnelChange) (change.Plan, error){
		verbRedo: vpn.PlanRedo, verbRekey: vpn.PlanRekey, verbRotate: vpn.PlanRotatePSK, verbSet: vpn.PlanSet, verbAdd: vpn.PlanAddTunnel,
		verbRemove: vpn.PlanRemove,
	}
}

// tunnelChange gathers what the ledger and the configuration say. Of a tunnel that is
// not defined, Tunnel has no name.
func (s *Service) tunnelChange(ctx context.Context, intent change.Intent) (vpn.TunnelChange, error) {
	in := vpn.TunnelChange{Intent: intent, Estate: s.o.Estate, Unchecked: s.o.Unchecked}
	defs, err := s.o.Ledger.Definitions(ctx)
	if err != nil {
		return in, fmt.Errorf("reading definitions: %w", err)
	}
	for _, def := range defs {
		switch def.Kind {
		case vpn.KindDialIn:
			d, err := vpn.DecodeDialIn(def)
			if err != nil {
				return in, err
			}
			in.DialIns = append(in.DialIns, d)
		case vpn.KindTunnel:
			t, err := vpn.DecodeTunnel(def)
			if err != nil {
				return in, err
			}
			t = t.In(s.o.Estate)
			in.Others = append(in.Others, t)
			if vpn.SameName(t.Name, intent.Tunnel) {
				in.Definition, in.Tunnel = def.DefinitionRef, t
			}
		}
	}
	in.Tunnel = in.Tunnel.Reached(in.DialIns, s.o.Estate)
	for i, o := range in.Others {
		in.Others[i] = o.Reached(in.DialIns, s.o.Estate)
	}
	if intent.Verb == verbAdd {
		return in, s.newTunnel(ctx, &in)
	}
	return in, nil
}

// bothEnds reads menus of both routers of t at once.
func (s *Service) bothEnds(ctx context.Context, t vpn.Tunnel, menus []string) (snapshots [2]change.Snapshot, err error) {
	if err := t.Ours(s.o.Estate); err != nil {
		return snapshots, err
	}
	var errs [2]error
	var wg sync.WaitGroup
	for i, end := range t.Ends {
		wg.Go(func() { snapshots[i], errs[i] = s.snapshot(ctx, end.Router, menus...) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return snapshots, err
		}
	}
	return snapshots, nil
}
