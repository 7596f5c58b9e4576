package text

import (
	"slices"
	"strconv"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"

	"vpnbot/change"
)

// Style is how values look where the words go. A nil function writes plainly.
type Style struct {
	Time   func(time.Time) string
	Person func(change.PersonID) string
	Escape func(string) string // for strings that came from somebody else
}

// Say returns t in lang. A language that the catalog lacks is served in English;
// a message that it lacks is named in brackets, so that a mistake shows instead
// of a gap.
func (c *Catalog) Say(lang string, t change.Text, style Style) string {
	if t.IsZero() {
		return ""
	}
	names, ok := c.args[t.ID]
	if !ok {
		return style.escape("[" + t.ID + "]")
	}
	localizer := c.localizers[lang]
	if localizer == nil {
		lang, localizer = English, c.localizers[English]
	}
	data := make(map[string]string, len(names))
	config := &i18n.LocalizeConfig{MessageID: t.ID, TemplateData: data}
	for _, name := range names {
		data[name] = c.value(lang, t.Args[name], style)
	}
	if n := counted(t, names); n != nil {
		config.PluralCount = int(*n)
		if *n == 0 && c.none[lang][t.ID] {
			config.MessageID, config.PluralCount = t.ID+forNone, nil
		}
	}
	words, err := localizer.Localize(config)
	if words == "" && err != nil {
		return style.escape("[" + t.ID + "]")
	}
	return words
}

// counted is the number by which a message chooses its form: count, or without one
// online. It is nil for a message that has neither.
func counted(t change.Text, names []string) *int64 {
	for _, name := range []string{"count", "online"} {
		if slices.Contains(names, name) {
			return t.Args[name].Num
		}
	}
	return nil
}

func (c *Catalog) value(lang string, v change.Value, style Style) string {
	switch {
	case v.Text != nil:
		return c.Say(lang, *v.Text, style)
	case v.Num != nil:
		return strconv.FormatInt(*v.Num, 10)
	case v.Time != nil && style.Time != nil:
		return style.Time(*v.Time)
	case v.Time != nil:
		return v.Time.Format("2006-01-02 15:04 UTC")
	case v.Person != "":
		return c.person(lang, v.Person, style)
	}
	return style.escape(v.Str)
}

// person names the bot itself and people outside Slack, whom no style knows.
func (c *Catalog) person(lang string, p change.PersonID, style Style) string {
	if p == change.SystemPerson {
		return c.Say(lang, change.T("person.system"), style)
	}
	if name, ok := p.Outside(); ok {
		return style.escape(name)
	}
	if style.Person != nil {
		return style.Person(p)
	}
	return style.escape(string(p))
}

func (s Style) escape(text string) string {
	if s.Escape == nil {
		return text
	}
	return s.Escape(text)
}
