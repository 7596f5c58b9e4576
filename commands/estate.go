package commands

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/vpn"
)

// The menus that the reading verbs look at.
const (
	menuActive = "/ppp/active"
	menuSecret = "/ppp/secret"
)

// sites lists the estate.
func (s *Service) sites(ctx context.Context, c *call) (Reply, error) {
	sites := s.visible(c)
	readings := s.read(ctx, sites, menuActive)
	parts, err := s.silent(ctx, readings)
	if err != nil {
		return Reply{}, err
	}
	t := &Table{Head: heads("site", "routers", "lan", "dialin", "online")}
	for _, site := range sites {
		dialin, err := s.dialinOf(ctx, site.Name)
		if err != nil {
			return Reply{}, err
		}
		name := site.Name
		if len(site.Aliases) > 0 {
			name += " (" + strings.Join(site.Aliases, ", ") + ")"
		}
		lan := make([]string, len(site.LAN))
		for i, p := range site.LAN {
			lan[i] = p.String()
		}
		t.Rows = append(t.Rows, []change.Text{
			value(name), value(strings.Join(site.Routers, ", ")), value(strings.Join(lan, ", ")), dialin, onlineAt(site, readings),
		})
	}
	reply := Reply{Title: change.T("sites.title"), Share: true}
	if len(t.Rows) == 0 {
		reply.Parts = []Part{Say("", change.T("sites.none"))}
		return reply, nil
	}
	left := len(t.Rows) - maxRows
	t.Rows = t.Rows[:min(len(t.Rows), maxRows)]
	reply.Parts = slices.Concat([]Part{{Table: t}}, more(left), notOurs(sites), parts)
	return reply, nil
}

// notOurs names the sites whose routers somebody else runs: nothing is read there, so
// whoever is connected there is not in the answer.
func notOurs(sites []vpn.Site) []Part {
	var names []string
	for _, site := range sites {
		if site.Foreign {
			names = append(names, site.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []Part{Say(Hint, change.T("sites.foreign", "sites", values(names)))}
}

// dialinOf names what clients of a site dial.
func (s *Service) dialinOf(ctx context.Context, site string) (change.Text, error) {
	def, err := s.o.Ledger.Definition(ctx, vpn.KindDialIn, site)
	if errors.Is(err, change.ErrNotFound) {
		return change.T("sites.undefined"), nil
	}
	if err != nil {
		return change.Text{}, err
	}
	d, err := vpn.DecodeDialIn(def)
	if err != nil {
		return change.Text{}, err
	}
	return value(d.Server), nil
}

// onlineAt counts a site's sessions, or says that they are unknown.
func onlineAt(site vpn.Site, readings []reading) change.Text {
	if site.Foreign { // nobody asks its routers
		return change.T("common.unknown")
	}
	n := 0
	for _, r := range readings {
		if r.site != site.Name {
			continue
		}
		if r.err != nil {
			return change.T("common.unknown")
		}
		n += len(vpn.Sessions(r.snapshot))
	}
	return value(n)
}

// who lists the live sessions.
func (s *Service) who(ctx context.Context, c *call) (Reply, error) {
	sites := s.visible(c)
	if c.site != "" && len(sites) == 1 && sites[0].Foreign {
		return Reply{}, foreignSite(sites[0])
	}
	readings := s.read(ctx, sites, menuActive)
	silent, err := s.silent(ctx, readings)
	if err != nil {
		return Reply{}, err
	}
	owners, err := s.owners(ctx, sites)
	if err != nil {
		return Reply{}, err
	}
	t := &Table{Head: heads("account", "owner", "site", "address", "from", "uptime")}
	for _, r := range readings {
		for _, session := range vpn.Sessions(r.snapshot) {
			t.Rows = append(t.Rows, []change.Text{
				value(session.Account), ownerCell(owners, r.site, session.Account), value(r.site),
				value(session.Address), value(session.CallerID), value(session.Uptime),
			})
		}
	}
	reply := listReply("who", t, silent)
	reply.Parts = append(reply.Parts, notOurs(sites)...)
	return reply, nil
}

// users lists the accounts as the routers hold them. Of a router that does not
// answer, those that the bot made are listed.
func (s *Service) users(ctx context.Context, c *call) (Reply, error) {
	sites := s.visible(c)
	if c.site != "" && len(sites) == 1 && sites[0].Foreign {
		return Reply{}, foreignSite(sites[0])
	}
	readings := s.read(ctx, sites, menuSecret, menuActive)
	silent, err := s.silent(ctx, readings)
	if err != nil {
		return Reply{}, err
	}
	owners, err := s.owners(ctx, sites)
	if err != nil {
		return Reply{}, err
	}
	t := &Table{Head: heads("account", "owner", "site", "online", "address", "ends", "note")}
	for _, r := range readings {
		if r.err != nil {
			for _, a := range owners {
				if a.Router == r.router {
					t.Rows = append(t.Rows, []change.Text{
						value(a.Name), value(a.Owner), value(a.Site), change.T("common.unknown"), value(a.Address), endCell(a), value(a.Note),
					})
				}
			}
			continue
		}
		for _, u := range vpn.Users(r.snapshot) {
			t.Rows = append(t.Rows, []change.Text{
				value(u.Name), ownerCell(owners, r.site, u.Name), value(r.site), userState(u), value(u.Address),
				endCell(owners[accountKey(r.site, u.Name)]), value(u.Comment),
			})
		}
	}
	slices.SortStableFunc(t.Rows, func(a, b []change.Text) int {
		return cmp.Or(strings.Compare(cellText(a[2]), cellText(b[2])), strings.Compare(cellText(a[0]), cellText(b[0])))
	})
	reply := listReply("users", t, silent)
	reply.Parts = append(reply.Parts, notOurs(sites)...)
	return reply, nil
}

func cellText(t change.Text) string { return t.Args["value"].Str }

func userState(u vpn.AccountRow) change.Text {
	switch {
	case u.Disabled:
		return change.T("users.disabled")
	case u.Online:
		return change.T("common.yes")
	}
	return change.T("common.no")
}

// owners returns the accounts that the bot made, by site and name.
func (s *Service) owners(ctx context.Context, sites []vpn.Site) (map[string]change.Account, error) {
	owners := map[string]change.Account{}
	for _, site := range sites {
		accounts, err := s.o.Ledger.Accounts(ctx, site.Name)
		if err != nil {
			return nil, err
		}
		for _, a := range accounts {
			if !a.Removed.IsZero() {
				continue
			}
			owners[accountKey(a.Site, a.Name)] = a
		}
	}
	return owners, nil
}

func accountKey(site, name string) string { return site + "/" + name }

func ownerCell(owners map[string]change.Account, site, name string) change.Text {
	if a, ok := owners[accountKey(site, name)]; ok && a.Owner != "" {
		return value(a.Owner)
	}
	return change.T("common.unknown")
}

// listReply is a table under the title NAME.title, with what could not be read.
func listReply(name string, t *Table, silent []Part) Reply {
	reply := Reply{Title: change.T(name+".title", "count", len(t.Rows)), Share: true}
	if len(silent) > 0 {
		reply.Tone = Warning
	}
	if len(t.Rows) == 0 {
		if len(silent) == 0 {
			reply.Parts = []Part{Say("", change.T(name+".none"))}
		}
		reply.Parts = append(reply.Parts, silent...)
		return reply
	}
	left := len(t.Rows) - maxRows
	t.Rows = t.Rows[:min(len(t.Rows), maxRows)]
	reply.Parts = slices.Concat([]Part{{Table: t}}, more(left), silent)
	return reply
}
