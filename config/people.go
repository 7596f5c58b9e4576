package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"vpnbot/change"
	"vpnbot/vpn"
)

var personID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

func (c *Config) readPeople(v value) {
	c.Languages = map[change.PersonID]string{}
	owners := map[change.SlackID]string{}
	for _, e := range v.entries("people by name") {
		c.readPerson(e, owners)
	}
}

// readPerson reads one person. owners tells whose each Slack ID is: two persons
// with one ID could approve their own requests.
func (c *Config) readPerson(e entry, owners map[change.SlackID]string) {
	f := e.object("name", "slack", "role", "sites", "language")
	if !personID.MatchString(e.name) || e.name == string(change.SystemPerson) {
		e.fail("expected a short name of lower-case letters, digits, '.', '-' and '_', other than system")
	}
	p := change.Person{ID: change.PersonID(e.name), Name: e.name}
	if name, ok := f["name"].text("the person's name"); ok && name != "" {
		p.Name = name
	}
	p.Slack = c.readSlackIDs(e.name, f["slack"], owners)
	const roles = "expected viewer, operator or approver"
	if word, ok := f["role"].required("viewer, operator or approver"); ok {
		role, err := change.ParseRole(word)
		if err != nil {
			f["role"].fail(roles)
		}
		p.Role = role
	}
	p.Sites = c.readSiteNames(f["sites"])
	if f["language"].present() {
		c.Languages[p.ID] = f["language"].language(c.Language)
	}
	c.People = append(c.People, p)
}

func (c *Config) readSlackIDs(name string, v value, owners map[change.SlackID]string) []change.SlackID {
	const expected = "a Slack user ID such as U0123ABCD, or TEAM/USER"
	items := v.items("a list of Slack user IDs such as U0123ABCD")
	if len(items) == 0 && !v.present() {
		v.fail("expected a list of Slack user IDs such as U0123ABCD")
	}
	var ids []change.SlackID
	for _, item := range items {
		word, ok := item.required(expected)
		if !ok {
			continue
		}
		id := change.SlackID{Team: c.Slack.Team, User: word}
		if team, user, both := strings.Cut(word, "/"); both {
			id = change.SlackID{Team: team, User: user}
		}
		switch {
		case !slackUser.MatchString(id.User) || !slackTeam.MatchString(id.Team):
			item.fail("expected " + expected)
		case owners[id] != "":
			item.fail("this Slack user stands twice: expected each at one person")
		default:
			owners[id] = name
			ids = append(ids, id)
		}
	}
	return ids
}

// readSiteNames reads names or aliases of sites and returns the names.
func (c *Config) readSiteNames(v value) []string {
	var names []string
	items := v.items("a list of sites")
	for _, item := range items {
		word, ok := item.required("the name of a site")
		if !ok {
			continue
		}
		site, known := c.Estate.Site(word)
		if !known {
			item.fail("expected a site of this file: " + c.siteNames())
			continue
		}
		names = append(names, site.Name)
	}
	if v.present() && len(items) == 0 {
		v.fail("an empty list would mean every site: expected sites, or no such key")
	}
	return names
}

func (c *Config) siteNames() string {
	var names []string
	for _, s := range c.Estate.Sites {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

func (c *Config) readRules(v value) {
	for _, item := range v.items("a list of rules") {
		c.Rules = append(c.Rules, c.readRule(item))
	}
}

func (c *Config) readRule(v value) change.Rule {
	f := v.object("verbs", "sites", "count", "people", "reason")
	rule := change.Rule{Verbs: f["verbs"].words("a list of verbs"), Sites: c.readSiteNames(f["sites"]), Approvals: 1}
	const counts = "a number of people from 1 to 9"
	if word, ok := f["count"].text(counts); ok {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > 9 {
			f["count"].fail("expected " + counts)
			n = 1
		}
		rule.Approvals = n
	}
	for _, item := range f["people"].items("a list of people") {
		word, _ := item.required("the name of a person")
		if !slices.ContainsFunc(c.People, func(p change.Person) bool { return string(p.ID) == word }) {
			item.fail("expected a person of this file")
			continue
		}
		rule.People = append(rule.People, change.PersonID(word))
	}
	if f["people"].present() && len(rule.People) < rule.Approvals {
		f["people"].fail("fewer people than the rule asks for: expected at least as many as count")
	}
	if pattern, ok := f["reason"].text("a pattern (RE2)"); ok {
		if _, err := regexp.Compile(`\A(?:` + pattern + `)\z`); err != nil {
			f["reason"].fail("expected a pattern (RE2) such as INC-[0-9]+")
		}
		rule.Reason = pattern
	}
	return rule
}

// advise collects warnings: what works now and will disappoint later.
func (c *Config) advise() {
	for _, s := range c.Estate.Sites {
		c.adviseApprovers(s)
	}
	for i, r := range c.Rules {
		path := []string{"approvals", strconv.Itoa(i)}
		for _, site := range c.Estate.Sites {
			if len(r.Sites) > 0 && !slices.Contains(r.Sites, site.Name) {
				continue
			}
			if n := len(c.approvers(site.Name, r)); n < r.Approvals {
				c.doc.warnAt(path, fmt.Sprintf("asks for %d approvals, and %d people can approve at %s", r.Approvals, n, site.Name))
			}
		}
	}
	if c.Witness == (Witness{}) {
		c.doc.warnAt([]string{"witness"}, "no witness: whoever controls this host could rewrite the audit trail unnoticed")
	}
	c.adviseOverlap()
}

// approvers returns who could approve at site under rule.
func (c *Config) approvers(site string, rule change.Rule) []change.Person {
	return slices.DeleteFunc(slices.Clone(c.People), func(p change.Person) bool {
		return !p.May(change.Approver, site) || !rule.Names(p.ID)
	})
}

func (c *Config) adviseApprovers(s vpn.Site) {
	approvers := c.approvers(s.Name, change.Rule{})
	switch len(approvers) {
	case 0:
		c.doc.warnAt([]string{"people"}, fmt.Sprintf("nobody can approve at %s: name an approver", s.Name))
	case 1:
		c.doc.warnAt([]string{"people", string(approvers[0].ID)},
			fmt.Sprintf("is the only approver at %s and cannot approve their own requests: name a second approver", s.Name))
	}
}

// adviseOverlap tells of LANs that a tunnel between their sites could not join.
func (c *Config) adviseOverlap() {
	for i, a := range c.Estate.Sites {
		for _, b := range c.Estate.Sites[i+1:] {
			for _, p := range a.LAN {
				for k, q := range b.LAN {
					if p.Overlaps(q) {
						c.doc.warnAt([]string{"sites", b.Name, "lan", strconv.Itoa(k)}, fmt.Sprintf("overlaps with a network of %s: no tunnel can join the two", a.Name))
					}
				}
			}
		}
	}
}
