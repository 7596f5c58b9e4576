package schema

import (
	"fmt"
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
		if n, err := strconv.ParseInt(value, 0, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
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
	if d < 0 {
		b.WriteByte('-')
		d = -d
	}
	for _, u := range durationUnits {
		if n := d / u.d; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.d
		}
	}
	return b.String()
}

// ParseDuration reads the forms that RouterOS accepts: units ("300s",
// "1d2h"), a clock ("00:05:00", "1d00:05:00") and a bare number of seconds.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("duration %q does not parse", s)
	rest, neg := strings.CutPrefix(s, "-")
	var total time.Duration
	for rest != "" {
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		if i == 0 || i > 12 {
			return 0, bad
		}
		n, _ := strconv.ParseInt(rest[:i], 10, 64)
		if i < len(rest) && rest[i] == ':' {
			d, err := parseClock(rest)
			if err != nil {
				return 0, bad
			}
			total, rest = total+d, ""
			break
		}
		rest = rest[i:]
		if rest == "" {
			total += time.Duration(n) * time.Second
			break
		}
		j := 0
		for j < len(rest) && rest[j] >= 'a' && rest[j] <= 'z' {
			j++
		}
		k := slices.IndexFunc(durationUnits, func(u durationUnit) bool { return u.name == rest[:j] })
		if k < 0 || n > int64(1<<62)/int64(durationUnits[k].d) {
			return 0, bad
		}
		total += time.Duration(n) * durationUnits[k].d
		rest = rest[j:]
	}
	if s == "" || s == "-" {
		return 0, bad
	}
	if neg {
		total = -total
	}
	return total, nil
}

func parseClock(s string) (time.Duration, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0, strconv.ErrSyntax
	}
	var d time.Duration
	for i, p := range parts {
		n, err := strconv.ParseInt(p, 10, 32)
		if err != nil || n < 0 || (i > 0 && n > 59) {
			return 0, strconv.ErrSyntax
		}
		d = d*60 + time.Duration(n)
	}
	return d * time.Second, nil
}

type durationUnit struct {
	name string
	d    time.Duration
}

var durationUnits = []durationUnit{
	{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour},
	{"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
	{"us", time.Microsecond}, {"ns", time.Nanosecond},
}
