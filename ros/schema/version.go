package schema

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is a RouterOS version, compared number by number ("7.9" < "7.24").
type Version struct {
	Major, Minor, Patch int
	Channel             string // "stable", "long-term", "testing" or ""
}

// ParseVersion reads "7.22.3", "7.18.2 (stable)", "6.49" and "7.24rc1".
func ParseVersion(s string) (Version, error) {
	number, channel, _ := strings.Cut(s, " ")
	v := Version{Channel: strings.Trim(channel, "() ")}
	for i, part := range strings.SplitN(number, ".", 3) {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(part)
		}
		n, err := strconv.Atoi(part[:end])
		if err != nil {
			return Version{}, fmt.Errorf("RouterOS version %q does not parse", s)
		}
		switch i {
		case 0:
			v.Major = n
		case 1:
			v.Minor = n
		case 2:
			v.Patch = n
		}
	}
	return v, nil
}

// Compare returns a negative number, zero or a positive number as v is older
// than, equal to or newer than w. The channel does not count.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// String writes the number part: "7.22.3", "6.49".
func (v Version) String() string {
	if v.Patch == 0 {
		return fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}
