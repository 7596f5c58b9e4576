package rossim

import (
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// parse checks value as RouterOS checks the attribute and returns the form in
// which it is kept and printed. References are resolved by the caller.
func (a attr) parse(value string, numbers map[string][2]uint64) (string, error) {
	if a.not {
		return a.parseNegated(value, numbers)
	}
	if slices.Contains(a.words, value) && a.form != "set" {
		return value, nil
	}
	switch a.form {
	case "bool":
		return a.parseBool(value)
	case "enum":
		return a.parseWord(value)
	case "set":
		return a.parseSet(value)
	case "number":
		return a.parseNumber(value, numbers[a.Name])
	case "time":
		return a.parseDuration(value)
	case "ip", "ips":
		return a.parseAddresses(value)
	case "prefix":
		return a.parsePrefix(value)
	case "prefixes":
		return a.parsePrefixes(value)
	case "ranges":
		return a.parseRanges(value)
	case "policies":
		return a.parsePolicies(value)
	case "hosts", "host", "range":
		return a.parseHosts(value)
	case "ports":
		return a.parseSpans(value, math.MaxUint16)
	case "numbers":
		return a.parseSpans(value, math.MaxUint32)
	case "protocol":
		return a.parseProtocol(value)
	case "flags":
		return a.parseFlags(value)
	case "ipsec-policy":
		return a.parseIPsecPolicy(value)
	case "identity":
		return a.parseIdentity(value)
	case "text":
		if len(value) < a.limit.shortest || (a.limit.longest > 0 && len(value) > a.limit.longest) {
			return "", errInvalid(a.Name)
		}
	case "clock":
		return a.parseTime(value, time.TimeOnly, time.TimeOnly, "15:04")
	case "date":
		return a.parseDate(value)
	case "mac":
		hw, err := net.ParseMAC(value)
		if err != nil {
			return "", errInvalid(a.Name)
		}
		return strings.ToUpper(hw.String()), nil
	}
	return value, nil
}

func (a attr) parseDuration(value string) (string, error) {
	d, err := schema.ParseDuration(value)
	if err != nil {
		return "", errInvalid(a.Name)
	}
	if a.limit.most > 0 && (d < a.limit.least || d > a.limit.most) {
		return "", errOutside(a.Name, schema.FormatDuration(a.limit.least), schema.FormatDuration(a.limit.most))
	}
	return schema.FormatDuration(d), nil
}

func (a attr) parseBool(value string) (string, error) {
	switch value {
	case "yes", "true":
		return "true", nil
	case "no", "false":
		return "false", nil
	case "":
		return "", errAmbiguous(a.Name)
	}
	return "", errNoMatch(a.Name)
}

// parseWord takes a word of the list or the beginning of exactly one.
func (a attr) parseWord(value string) (string, error) {
	switch value {
	case "true":
		value = "yes"
	case "false":
		value = "no"
	}
	if slices.Contains(a.words, value) {
		return value, nil
	}
	var found []string
	for _, w := range a.words {
		if strings.HasPrefix(w, value) {
			found = append(found, w)
		}
	}
	switch len(found) {
	case 0:
		return "", errNoMatch(a.Name)
	case 1:
		return found[0], nil
	}
	return "", errAmbiguous(a.Name)
}

func (a attr) parseSet(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	members := strings.Split(value, ",")
	for i, m := range members {
		w, err := a.parseWord(m)
		if err != nil {
			return "", err
		}
		members[i] = w
	}
	return schema.Attr{Kind: schema.Set, Values: a.words}.Canonical(strings.Join(members, ",")), nil
}

func (a attr) parseNumber(value string, bounds [2]uint64) (string, error) {
	digits, base := value, 10
	if hex, ok := strings.CutPrefix(value, "0x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return "", errInvalid(a.Name)
	}
	if bounds[1] > 0 && (n < bounds[0] || n > bounds[1]) {
		return "", errRange(a.Name, bounds[0], bounds[1])
	}
	return strconv.FormatUint(n, 10), nil
}

func (a attr) parseAddresses(value string) (string, error) {
	parts := strings.Split(value, ",")
	if len(parts) > 1 && a.form == "ip" {
		return "", errInvalid(a.Name)
	}
	if value == "" && a.form == "ips" {
		return "", nil
	}
	for i, p := range parts {
		ip, err := netip.ParseAddr(p)
		if err != nil {
			return "", errInvalid(a.Name)
		}
		parts[i] = ip.String()
	}
	return strings.Join(parts, ","), nil
}

func (a attr) parsePrefix(value string) (string, error) {
	if p, err := netip.ParsePrefix(value); err == nil {
		return p.String(), nil
	}
	if ip, err := netip.ParseAddr(value); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()).String(), nil
	}
	if a.Name == "address" && dnsName(value) { // a peer may be named by DNS
		return value, nil
	}
	return "", errInvalid(a.Name)
}

func dnsName(s string) bool {
	return strings.Contains(s, ".") && strings.ContainsFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' }) &&
		!strings.ContainsAny(s, " /:,")
}

// parsePrefixes reads address limits: "10.0.0.0/8,192.0.2.1".
func (a attr) parsePrefixes(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	parts := strings.Split(value, ",")
	for i, part := range parts {
		p, err := netip.ParsePrefix(part)
		if err != nil {
			ip, err := netip.ParseAddr(part)
			if err != nil {
				return "", errInvalid(a.Name)
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		parts[i] = p.Masked().String()
	}
	return strings.Join(parts, ","), nil
}

// parseTime reads a date or a time of day in one of several forms and writes it
// in the first.
func (a attr) parseTime(value, form string, forms ...string) (string, error) {
	for _, f := range forms {
		if t, err := time.Parse(f, value); err == nil {
			return t.Format(form), nil
		}
	}
	return "", errInvalid(a.Name)
}

// parseDate reads a date as it is written since 7.10 or before.
func (a attr) parseDate(value string) (string, error) {
	if !a.months {
		return a.parseTime(value, time.DateOnly, time.DateOnly, monthDate)
	}
	date, err := a.parseTime(value, monthDate, monthDate, time.DateOnly)
	return strings.ToLower(date), err
}

func (a attr) parseRanges(value string) (string, error) {
	if _, err := addressRanges(value); err != nil {
		return "", errInvalid(a.Name)
	}
	return value, nil
}

type addressRange struct{ from, to netip.Addr }

// addressRanges reads a pool's ranges: "a-b", single addresses and prefixes.
func addressRanges(value string) ([]addressRange, error) {
	var rs []addressRange
	for part := range strings.SplitSeq(value, ",") {
		if p, err := netip.ParsePrefix(part); err == nil {
			rs = append(rs, addressRange{p.Masked().Addr(), lastOf(p)})
			continue
		}
		lo, hi, ok := strings.Cut(part, "-")
		if !ok {
			hi = lo
		}
		from, err := netip.ParseAddr(lo)
		if err != nil {
			return nil, err
		}
		to, err := netip.ParseAddr(hi)
		if err != nil {
			return nil, err
		}
		if from.BitLen() != to.BitLen() || to.Less(from) {
			return nil, strconv.ErrRange
		}
		rs = append(rs, addressRange{from, to})
	}
	return rs, nil
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}
