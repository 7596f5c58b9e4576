package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"vpnbot/change"
	"vpnbot/config"
)

// What the ledger remembers of the configuration that the bot last ran with.
const (
	factConfig   = "config"          // the file's digest
	factSettings = "config.settings" // its settings, as JSON
)

// An event tells of so many settings, each so long.
const (
	maxSettings = 50
	maxSetting  = 200
)

// started records the start, and what is new in the configuration.
func (s *system) started(ctx context.Context) error {
	now := time.Now()
	m := change.Move{Events: []change.Event{{
		At: now, Kind: change.EventStarted, Actor: change.SystemPerson, Facts: map[string]string{"version": version()},
	}}}
	digest, err := fileDigest(s.cfg.File)
	if err != nil {
		return err
	}
	before, err := s.fact(ctx, factConfig)
	if err != nil {
		return err
	}
	if before != digest {
		facts, settings, err := s.difference(ctx)
		if err != nil {
			return err
		}
		facts["after"] = digest
		if before != "" {
			facts["before"] = before
		}
		m.Events = append(m.Events, change.Event{At: now, Kind: change.EventConfig, Actor: change.SystemPerson, Digest: digest, Facts: facts})
		m.Facts = []change.Fact{{Name: factConfig, Value: digest}, {Name: factSettings, Value: settings}}
	}
	if _, err := s.store.Commit(ctx, m); err != nil {
		return fmt.Errorf("recording the start: %w", err)
	}
	return nil
}

// fact returns what the ledger remembers under name, "" for nothing.
func (s *system) fact(ctx context.Context, name string) (string, error) {
	v, err := s.store.Fact(ctx, name)
	if err != nil && !errors.Is(err, change.ErrNotFound) {
		return "", fmt.Errorf("reading the last configuration's digest: %w", err)
	}
	return v, nil
}

// difference tells which settings are others than at the last start, as facts of
// an event, and returns the settings as they are to be remembered. At the first
// start nothing is another.
func (s *system) difference(ctx context.Context) (facts map[string]string, settings string, err error) {
	after := s.cfg.Settings()
	encoded, err := json.Marshal(after)
	if err != nil {
		return nil, "", fmt.Errorf("remembering the configuration: %w", err)
	}
	last, err := s.fact(ctx, factSettings)
	if err != nil {
		return nil, "", err
	}
	facts = map[string]string{}
	if last == "" {
		return facts, string(encoded), nil
	}
	var before map[string]string
	if err := json.Unmarshal([]byte(last), &before); err != nil {
		return nil, "", fmt.Errorf("reading the last configuration: %w", err)
	}
	diff := config.Difference(before, after)
	paths := slices.Sorted(maps.Keys(diff))
	if more := len(paths) - maxSettings; more > 0 {
		facts["more"] = strconv.Itoa(more)
		paths = paths[:maxSettings]
	}
	for _, path := range paths {
		facts[path] = shorten(diff[path], maxSetting)
	}
	return facts, string(encoded), nil
}

// shorten cuts s to so many characters.
func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
