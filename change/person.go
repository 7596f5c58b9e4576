package change

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SlackID is one Slack user: the team decides as much as the user.
type SlackID struct {
	Team string `json:"team"`
	User string `json:"user"`
}

// String returns "T0123/U0456".
func (s SlackID) String() string { return s.Team + "/" + s.User }

// PersonID names a person: the name of an entry of the configuration, or
// "slack:T0123/U0456" for a Slack user without an entry.
type PersonID string

// SystemPerson acts when time or recovery does: expiry, first connection,
// restart. It has no role and can approve nothing.
const SystemPerson PersonID = "system"

// Unlisted returns the PersonID of a Slack user without an entry.
func Unlisted(id SlackID) PersonID { return PersonID("slack:" + id.String()) }

// Slack returns the Slack user that an unlisted PersonID names.
func (p PersonID) Slack() (SlackID, bool) {
	rest, ok := strings.CutPrefix(string(p), "slack:")
	if !ok {
		return SlackID{}, false
	}
	team, user, ok := strings.Cut(rest, "/")
	return SlackID{team, user}, ok
}

// outside begins the PersonID of somebody who is not in Slack.
const outside = "outside:"

// Outside returns the PersonID of somebody who is not in Slack and whom an
// operator hands the credentials over to. They can own accounts, nothing else.
func Outside(name string) PersonID { return PersonID(outside + name) }

// Outside returns the name of somebody who is not in Slack.
func (p PersonID) Outside() (name string, ok bool) { return strings.CutPrefix(string(p), outside) }

// Role is what a person may do. Each role includes the ones before it.
type Role uint8

// The roles. NoRole owns accounts and may use "me", nothing else.
const (
	NoRole Role = iota
	Viewer
	Operator
	Approver
)

// String returns the role as the configuration writes it.
func (r Role) String() string {
	names := [...]string{"none", "viewer", "operator", "approver"}
	if int(r) >= len(names) {
		return "role " + strconv.Itoa(int(r))
	}
	return names[r]
}

// ParseRole reads "viewer", "operator" or "approver".
func ParseRole(s string) (Role, error) {
	for r := Viewer; r <= Approver; r++ {
		if r.String() == s {
			return r, nil
		}
	}
	return NoRole, fmt.Errorf("role %q: expected viewer, operator or approver", s)
}

// Person is whoever acts. Self-approval and counting are about persons, not
// about Slack IDs.
type Person struct {
	ID    PersonID  `json:"id"`
	Name  string    `json:"name"`
	Slack []SlackID `json:"slack,omitempty"`
	Role  Role      `json:"role"`
	Sites []string  `json:"sites,omitempty"` // empty: all sites
}

// May tells whether p's role reaches need at site. An empty site asks about the
// role alone.
func (p Person) May(need Role, site string) bool {
	if p.Role < need {
		return false
	}
	return site == "" || len(p.Sites) == 0 || slices.Contains(p.Sites, site)
}
