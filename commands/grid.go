package commands

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Grid writes rows as lines with aligned columns. Cells are measured as they are
// and written by write, which may escape them.
func Grid(rows [][]string, write func(cell string) string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(cell))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(write(cell) + strings.Repeat(" ", widths[i]-columns(cell)+2))
		}
		lines[n] = strings.TrimRight(line.String(), " ")
	}
	return lines
}

// columns is how many columns s takes in type of one width: two for East Asian
// wide characters, none for combining ones.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch k := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
