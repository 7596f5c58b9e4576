package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"vpnbot/change/secret"
	"vpnbot/change/trail"
	"vpnbot/commands"
	"vpnbot/config"
)

// configured is the flag of every command that reads the configuration.
type configured struct {
	Config string `default:"vpnbot.yaml" placeholder:"FILE" help:"Configuration (${default})."`
}

// load reads and checks the configuration and prints its warnings.
func (c configured) load(warnings io.Writer) (*config.Config, error) {
	cfg, err := config.Load(c.Config)
	if err == nil {
		err = cfg.CheckVerbs(changing())
	}
	if err != nil {
		if len(config.Errors(err)) == 0 {
			err = usageError{err}
		}
		return nil, err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(warnings, "warning:", w)
	}
	return cfg, nil
}

// changing are the verbs that an approval rule can be about.
func changing() []string {
	var names []string
	for _, v := range commands.Verbs() {
		if v.Changing {
			names = append(names, v.Name)
		}
	}
	return names
}

// keys are the bot's own secrets.
type keys struct {
	sealing secret.Key
	signer  *trail.Signer
}

func readKeys(cfg *config.Config) (keys, error) {
	raw, err := keyBytes("sealing-key", cfg.Secrets.SealingKey)
	if err != nil {
		return keys{}, err
	}
	sealing, err := secret.NewKey(raw)
	if err != nil {
		return keys{}, fmt.Errorf("sealing-key: %w", err)
	}
	signer, err := readSigner(cfg)
	return keys{sealing, signer}, err
}

func readSigner(cfg *config.Config) (*trail.Signer, error) {
	seed, err := keyBytes("checkpoint-key", cfg.Secrets.CheckpointKey)
	if err != nil {
		return nil, err
	}
	signer, err := trail.NewSigner("vpnbot/"+cfg.Slack.Team, seed)
	if err != nil {
		return nil, fmt.Errorf("checkpoint-key: %w", err)
	}
	return signer, nil
}

// keyBytes reads a key of 32 bytes. It never repeats what it found.
func keyBytes(name string, source secret.Source) ([]byte, error) {
	s, err := source.Read()
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", name, err)}
	}
	raw, err := hex.DecodeString(s.Expose())
	if err != nil || len(raw) != secret.KeySize {
		return nil, usageError{fmt.Errorf("%s: expected 64 hexadecimal digits, such as \"openssl rand -hex 32\" makes", name)}
	}
	return raw, nil
}

// fileDigest tells one content of the configuration from another.
func fileDigest(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading configuration: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// token reads a Slack token from its reference, or from the environment.
func token(source secret.Source, variable string) (secret.Secret, error) {
	if source == "" {
		source = secret.Source("env:" + variable)
	}
	s, err := source.Read()
	if err != nil {
		return secret.Secret{}, usageError{fmt.Errorf("slack token: %w", err)}
	}
	return s, nil
}

var errAPI = errors.New("SLACK_API_URL: expected a base URL that ends in /, https or on a loopback address")
