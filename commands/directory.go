package commands

import "vpnbot/change"

// Directory is People made of the configuration's entries. It never changes.
type Directory struct {
	bySlack map[change.SlackID]change.Person
	byID    map[change.PersonID]change.Person
}

// NewDirectory returns the directory of people.
func NewDirectory(people []change.Person) Directory {
	d := Directory{bySlack: map[change.SlackID]change.Person{}, byID: map[change.PersonID]change.Person{}}
	for _, p := range people {
		d.byID[p.ID] = p
		for _, id := range p.Slack {
			d.bySlack[id] = p
		}
	}
	return d
}

// Slack returns the entry with id, or a person without role.
func (d Directory) Slack(id change.SlackID) change.Person {
	if p, ok := d.bySlack[id]; ok {
		return p
	}
	return change.Person{ID: change.Unlisted(id), Slack: []change.SlackID{id}}
}

// Person returns the person whom id names: an entry, or a Slack user without
// one.
func (d Directory) Person(id change.PersonID) (change.Person, bool) {
	if p, ok := d.byID[id]; ok {
		return p, true
	}
	if slack, ok := id.Slack(); ok {
		return d.Slack(slack), true
	}
	return change.Person{}, false
}
