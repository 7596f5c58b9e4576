package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"vpnbot/change"
	"vpnbot/vpn"
)

// argSettings is the key in Command.Args under which values of a definition stand:
// KEY=VALUE, one on each line, keys in the one form that vpn.ReadSetting or
// vpn.ReadDialInSetting gives them.
const argSettings = "settings"

// readSetting reads one KEY=VALUE. What is neither is not kept: people paste keys.
func (s Slot) readSetting(w word) (string, *ParseError) {
	if w.user != "" {
		return "", bad("parse.mention", "what", "KEY=VALUE")
	}
	folded := w.fold()
	if key, value, ok := strings.Cut(w.raw, "="); ok && strings.EqualFold(key, "note") {
		folded = key + "=" + value // free text keeps the form in which it was typed
	}
	read := vpn.ReadSetting
	if s.Kind == ServerValue {
		read = vpn.ReadDialInSetting
	}
	set, err := read(folded)
	if r, refused := errors.AsType[*vpn.Refusal](err); refused {
		return "", &ParseError{r.Text, r.Hint}
	}
	return set.Key + "=" + set.Value, nil
}

// settingsOf returns the settings among the arguments of a command.
func settingsOf(args map[string]string) []change.Setting {
	var list []change.Setting
	for line := range strings.Lines(args[argSettings]) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			list = append(list, change.Setting{Key: key, Value: value})
		}
	}
	return list
}

// renameSettings puts the names of sites in place of what people call them.
func (s *Service) renameSettings(args map[string]string) error {
	settings := settingsOf(args)
	if len(settings) == 0 {
		return nil
	}
	lines := make([]string, len(settings))
	for i, set := range settings {
		if set.Key == keyReach {
			var err error
			if set.Value, err = s.renameSites(set.Value); err != nil {
				return err
			}
		}
		if word, rest := vpn.EndOf(set.Key); word != "" {
			site, err := s.siteNamed(strings.Map(foldDash, word))
			if err != nil {
				return err
			}
			set.Key = site.Name + "." + rest
		}
		lines[i] = set.Key + "=" + set.Value
	}
	args[argSettings] = strings.Join(lines, "\n")
	return nil
}

// argFar is the key in Command.Args of a tunnel's second site.
const argFar = "far"

// addTunnel plans a new tunnel between two sites.
func (s *Service) addTunnel(ctx context.Context, c *call) (Reply, error) {
	far, err := s.siteNamed(c.Args[argFar])
	if err != nil {
		return Reply{}, err
	}
	if err := s.renameSettings(c.Args); err != nil {
		return Reply{}, err
	}
	intent := change.Intent{Verb: c.Verb, Site: c.site, Far: far.Name, Tunnel: c.Args["name"], Settings: settingsOf(c.Args)}
	if intent.Tunnel == "" {
		intent.Tunnel = c.site + "-" + far.Name
	}
	if !intent.Grants(c.Actor.Person, change.Operator) {
		return Reply{}, change.ErrNotAllowed
	}
	return s.propose(ctx, c, intent, c.Args["yes"] != "")
}

// newTunnel fills in what is planned from when there is no definition yet. Versions
// of a tunnel that had the name before count on.
func (s *Service) newTunnel(ctx context.Context, in *vpn.TunnelChange) error {
	t, err := vpn.NewTunnel(in.Estate, in.Intent)
	if err != nil {
		return err
	}
	version, err := s.o.Ledger.DefinitionVersion(ctx, vpn.KindTunnel, t.Name)
	if err != nil {
		return fmt.Errorf("reading definitions: %w", err)
	}
	in.Tunnel, in.Definition = t, change.DefinitionRef{Kind: vpn.KindTunnel, Name: t.Name, Version: version}
	return nil
}
