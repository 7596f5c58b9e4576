// Package docs holds what the program itself reads of its documentation: the list
// of what is assumed about RouterOS and Slack, which "bot probe" goes through.
package docs

import (
	_ "embed"
	"strings"
)

//go:embed assumptions.md
var assumptions string

// Assumption is one line of assumptions.md.
type Assumption struct {
	Number  string // "7", "T7"
	Section string // the heading above it
	Text    string // what is assumed
	Sure    string // A, B or C
	Else    string // what happens if it is false
}

// Assumptions returns the lines of assumptions.md in their order.
func Assumptions() []Assumption {
	var all []Assumption
	section := ""
	for line := range strings.Lines(assumptions) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = title
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 4 || strings.TrimSpace(cells[0]) == "#" {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all = append(all, Assumption{Number: cells[0], Section: section, Text: cells[1], Sure: cells[2], Else: cells[3]})
	}
	return all
}
