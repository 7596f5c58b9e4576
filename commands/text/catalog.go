package text

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed locale/*.json
var locales embed.FS

// The languages that every message has.
const (
	English = "en"
	Chinese = "zh-TW"
)

// ErrCatalog is returned for message files that contradict each other.
var ErrCatalog = errors.New("message files do not fit together")

// Catalog holds every message in every language. It never changes, so it may be
// used from several goroutines.
type Catalog struct {
	localizers map[string]*i18n.Localizer
	args       map[string][]string        // argument names by message ID, sorted
	none       map[string]map[string]bool // by language, the messages that have words of their own for none
}

// message is one entry of a file: a string, or forms by count.
type message struct {
	Zero  string `json:"zero"` // where none is said in other words; "": as any other count
	One   string `json:"one"`
	Other string `json:"other"`
}

// UnmarshalJSON reads both forms of an entry.
func (m *message) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &m.Other)
	}
	type forms message
	return json.Unmarshal(b, (*forms)(m))
}

// New reads the embedded message files. It returns ErrCatalog when a message is
// missing in one language, stands twice, or asks for other arguments there.
func New() (*Catalog, error) {
	byLanguage := map[string]map[string]message{English: {}, Chinese: {}}
	if err := readAll(locales, byLanguage); err != nil {
		return nil, err
	}
	c := &Catalog{localizers: map[string]*i18n.Localizer{}, args: map[string][]string{}, none: map[string]map[string]bool{}}
	for id, m := range byLanguage[English] {
		args, err := m.args()
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrCatalog, id, err)
		}
		c.args[id] = args
	}
	bundle := i18n.NewBundle(language.English)
	for lang, messages := range byLanguage {
		if err := c.check(lang, messages); err != nil {
			return nil, err
		}
		c.none[lang] = map[string]bool{}
		for id, m := range messages {
			list := []*i18n.Message{{ID: id, One: m.One, Other: m.Other}}
			if m.Zero != "" {
				c.none[lang][id] = true
				list = append(list, &i18n.Message{ID: id + forNone, Other: m.Zero})
			}
			if err := bundle.AddMessages(language.Make(lang), list...); err != nil {
				return nil, fmt.Errorf("adding message %s: %w", id, err)
			}
		}
		c.localizers[lang] = i18n.NewLocalizer(bundle, lang)
	}
	return c, nil
}

// readAll sorts the messages of every file under its language.
func readAll(files fs.FS, byLanguage map[string]map[string]message) error {
	names, err := fs.Glob(files, "locale/*.json")
	if err != nil {
		return fmt.Errorf("listing message files: %w", err)
	}
	for _, name := range names {
		area, lang, ok := strings.Cut(strings.TrimSuffix(path.Base(name), ".json"), ".")
		into := byLanguage[lang]
		if !ok || area == "" || into == nil {
			return fmt.Errorf("%w: %s: expected AREA.en.json or AREA.zh-TW.json", ErrCatalog, name)
		}
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("reading message file: %w", err)
		}
		messages := map[string]message{}
		if err := json.Unmarshal(b, &messages); err != nil {
			return fmt.Errorf("reading message file %s: %w", name, err)
		}
		for id, m := range messages {
			if _, twice := into[id]; twice {
				return fmt.Errorf("%w: %s stands twice in %s", ErrCatalog, id, lang)
			}
			into[id] = m
		}
	}
	return nil
}

// forNone is what the ID of a message has behind it where its words for none stand.
const forNone = "#none"

// named is the one message that need not say the same in every language: what a
// site is called.
const named = "site.called"

func (c *Catalog) check(lang string, messages map[string]message) error {
	for id, want := range c.args {
		m, ok := messages[id]
		if !ok {
			return fmt.Errorf("%w: %s is missing in %s", ErrCatalog, id, lang)
		}
		have, err := m.args()
		if err != nil {
			return fmt.Errorf("%w: %s in %s: %w", ErrCatalog, id, lang, err)
		}
		if id == named {
			c.args[id] = slices.Compact(slices.Sorted(slices.Values(slices.Concat(want, have))))
			continue
		}
		if !slices.Equal(have, want) {
			return fmt.Errorf("%w: %s asks for %v in %s, for %v in English", ErrCatalog, id, have, lang, want)
		}
	}
	for id := range messages {
		if _, ok := c.args[id]; !ok {
			return fmt.Errorf("%w: %s is missing in English", ErrCatalog, id)
		}
	}
	return nil
}

// argument is the only template action that a message may hold.
var argument = regexp.MustCompile(`\{\{\.([A-Za-z]+)\}\}`)

// args returns the argument names of every form of m, sorted.
func (m message) args() ([]string, error) {
	all := m.One + m.Other
	if m.Other == "" {
		return nil, errors.New("no words")
	}
	if rest := argument.ReplaceAllString(all+m.Zero, ""); strings.ContainsAny(rest, "{}&<>*") {
		return nil, errors.New("holds a character with a meaning of its own")
	}
	set := map[string]bool{}
	for _, match := range argument.FindAllStringSubmatch(all, -1) {
		set[match[1]] = true
	}
	for _, match := range argument.FindAllStringSubmatch(m.Zero, -1) {
		if !set[match[1]] {
			return nil, fmt.Errorf("asks for %s only where there is none", match[1])
		}
	}
	return slices.Sorted(maps.Keys(set)), nil
}

// Has tells whether there are words for id.
func (c *Catalog) Has(id string) bool {
	_, ok := c.args[id]
	return ok
}

// IDs returns every message ID in alphabetical order.
func (c *Catalog) IDs() []string { return slices.Sorted(maps.Keys(c.args)) }

// Args returns the argument names of id, sorted.
func (c *Catalog) Args(id string) []string { return slices.Clone(c.args[id]) }

// Language returns the language of ours that serves a reader whose locale is
// given, such as "zh-TW" or "en-GB", and false when none is meant for them.
func Language(locale string) (string, bool) {
	base, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(locale, "_", "-")), "-")
	switch base {
	case "zh":
		return Chinese, true
	case "en":
		return English, true
	}
	return "", false
}
