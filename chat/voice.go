package chat

import (
	"fmt"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/commands/text"
)

// voice says texts to one reader.
type voice struct {
	c    *Chat
	lang string
}

// escaper writes what Slack would take for a link, a mention or markup's end.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// unfenced keeps a value from ending a block of code.
func unfenced(s string) string { return strings.ReplaceAll(s, "```", "`\u200b`\u200b`") }

func escape(s string) string { return escaper.Replace(unfenced(s)) }

// rich says t as mrkdwn.
func (v voice) rich(t change.Text) string {
	return v.c.o.Catalog.Say(v.lang, t, text.Style{Time: v.date, Person: v.mention, Escape: escape})
}

// plain says t for places that know no markup.
func (v voice) plain(t change.Text) string {
	return v.c.o.Catalog.Say(v.lang, t, text.Style{Time: v.clock, Person: v.name})
}

// date shows t in the reader's own time zone.
func (v voice) date(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), v.clock(t))
}

func (v voice) clock(t time.Time) string {
	return t.In(v.c.o.Location).Format("2006-01-02 15:04")
}

// mention names a person so that Slack shows their current name.
func (v voice) mention(p change.PersonID) string {
	if user, ok := v.c.slackOf(p); ok {
		return "<@" + user + ">"
	}
	return escape(v.name(p))
}

func (v voice) name(p change.PersonID) string {
	if person, ok := v.c.o.People.Person(p); ok && person.Name != "" {
		return person.Name
	}
	if slack, ok := p.Slack(); ok {
		return slack.User
	}
	return string(p)
}

// slackOf returns the Slack user of our workspace whom a person uses.
func (c *Chat) slackOf(p change.PersonID) (string, bool) {
	person, ok := c.o.People.Person(p)
	if !ok {
		return "", false
	}
	team := c.team()
	for _, id := range person.Slack {
		if id.Team == team {
			return id.User, true
		}
	}
	return "", false
}
