package commands

import (
	"errors"
	"strings"

	"vpnbot/change"
	"vpnbot/vpn"
)

// argSettings is the key in Command.Args under which values of a tunnel's definition
// stand: KEY=VALUE, one on each line, keys in the one form that vpn.ReadSetting gives
// them.
const argSettings = "settings"

// readSetting reads one KEY=VALUE. What is neither is not kept: people paste keys.
func readSetting(w word) (string, *ParseError) {
	if w.user != "" {
		return "", bad("parse.mention", "what", "KEY=VALUE")
	}
	folded := w.fold()
	if key, value, ok := strings.Cut(w.raw, "="); ok && strings.EqualFold(key, "note") {
		folded = key + "=" + value // free text keeps the form in which it was typed
	}
	s, err := vpn.ReadSetting(folded)
	if r, refused := errors.AsType[*vpn.Refusal](err); refused {
		return "", &ParseError{r.Text, r.Hint}
	}
	return s.Key + "=" + s.Value, nil
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
