package secret

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Source tells where a secret is kept outside the configuration file:
// "file:/etc/vpnbot/psk", "env:VPNBOT_KEY" or "credential:slack-token" (systemd's
// credentials directory, systemd.exec(5)).
type Source string

// ErrSource is returned for a Source of no known form.
var ErrSource = errors.New(`expected "file:PATH", "env:NAME" or "credential:NAME"`)

// maxSecretFile bounds what is read from a file that a Source names.
const maxSecretFile = 64 << 10

// Validate checks the form only. It never repeats the text in its error, since
// people put the secret itself where a reference belongs.
func (s Source) Validate() error {
	kind, name, ok := strings.Cut(string(s), ":")
	if !ok || name == "" {
		return ErrSource
	}
	switch kind {
	case "file", "env":
		return nil
	case "credential":
		if strings.ContainsAny(name, `/\`) {
			return ErrSource
		}
		return nil
	}
	return ErrSource
}

// Read returns the secret without the line break that editors add at its end.
func (s Source) Read() (Secret, error) {
	if err := s.Validate(); err != nil {
		return Secret{}, err
	}
	kind, name, _ := strings.Cut(string(s), ":")
	switch kind {
	case "env":
		text, ok := os.LookupEnv(name)
		if !ok || text == "" {
			return Secret{}, fmt.Errorf("environment variable %s is not set", name)
		}
		return New(text), nil
	case "credential":
		dir, ok := os.LookupEnv("CREDENTIALS_DIRECTORY")
		if !ok {
			return Secret{}, fmt.Errorf("credential %s: no credentials directory (not started by systemd?)", name)
		}
		name = filepath.Join(dir, name)
	}
	return readFile(name)
}

func readFile(name string) (Secret, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Secret{}, fmt.Errorf("reading secret: %w", err)
	}
	if info.Size() > maxSecretFile {
		return Secret{}, fmt.Errorf("reading secret: %s is larger than %d bytes", name, maxSecretFile)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return Secret{}, fmt.Errorf("reading secret: %w", err)
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return Secret{}, fmt.Errorf("reading secret: %s is empty", name)
	}
	return New(text), nil
}
