//go:build !nodemo

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed demo/vpnbot.yaml
var demoConfig string

//go:embed demo/definitions.yaml
var demoDefinitions []byte

// slackTokens are what the bot shows to the stand-in.
type slackTokens struct{ bot, app string }

func (d *demo) configFile() string { return filepath.Join(d.dir, "vpnbot.yaml") }

// secrets makes the demo's secret files. Those of an earlier start are kept,
// since its ledger is sealed with them.
func (d *demo) secrets() (err error) {
	if err := os.MkdirAll(filepath.Join(d.dir, "secrets"), 0o700); err != nil {
		return fmt.Errorf("making the demo's directory: %w", err)
	}
	for _, name := range []string{"sealing-key", "checkpoint-key"} {
		if _, err := keep(d.dir, name, hexKey); err != nil {
			return err
		}
	}
	if d.tokens.bot, err = keep(d.dir, "slack-bot-token", func() string { return "xoxb-demo-" + rand.Text() }); err != nil {
		return err
	}
	d.tokens.app, err = keep(d.dir, "slack-app-token", func() string { return "xapp-demo-" + rand.Text() })
	return err
}

func hexKey() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// keep returns what stands in a secret file, which it makes when it is missing.
func keep(dir, name string, fresh func() string) (string, error) {
	path := filepath.Join(dir, "secrets", name)
	b, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading secret file: %w", err)
	}
	text := fresh()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing secret file: %w", err)
	}
	return text, nil
}

// configure writes the configuration of the bot.
func (d *demo) configure() error {
	t, err := template.New("vpnbot.yaml").Parse(demoConfig)
	if err != nil {
		return fmt.Errorf("reading the demo's configuration: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, map[string]any{"API": d.url + "/api/", "Sites": d.routers}); err != nil {
		return fmt.Errorf("writing the demo's configuration: %w", err)
	}
	if err := os.WriteFile(d.configFile(), b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the demo's configuration: %w", err)
	}
	return nil
}

// define imports the demo's definitions, as "bot import" would.
func (d *demo) define(ctx context.Context, s *system) error {
	dir, err := filepath.Abs(d.dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "definitions.yaml")
	if err := os.WriteFile(path, demoDefinitions, 0o600); err != nil {
		return err
	}
	return s.take(ctx, order{Do: orderImport, File: path, Data: demoDefinitions, UID: os.Getuid()}, io.Discard)
}
