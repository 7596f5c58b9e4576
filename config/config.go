package config

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones on hosts that have no database of them

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

// Config is a checked configuration: every reference in it leads somewhere, and
// every path is absolute or relative to the working directory.
type Config struct {
	File     string
	State    string // directory of the ledger and the socket
	Language string // "en" or "zh-TW"
	Location *time.Location

	Channels         map[change.Channel]string // Slack channel IDs
	ChannelLanguages map[change.Channel]string // of the cards posted there

	People    []change.Person
	Languages map[change.PersonID]string // only of people who have one configured
	Rules     change.Rules
	Estate    vpn.Estate

	Slack     Slack
	Secrets   Secrets
	Witness   Witness
	Retention Retention

	// Warnings are allowed and unwise, in the order of the file.
	Warnings []*Error

	doc      *document
	settings map[string]string
}

// Slack is how the workspace is reached. A token without a reference is read
// from the environment: SLACK_BOT_TOKEN, SLACK_APP_TOKEN. A signing secret, there
// or here, is accepted and not used.
type Slack struct {
	Team     string
	API      string // base URL, ends in "/"; "" for Slack's own
	BotToken secret.Source
	AppToken secret.Source
}

// Secrets are the bot's own keys, each 32 bytes written as 64 hexadecimal digits.
type Secrets struct {
	SealingKey    secret.Source
	CheckpointKey secret.Source
}

// Witness is where signed checkpoints go besides the audit channel, so that the
// bot cannot change what was said.
type Witness struct {
	Webhook secret.Source
	Journal bool // the host's journal, forwarded elsewhere by its administrator
}

// Retention is how long things are kept that are no evidence. Events, requests
// and definitions are kept for ever.
type Retention struct {
	Inbox time.Duration // clicks and commands that were answered
}

// Load reads and checks the configuration at path. The error joins one *Error
// per mistake.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse checks data as the configuration that stands at path.
func Parse(path string, data []byte) (*Config, error) {
	doc, root, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	c := &Config{File: path, doc: doc, settings: map[string]string{}}
	root.flatten(c.settings)
	c.read(root)
	if err := join(doc.errs); err != nil {
		return nil, err
	}
	c.advise()
	c.Warnings = doc.warnings
	return c, nil
}

func (c *Config) read(root value) {
	f := root.object("state", "language", "timezone", "channels", "people", "sites", "approvals",
		"secrets", "slack", "retention", "witness")
	c.readState(f["state"])
	c.Language = f["language"].language("en")
	c.readLocation(f["timezone"])
	c.readSlack(f["slack"])
	c.readChannels(f["channels"])
	c.readSites(f["sites"])
	c.readPeople(f["people"])
	c.readRules(f["approvals"])
	c.readSecrets(f["secrets"])
	c.readWitness(f["witness"])
	c.Retention.Inbox = f["retention"].object("inbox")["inbox"].days(30)
}

func (c *Config) readState(v value) {
	if dir, ok := v.required("the directory of the ledger, such as /var/lib/vpnbot"); ok && dir == "" {
		v.fail("expected the directory of the ledger, such as /var/lib/vpnbot")
	} else if ok {
		c.State = c.doc.resolve(dir)
	}
}

func (c *Config) readLocation(v value) {
	const expected = "a time zone such as Asia/Taipei"
	c.Location = time.UTC
	name, ok := v.required(expected)
	if !ok {
		return
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		v.fail("expected " + expected)
		return
	}
	c.Location = loc
}

func (c *Config) readSecrets(v value) {
	f := v.object("sealing-key", "checkpoint-key")
	c.Secrets = Secrets{
		SealingKey:    f["sealing-key"].source(true),
		CheckpointKey: f["checkpoint-key"].source(true),
	}
}

func (c *Config) readWitness(v value) {
	f := v.object("webhook", "journal")
	c.Witness = Witness{Webhook: f["webhook"].source(false), Journal: f["journal"].flag()}
}

// language reads en or zh-TW; fallback stands for an absent key.
func (v value) language(fallback string) string {
	s, ok := v.text("en or zh-TW")
	switch {
	case !ok:
		return fallback
	case s != "en" && s != "zh-TW":
		v.fail("expected en or zh-TW")
		return fallback
	}
	return s
}

// source reads the reference to a secret. The secret itself in its place is the
// mistake that people make, so the text is never repeated.
func (v value) source(required bool) secret.Source {
	const expected = `"file:PATH", "env:NAME" or "credential:NAME", never the secret itself`
	s, ok := v.text(expected)
	if !ok {
		if required && !v.present() {
			v.fail("expected " + expected)
		}
		return ""
	}
	src := secret.Source(s)
	if src.Validate() != nil {
		v.fail("expected " + expected)
		return ""
	}
	if path, isFile := strings.CutPrefix(s, "file:"); isFile {
		return secret.Source("file:" + v.doc.resolve(path))
	}
	return src
}

// days reads a number of days such as 30d.
func (v value) days(fallback int) time.Duration {
	const day = 24 * time.Hour
	s, ok := v.text("a number of days such as 30d")
	if !ok {
		return time.Duration(fallback) * day
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
	if err != nil || !strings.HasSuffix(s, "d") || n < 1 || n > 3650 {
		v.fail("expected a number of days from 1d to 3650d")
	}
	return time.Duration(n) * day
}

// resolve makes a path relative to the file that it stands in.
func (d *document) resolve(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(d.dir, path)
}

// CheckVerbs returns a mistake for every verb of the approval rules that is not
// among known: such a rule would never hold. The verbs are not this package's to
// know.
func (c *Config) CheckVerbs(known []string) error {
	var errs []*Error
	for i, r := range c.Rules {
		for j, verb := range r.Verbs {
			if slices.Contains(known, verb) {
				continue
			}
			message := "expected a verb that changes something: " + strings.Join(known, ", ")
			errs = append(errs, c.doc.at([]string{"approvals", strconv.Itoa(i), "verbs", strconv.Itoa(j)}, message))
		}
	}
	return join(errs)
}
