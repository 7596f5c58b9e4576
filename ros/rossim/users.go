package rossim

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// groupMenu lists what users may do.
const groupMenu = "/user/group"

// What a group may grant, in the order in which it is answered.
var (
	policies6 = []string{
		"local", "telnet", "ssh", "ftp", "reboot", "read", "write", "policy", "test", "winbox", "password", "web", "sniff",
		"sensitive", "api", "romon", "dude", "tikapp",
	}
	policiesSince7 = []string{
		"local", "telnet", "ssh", "ftp", "reboot", "read", "write", "policy", "test", "winbox", "password", "web", "sniff",
		"sensitive", "api", "romon", "rest-api",
	}
)

// policyText checks the tokens and writes those granted first, then the rest
// negated.
func (p *profile) policyText(value string) (string, error) {
	for tok := range strings.SplitSeq(value, ",") {
		if tok = strings.TrimPrefix(tok, "!"); tok != "" && !slices.Contains(p.policies, tok) {
			return "", errNoMatch("policy")
		}
	}
	return p.mergePolicy("", value), nil
}

// mergePolicy applies the tokens of value to those of old: set adds, !token
// takes away.
func (p *profile) mergePolicy(old, value string) string {
	granted := map[string]bool{}
	for tok := range strings.SplitSeq(old+","+value, ",") {
		if no, ok := strings.CutPrefix(tok, "!"); ok {
			granted[no] = false
		} else {
			granted[tok] = true
		}
	}
	var yes, no []string
	for _, policy := range p.policies {
		if granted[policy] {
			yes = append(yes, policy)
		} else {
			no = append(no, "!"+policy)
		}
	}
	return strings.Join(append(yes, no...), ",")
}

// account is who acts: a user with the policies of the group at login time, or
// an administrator beside the wire.
type account struct {
	name   string
	group  string
	from   string // address
	via    string
	rights map[string]bool
}

func (a account) may(policy string) bool { return a.rights[policy] }

// winbox is the administrator for whom Add, Set and Remove write.
func winbox() account {
	a := account{name: "admin", group: "full", from: "192.0.2.250", via: "winbox", rights: map[string]bool{}}
	for _, p := range slices.Concat(policies6, policiesSince7) {
		a.rights[p] = true
	}
	return a
}

// authenticate checks name, password, the user's addresses and the policy that
// the service asks for.
func (s *state) authenticate(name, password, from, via string) (account, bool) {
	for _, r := range s.tables["/user"] {
		if r.name() != name {
			continue
		}
		a := account{name: name, group: r.vals["group"], from: from, via: via, rights: s.groupRights(r.vals["group"])}
		ok := r.vals["password"] == password && r.vals["disabled"] != "true" &&
			within(r.vals["address"], from) && a.may("api")
		if ok {
			r.vals["last-logged-in"] = s.stamp()
		}
		return a, ok
	}
	return account{}, false
}

func (s *state) groupRights(name string) map[string]bool {
	rights := map[string]bool{}
	for _, g := range s.tables["/user/group"] {
		if g.name() != name {
			continue
		}
		for tok := range strings.SplitSeq(g.vals["policy"], ",") {
			if !strings.HasPrefix(tok, "!") {
				rights[tok] = true
			}
		}
	}
	return rights
}

// within tells whether an address limit admits from. What is no address, as on
// a pipe, is admitted.
func within(limit, from string) bool {
	ip, err := netip.ParseAddr(from)
	if limit == "" || err != nil {
		return true
	}
	for part := range strings.SplitSeq(limit, ",") {
		if p, err := netip.ParsePrefix(part); err == nil && p.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}

// keepsAdmin refuses to lose the last enabled user of group full. next is the
// row as it would be; nil when it goes.
func (s *state) keepsAdmin(rec *record, next schema.Row) error {
	if rec.home.path != "/user" {
		return nil
	}
	full := func(row schema.Row) bool { return row["group"] == "full" && row["disabled"] != "true" }
	if !full(rec.vals) || (next != nil && full(next)) {
		return nil
	}
	for _, r := range s.tables["/user"] {
		if r != rec && full(r.vals) {
			return nil
		}
	}
	return errFailure("at least one user with full rights must remain")
}

// need returns the policies that a command asks for.
func need(m *menu, command string) []string {
	switch command {
	case "print", "getall", "get", "find", "listen", "monitor", "monitor-traffic", "execute", "parse", "run":
		return []string{"read"}
	case "reboot", "shutdown":
		return []string{"reboot"}
	case "ping":
		return []string{"test"}
	}
	if m.path == "/user" || strings.HasPrefix(m.path, "/user/") {
		return []string{"write", "policy"}
	}
	return []string{"write"}
}

// allowed refuses a command for which a policy is missing.
func (a account) allowed(m *menu, command string) error {
	for _, p := range need(m, command) {
		if !a.may(p) {
			return errRights()
		}
	}
	return nil
}
