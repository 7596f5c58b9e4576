package schema

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Canonical returns value in the form in which values of a are compared: the
// form that RouterOS prints where it has one. A value that does not parse as
// its kind is returned unchanged, so that it still compares equal to itself.
func (a Attr) Canonical(value string) string {
	switch a.Kind {
	case Bool:
		switch value {
		case "yes", "true":
			return "true"
		case "no", "false":
			return "false"
		}
	case Duration:
		if d, err := ParseDuration(value); err == nil {
			return FormatDuration(d)
		}
	case Number:
		return canonicalNumber(value)
	case Address:
		if ip, err := netip.ParseAddr(value); err == nil {
			return ip.String()
		}
	case Prefix:
		return canonicalPrefix(value)
	case Set:
		return a.canonicalSet(value)
	}
	return value
}

// canonicalNumber reads decimal and, after 0x, hexadecimal digits.
func canonicalNumber(value string) string {
	digits, negative := strings.CutPrefix(value, "-")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	switch {
	case err != nil:
		return value
	case negative && n > 0:
		return "-" + strconv.FormatUint(n, 10)
	}
	return strconv.FormatUint(n, 10)
}

func canonicalPrefix(value string) string {
	if p, err := netip.ParsePrefix(value); err == nil {
		return p.String()
	}
	if ip, err := netip.ParseAddr(value); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()).String()
	}
	return value
}

// canonicalSet orders the members as Values lists them, unknown ones last in
// alphabetical order, and drops doubles.
func (a Attr) canonicalSet(value string) string {
	if value == "" {
		return ""
	}
	members := strings.Split(value, ",")
	rank := func(s string) int {
		if i := slices.Index(a.Values, s); i >= 0 {
			return i
		}
		return len(a.Values)
	}
	slices.SortFunc(members, func(x, y string) int {
		if d := rank(x) - rank(y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	return strings.Join(slices.Compact(members), ",")
}

// FormatDuration writes d as RouterOS prints it: "1w2d3h4m5s", "0s", "250ms".
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	rest := uint64(d)
	if d < 0 {
		b.WriteByte('-')
		rest = -rest
	}
	for _, u := range durationUnits {
		if n := rest / uint64(u.d); n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			rest -= n * uint64(u.d)
		}
	}
	return b.String()
}

// maxDuration bounds what ParseDuration takes: about 292 years.
const maxDuration = time.Duration(math.MaxInt64)

// ParseDuration reads the forms that RouterOS accepts: units ("300s",
// "1d2h"), a clock ("00:05:00", "1d00:05:00") and a bare number of seconds.
func ParseDuration(s string) (time.Duration, error) {
	rest, negative := strings.CutPrefix(s, "-")
	var total time.Duration
	ok := rest != ""
	for ok && rest != "" {
		var d time.Duration
		d, rest, ok = durationTerm(rest)
		ok = ok && d <= maxDuration-total
		total += d
	}
	if !ok {
		return 0, fmt.Errorf("duration %q does not parse", s)
	}
	if negative {
		total = -total
	}
	return total, nil
}

// durationTerm reads one number with its unit, or a clock, or seconds, from
// the front of s. Clock and seconds end a duration.
func durationTerm(s string) (d time.Duration, rest string, ok bool) {
	i := leading(s, '0', '9')
	if i < len(s) && s[i] == ':' {
		d, ok = parseClock(s)
		return d, "", ok
	}
	n, err := strconv.ParseInt(s[:i], 10, 64)
	if err != nil {
		return 0, "", false
	}
	s = s[i:]
	j := leading(s, 'a', 'z')
	unit := s[:j]
	if s == "" {
		unit = "s"
	}
	k := slices.IndexFunc(durationUnits, func(u durationUnit) bool { return u.name == unit })
	if k < 0 || n > int64(maxDuration/durationUnits[k].d) {
		return 0, "", false
	}
	return time.Duration(n) * durationUnits[k].d, s[j:], true
}

// leading returns how many of the first bytes of s lie between lo and hi.
func leading(s string, lo, hi byte) int {
	i := 0
	for i < len(s) && s[i] >= lo && s[i] <= hi {
		i++
	}
	return i
}

// parseClock reads hours, minutes and seconds: "00:05:00".
func parseClock(s string) (time.Duration, bool) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0, false
	}
	limits := [3]int64{int64(maxDuration/time.Hour) - 1, 59, 59}
	var total int64
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil || int64(n) > limits[i] {
			return 0, false
		}
		total = total*60 + int64(n)
	}
	return time.Duration(total) * time.Second, true
}

type durationUnit struct {
	name string
	d    time.Duration
}

var durationUnits = []durationUnit{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
	{"us", time.Microsecond},
	{"ns", time.Nanosecond},
}
