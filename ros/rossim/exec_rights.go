package rossim

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// scriptPolicies are those that a script or a schedule may have, in the order in
// which they are printed.
var scriptPolicies = []string{"ftp", "reboot", "read", "write", "policy", "test", "password", "sniff", "sensitive", "romon"}

// grantedText writes the policies among rights that a script may have.
func grantedText(rights map[string]bool) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(scriptPolicies), func(p string) bool { return !rights[p] }), ",")
}

// granted reads a list of policies.
func granted(list string) map[string]bool {
	rights := map[string]bool{}
	for _, p := range splitList(list) {
		if !strings.HasPrefix(p, "!") {
			rights[p] = true
		}
	}
	return rights
}

// parsePolicies reads the policies of a script or a schedule.
func (a attr) parsePolicies(value string) (string, error) {
	for _, p := range splitList(value) {
		if !slices.Contains(scriptPolicies, strings.TrimPrefix(p, "!")) {
			return "", errNoMatch(a.Name)
		}
	}
	return grantedText(granted(value)), nil
}

// grants tells whether everything that list grants is among rights.
func grants(rights map[string]bool, list string) bool {
	for p := range granted(list) {
		if !rights[p] {
			return false
		}
	}
	return true
}

// scriptMenu tells whether rows of the menu have an owner and policies of their
// own.
func scriptMenu(path string) bool { return path == "/system/scheduler" || path == "/system/script" }

// lends refuses to give a script more rights than the writer has.
func lends(c change, vals schema.Row) error {
	if scriptMenu(c.menu.path) && !grants(c.writer().rights, vals["policy"]) {
		return errRights()
	}
	return nil
}

// own fills in what a new script or schedule has from whoever adds it.
func (s *state) own(c change, vals schema.Row) {
	if !scriptMenu(c.menu.path) {
		return
	}
	who := c.writer()
	if _, given := vals["policy"]; !given {
		vals["policy"] = grantedText(who.rights)
	}
	if vals["owner"] == "" {
		vals["owner"] = who.name
	}
	if c.menu.path == "/system/scheduler" {
		s.date(vals)
	}
}

// writer is who writes: an administrator beside the wire unless it is said.
func (c change) writer() account {
	if c.who.name == "" {
		return winbox()
	}
	return c.who
}

func joinList(parts []string) string { return strings.Join(parts, ",") }
