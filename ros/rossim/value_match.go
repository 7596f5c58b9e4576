package rossim

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// parseNegated checks a matcher, which may begin with "!".
func (a attr) parseNegated(value string, numbers map[string][2]uint64) (string, error) {
	a.not = false
	rest, negated := strings.CutPrefix(value, "!")
	v, err := a.parse(rest, numbers)
	if err == nil && negated {
		v = "!" + v
	}
	return v, err
}

// parseHosts reads one address, prefix or range. An address that is a prefix of
// its own is written without a mask.
func (a attr) parseHosts(value string) (string, error) {
	if p, err := netip.ParsePrefix(value); err == nil {
		if p.IsSingleIP() {
			return p.Addr().String(), nil
		}
		return p.String(), nil
	}
	if strings.ContainsAny(value, ",") {
		return "", errInvalid(a.Name)
	}
	rs, err := addressRanges(value)
	if err != nil || len(rs) != 1 {
		if a.form == "host" && dnsName(value) {
			return value, nil
		}
		return "", errInvalid(a.Name)
	}
	if rs[0].from == rs[0].to {
		return rs[0].from.String(), nil
	}
	return rs[0].from.String() + "-" + rs[0].to.String(), nil
}

// parseSpans reads numbers and ranges of numbers up to most: "80,443,1000-2000".
func (a attr) parseSpans(value string, most uint64) (string, error) {
	for part := range strings.SplitSeq(value, ",") {
		lo, hi, ranged := strings.Cut(part, "-")
		if !ranged {
			hi = lo
		}
		from, err := strconv.ParseUint(lo, 10, 64)
		if err != nil {
			return "", errInvalid(a.Name)
		}
		to, err := strconv.ParseUint(hi, 10, 64)
		if err != nil || to < from {
			return "", errInvalid(a.Name)
		}
		if to > most {
			return "", errRange(a.Name, 0, most)
		}
	}
	return value, nil
}

// parseProtocol reads a name or a number, and prefers the name.
func (a attr) parseProtocol(value string) (string, error) {
	if n, err := strconv.ParseUint(value, 10, 64); err == nil {
		if n > 255 {
			return "", errRange(a.Name, 0, 255)
		}
		for _, w := range a.Values {
			if name, number, _ := strings.Cut(w, "="); number == value {
				return name, nil
			}
		}
		return value, nil
	}
	i := slices.IndexFunc(a.Values, func(w string) bool { return strings.HasPrefix(w, value+"=") })
	if i < 0 {
		return "", errNoMatch(a.Name)
	}
	return value, nil
}

// parseFlags reads members of which each may be negated: "syn,!ack".
func (a attr) parseFlags(value string) (string, error) {
	for part := range strings.SplitSeq(value, ",") {
		if !slices.Contains(a.words, strings.TrimPrefix(part, "!")) {
			return "", errNoMatch(a.Name)
		}
	}
	return value, nil
}

// parseIPsecPolicy reads a direction and what became of the packet there:
// "out,none".
func (a attr) parseIPsecPolicy(value string) (string, error) {
	direction, what, ok := strings.Cut(value, ",")
	if !ok {
		return "", errInvalid(a.Name)
	}
	if !slices.Contains([]string{"in", "out"}, direction) || !slices.Contains([]string{"ipsec", "none"}, what) {
		return "", errNoMatch(a.Name)
	}
	return value, nil
}

// parseIdentity reads how an end calls itself: "auto", "address:192.0.2.1",
// "fqdn:hq.example".
func (a attr) parseIdentity(value string) (string, error) {
	kind, name, named := strings.Cut(value, ":")
	switch {
	case kind == "address" && named:
		ip, err := netip.ParseAddr(name)
		if err != nil {
			return "", errInvalid(a.Name)
		}
		return "address:" + ip.String(), nil
	case slices.Contains([]string{"fqdn", "user-fqdn", "key-id"}, kind) && named:
		if name == "" {
			return "", errInvalid(a.Name)
		}
		return value, nil
	}
	return "", errNoMatch(a.Name)
}
