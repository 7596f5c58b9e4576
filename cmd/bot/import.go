package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/config"
	"vpnbot/store"
	"vpnbot/vpn"
)

type importCommand struct {
	configured
	File string `arg:"" help:"Definitions, such as deploy/definitions.yaml shows."`
}

// Run imports. The pre-shared keys are read by the process that holds the
// ledger: an env: or credential: reference must lead somewhere there.
func (c importCommand) Run(env *environment) error {
	path, err := filepath.Abs(c.File)
	if err != nil {
		return usageError{err}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return usageError{fmt.Errorf("reading definitions: %w", err)}
	}
	return c.order(env, order{Do: orderImport, File: path, Data: data})
}

type exportCommand struct{ configured }

// Run exports.
func (c exportCommand) Run(env *environment) error { return c.order(env, order{Do: orderExport}) }

// importDefinition stores im when the ledger has no definition of its name. The
// pre-shared key is sealed in the same transaction.
func importDefinition(ctx context.Context, ledger *store.Store, key secret.Key, im config.Imported, by string) (bool, error) {
	_, err := ledger.Definition(ctx, im.Kind, im.Name)
	if err == nil || !errors.Is(err, change.ErrNotFound) {
		return false, err
	}
	now := time.Now()
	ref := change.DefinitionRef{Kind: im.Kind, Name: im.Name, Version: 1}
	var m change.Move
	if im.PSK != "" {
		psk, err := im.PSK.Read()
		if err != nil {
			return false, fmt.Errorf("psk: %w", err)
		}
		sealed := secret.NewRef()
		im = im.Sealed(sealed, key.Mark("psk", psk))
		m.Seal = []secret.Sealed{key.Seal(sealed, psk)}
	}
	body, err := im.Encode()
	if err != nil {
		return false, err
	}
	m.Definitions = []change.Definition{{DefinitionRef: ref, At: now, By: terminal().ID, Body: body}}
	m.Events = []change.Event{importEvent(im, ref, now, by)}
	if _, err := ledger.Commit(ctx, m); err != nil {
		return false, fmt.Errorf("storing the definition: %w", err)
	}
	return true, nil
}

// importEvent tells the trail what was taken in. A tunnel belongs to two sites,
// which stand among the facts.
func importEvent(im config.Imported, ref change.DefinitionRef, now time.Time, by string) change.Event {
	ev := change.Event{
		At: now, Kind: change.EventDefinition, Actor: terminal().ID,
		Facts: map[string]string{"kind": ref.Kind, "name": ref.Name, "version": strconv.Itoa(ref.Version), "by": by},
	}
	if im.Kind == vpn.KindTunnel {
		ev.Site, ev.Facts["far-site"] = im.Tunnel.Ends[0].Site, im.Tunnel.Ends[1].Site
		return ev
	}
	ev.Site, ev.Router = im.DialIn.Site, im.DialIn.Router
	return ev
}
