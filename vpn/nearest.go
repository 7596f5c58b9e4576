package vpn

import (
	"strings"
	"unicode/utf8"
)

// maxWord bounds what is compared: a longer word is nobody's typing slip.
const maxWord = 64

// Nearest returns the candidate that word was probably meant to be: the one
// with the fewest slips (a letter wrong, missing, doubled or swapped), when
// that is at most a third of its length. It returns "" when none is near.
func Nearest(word string, candidates []string) string {
	if len(word) > 4*maxWord || utf8.RuneCountInString(word) > maxWord {
		return ""
	}
	best, least := "", maxWord
	for _, c := range candidates {
		allowed := max(1, utf8.RuneCountInString(c)/3)
		if n := slips([]rune(strings.ToLower(word)), []rune(strings.ToLower(c))); n <= allowed && n < least && n < utf8.RuneCountInString(c) {
			best, least = c, n
		}
	}
	return best
}

// slips is the optimal string alignment distance of a and b.
func slips(a, b []rune) int {
	var before []int
	above := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range a {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j]+cost, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
