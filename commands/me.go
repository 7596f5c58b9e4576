package commands

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"vpnbot/change"
	"vpnbot/commands/text"
)

// me shows the caller's accounts, how to set them up, and a button for
// credentials that wait.
func (s *Service) me(ctx context.Context, c *call) (Reply, error) {
	var accounts []change.Account
	for _, me := range names(c.Actor.Person) {
		list, err := s.o.Ledger.AccountsOf(ctx, me)
		if err != nil {
			return Reply{}, err
		}
		// Somebody else's account that the caller hands over shows only while its
		// credentials wait.
		accounts = append(accounts, slices.DeleteFunc(list, func(a change.Account) bool { return a.Owner != me || !a.Removed.IsZero() })...)
	}
	reply := Reply{Title: change.T("me.title")}
	waiting, err := s.waiting(ctx, c)
	if err != nil {
		return Reply{}, err
	}
	reply.Parts = append(reply.Parts, waiting...)
	if len(accounts) == 0 {
		reply.Parts = append(reply.Parts, Say("", change.T("me.none")), Say(Hint, change.T("me.none.hint")))
		return reply, nil
	}
	t := &Table{Head: heads("account", "site", "server", "address", "connected", "ends")}
	for _, a := range accounts[:min(len(accounts), maxRows)] {
		server, err := s.dialinOf(ctx, a.Site)
		if err != nil {
			return Reply{}, err
		}
		connected := change.T("me.never")
		if a.Connected != nil {
			connected = value(*a.Connected)
		}
		t.Rows = append(t.Rows, []change.Text{value(a.Name), value(a.Site), server, orNone(a.Address), connected, endCell(a)})
	}
	reply.Parts = append(reply.Parts, Part{Table: t})
	reply.Parts = append(reply.Parts, more(len(accounts)-maxRows)...)
	reply.Parts = append(reply.Parts, setup()...)
	return reply, nil
}

// names are the IDs under which the ledger may know p: that of now, and those of
// a time when the configuration had no entry for p.
func names(p change.Person) []change.PersonID {
	ids := []change.PersonID{p.ID}
	for _, slack := range p.Slack {
		if id := change.Unlisted(slack); id != p.ID {
			ids = append(ids, id)
		}
	}
	return ids
}

// endCell tells when an account ends by itself, or that it has.
func endCell(a change.Account) change.Text {
	switch {
	case a.Expired:
		return change.T("users.expired")
	case a.Expires.IsZero():
		return change.T("common.none")
	}
	return value(a.Expires)
}

func orNone(v string) change.Text {
	if v == "" {
		return change.T("common.none")
	}
	return value(v)
}

// waiting offers the credentials that the caller may open now.
func (s *Service) waiting(ctx context.Context, c *call) ([]Part, error) {
	reveals, err := s.o.Ledger.Reveals(ctx)
	if err != nil {
		return nil, err
	}
	var parts []Part
	me := names(c.Actor.Person)
	for _, v := range reveals {
		if !slices.Contains(me, v.Credentials.Reader) || v.MayOpen(c.now, v.Credentials.Reader) != nil {
			continue
		}
		waiting := change.T("me.waiting", "account", v.Credentials.Account, "site", v.Credentials.Site, "until", v.Until)
		if v.Credentials.Account == "" {
			waiting = change.T("me.waiting.key", "site", v.Credentials.Site, "until", v.Until)
		}
		parts = append(parts,
			Say(Good, waiting),
			Part{Buttons: []Button{revealButton(v)}})
	}
	return parts, nil
}

// setup says how a computer's own VPN client is set up.
func setup() []Part {
	return []Part{
		Say("", change.T("me.setup.windows")),
		Say("", change.T("me.setup.mac")),
		Say(Hint, change.T("me.setup.note")),
	}
}

// lang shows or sets the language of the answers to one person.
func (s *Service) lang(ctx context.Context, c *call) (Reply, error) {
	if chosen := c.Args["language"]; chosen != "" {
		pref := change.Preference{Person: c.Actor.Person.ID, Language: chosen}
		_, err := s.commit(ctx, c, change.Move{
			Preferences: []change.Preference{pref},
			Events: []change.Event{{
				At: c.now, Kind: change.EventPreference, Actor: c.Actor.Person.ID, Slack: c.Actor.Slack,
				Facts: map[string]string{"language": chosen},
			}},
		})
		if err != nil {
			return Reply{}, err
		}
		return Reply{Tone: Good, Title: change.T("lang.set", "language", change.T("language."+chosen))}, nil
	}
	pref, err := s.o.Ledger.Preference(ctx, c.Actor.Person.ID)
	if err != nil && !errors.Is(err, change.ErrNotFound) {
		return Reply{}, err
	}
	current := cmp.Or(pref.Language, c.Language, text.English)
	return Reply{
		Title: change.T("lang.current", "language", change.T("language."+current)),
		Parts: []Part{Say(Hint, change.T("lang.hint"))},
	}, nil
}

// help lists what the caller may use, or tells about one verb.
func (s *Service) help(_ context.Context, c *call) (Reply, error) {
	name := c.Args["verb"]
	if v, ok := lookup(name); ok {
		if !v.allows(c.Caller) {
			return Reply{}, change.ErrNotAllowed
		}
		return helpVerb(v), nil
	}
	reply := Reply{Title: change.T("help.title")}
	example := ""
	for _, v := range Verbs() {
		if v.allows(c.Caller) && (name == "" || v.under(name)) {
			example = cmp.Or(example, v.Name)
			reply.Parts = append(reply.Parts, Say("", change.T("help.line", "usage", "/vpn "+v.short(), "meaning", change.T("help."+v.Name))))
		}
	}
	if example == "" {
		return Reply{}, change.ErrNotAllowed
	}
	reply.Parts = append(reply.Parts, Say(Hint, change.T("help.hint", "verb", example)))
	return reply, nil
}

func helpVerb(v Verb) Reply {
	facts := []Labelled{{change.T("label.usage"), value("/vpn " + v.Usage())}}
	if len(v.Also) > 0 {
		also := make([]change.Text, len(v.Also))
		for i, w := range v.Also {
			also[i] = value(w)
		}
		facts = append(facts, Labelled{change.T("label.also"), listOf(also)})
	}
	if v.Need != change.NoRole {
		facts = append(facts, Labelled{change.T("label.role"), change.T("role." + v.Need.String())})
	}
	for _, f := range v.Flags {
		facts = append(facts, Labelled{value("--" + f.Name), change.T("flag." + v.Name + "." + f.Name)})
	}
	return Reply{Title: value("/vpn " + v.Name), Parts: []Part{Say("", change.T("help."+v.Name)), {Facts: facts}}}
}
