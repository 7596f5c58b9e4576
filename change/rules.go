package change

import (
	"cmp"
	"regexp"
	"slices"
)

// Rule says what one kind of change needs before it may be applied.
type Rule struct {
	Verbs     []string   `json:"verbs,omitempty"` // empty: every verb
	Sites     []string   `json:"sites,omitempty"` // empty: every site
	Approvals int        `json:"approvals"`       // how many different persons
	People    []PersonID `json:"people,omitempty"`
	Reason    string     `json:"reason,omitempty"` // pattern that the approver's reason must match
}

// Rules are tried in order; the first that fits decides.
type Rules []Rule

// For returns the rule for verb at sites: one that names any of them fits.
// Without a fitting rule one approval by any approver is needed; a rule never
// lowers that.
func (rs Rules) For(verb string, sites ...string) Rule {
	for _, r := range rs {
		here := func(site string) bool { return slices.Contains(r.Sites, site) }
		if (len(r.Verbs) == 0 || slices.Contains(r.Verbs, verb)) && (len(r.Sites) == 0 || slices.ContainsFunc(sites, here)) {
			r.Approvals = max(r.Approvals, 1)
			return r
		}
	}
	return Rule{Approvals: 1}
}

// And returns the rule that asks for what r and o ask for: the approvals of the
// stricter, people whom both name, a reason as r wants it, or else as o does. Where
// fewer people are left than approvals needed, nobody could meet both, and r stands.
func (r Rule) And(o Rule) Rule {
	both := r
	both.Approvals, both.Reason = max(r.Approvals, o.Approvals), cmp.Or(r.Reason, o.Reason)
	switch {
	case len(r.People) == 0:
		both.People = o.People
	case len(o.People) > 0:
		both.People = slices.DeleteFunc(slices.Clone(r.People), func(p PersonID) bool { return !o.Names(p) })
	}
	if (len(r.People) > 0 || len(o.People) > 0) && len(both.People) < both.Approvals {
		return r
	}
	return both
}

// Names tells whether p may approve under r.
func (r Rule) Names(p PersonID) bool {
	return len(r.People) == 0 || slices.Contains(r.People, p)
}

// Accepts tells whether reason has the form that r asks for. A pattern that does
// not compile accepts nothing; the configuration is checked before.
func (r Rule) Accepts(reason string) bool {
	if r.Reason == "" {
		return true
	}
	re, err := regexp.Compile(`\A(?:` + r.Reason + `)\z`)
	return err == nil && re.MatchString(reason)
}
