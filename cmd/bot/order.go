package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"vpnbot/config"
	"vpnbot/store"
)

// order has the running bot carry out o, or opens the ledger when none runs.
func (c configured) order(env *environment, o order) error {
	cfg, err := c.load(env.stderr)
	if err != nil {
		return err
	}
	o.UID = os.Getuid()
	res, err := askRunning(env.ctx, cfg.State, o)
	if errors.Is(err, errNotRunning) {
		res, err = performAlone(env, cfg, o)
	}
	if err != nil {
		return err
	}
	if _, err := io.WriteString(env.stdout, res.Out); err != nil {
		return err
	}
	_, _ = io.WriteString(env.stderr, res.Err)
	if res.Code != done {
		return exitError(res.Code)
	}
	return nil
}

// performAlone opens the ledger for one order. Each order reads only the secrets
// that it needs.
func performAlone(env *environment, cfg *config.Config, o order) (outcome, error) {
	d, err := openDesk(cfg, o.Do, slog.New(slog.NewTextHandler(env.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return outcome{}, err
	}
	res := d.perform(env.ctx, o)
	return res, d.close()
}

func openDesk(cfg *config.Config, do string, log *slog.Logger) (_ *desk, err error) {
	d := &desk{cfg: cfg}
	switch do {
	case orderAsk, orderImport:
		if d.keys, err = readKeys(cfg); err != nil {
			return nil, err
		}
		d.store, err = openLedger(cfg, store.Options{Log: log, Signer: d.keys.signer})
	default:
		if signer, err := readSigner(cfg); err == nil {
			d.verifier = signer.VerifierKey()
		}
		d.store, err = readLedger(cfg, log)
	}
	if err != nil {
		return nil, err
	}
	if do != orderAsk {
		return d, nil
	}
	if err := d.connect(options{log: log}); err != nil {
		return nil, errors.Join(err, d.close())
	}
	if err := d.serveCommands(nil, nil, log); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// readLedger opens the ledger without ever writing to it.
func readLedger(cfg *config.Config, log *slog.Logger) (*store.Store, error) {
	path := filepath.Join(cfg.State, "ledger.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no ledger in %s yet", cfg.State)
	}
	ledger, err := store.OpenReadOnly(path, store.Options{Log: log})
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	return ledger, nil
}
