package commands

import (
	"context"
	"fmt"
	"strings"

	"vpnbot/change"
	"vpnbot/vpn"
)

// place is what a person named: a site with its tunnels, or one tunnel.
type place struct {
	site    vpn.Site // zero for a tunnel
	tunnels []vpn.Tunnel
}

// name is what the place is called.
func (p place) name() string {
	if p.site.Name != "" {
		return p.site.Name
	}
	return p.tunnels[0].Name
}

// placed resolves the word for a place and checks whether the caller may see it:
// a tunnel belongs to both its sites.
func (s *Service) placed(ctx context.Context, c *call, word string, need change.Role) (place, error) {
	p, err := s.placeNamed(ctx, word)
	if err != nil {
		return p, err
	}
	if p.site.Name != "" {
		c.site = p.site.Name
		if !c.Actor.Person.May(need, p.site.Name) {
			return p, change.ErrNotAllowed
		}
		return p, nil
	}
	c.site = p.tunnels[0].Ends[0].Site
	if !mayEither(c.Actor.Person, need, p.tunnels[0]) {
		return p, change.ErrNotAllowed
	}
	return p, nil
}

func mayEither(who change.Person, need change.Role, t vpn.Tunnel) bool {
	return who.May(need, t.Ends[0].Site) || who.May(need, t.Ends[1].Site)
}

// placeNamed finds a site by its name or an alias, else a tunnel by its name or
// by what its two sites are called: "總公司-鳳山".
func (s *Service) placeNamed(ctx context.Context, word string) (place, error) {
	tunnels, err := s.tunnels(ctx)
	if err != nil {
		return place{}, err
	}
	if site, ok := s.o.Estate.Site(word); ok {
		p := place{site: site}
		for _, t := range tunnels {
			if t.Touches(site.Name) {
				p.tunnels = append(p.tunnels, t)
			}
		}
		return p, nil
	}
	names := make([]string, len(tunnels))
	for i, t := range tunnels {
		if vpn.SameName(t.Name, word) || s.joins(t, word) {
			return place{tunnels: tunnels[i : i+1]}, nil
		}
		names[i] = t.Name
	}
	problem := bad("parse.place")
	for _, site := range s.o.Estate.Sites {
		names = append(append(names, site.Name), site.Aliases...)
	}
	if near := vpn.Nearest(word, names); near != "" {
		problem.Hint = change.T("parse.nearest", "near", near)
	}
	return place{}, problem
}

// joins tells whether word is what the two sites of t are called, in any order,
// with something between them.
func (s *Service) joins(t vpn.Tunnel, word string) bool {
	a, b, ok := strings.Cut(strings.NewReplacer("↔", "-", "→", "-", "到", "-", "~", "-").Replace(word), "-")
	if !ok {
		return false
	}
	one, known1 := s.o.Estate.Site(a)
	two, known2 := s.o.Estate.Site(b)
	return known1 && known2 && one.Name != two.Name && t.Touches(one.Name) && t.Touches(two.Name)
}

// tunnels are the definitions of all tunnels, by name, with what dial-in clients reach
// through them.
func (s *Service) tunnels(ctx context.Context) ([]vpn.Tunnel, error) {
	defs, err := s.o.Ledger.Definitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading definitions: %w", err)
	}
	var list []vpn.Tunnel
	var dialins []vpn.DialIn
	for _, def := range defs {
		switch def.Kind {
		case vpn.KindDialIn:
			d, err := vpn.DecodeDialIn(def)
			if err != nil {
				return nil, err
			}
			dialins = append(dialins, d)
		case vpn.KindTunnel:
			t, err := vpn.DecodeTunnel(def)
			if err != nil {
				return nil, err
			}
			list = append(list, t.In(s.o.Estate))
		}
	}
	for i, t := range list {
		list[i] = t.Reached(dialins, s.o.Estate)
	}
	return list, nil
}
