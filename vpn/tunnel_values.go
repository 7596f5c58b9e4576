package vpn

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// noValue is what people write to leave a value empty.
var noValue = []string{"none", "auto", "無"}

// wordPattern is the name of an interface or a router in one word.
var wordPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$`)

// listed are the parts of a list, however its commas are written.
func listed(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(",，、;；", r) })
}

// take reads a value of the key in its one form; near is the word that was
// probably meant where none fits.
func (k tunnelKey) take(value string) (v, near string, ok bool) {
	if k.read != nil {
		v, ok = k.read(value)
		return v, "", ok
	}
	var list []string
	for _, word := range listed(strings.ToLower(value)) {
		switch {
		case !slices.Contains(k.words, word):
			return "", Nearest(word, k.words), false
		case !slices.Contains(list, word):
			list = append(list, word)
		}
	}
	if len(list) == 0 || len(list) > 1 && !k.many {
		return "", "", false
	}
	slices.SortFunc(list, func(a, b string) int { return slices.Index(k.words, a) - slices.Index(k.words, b) })
	return strings.Join(list, ","), "", true
}

func readNote(v string) (string, bool) {
	if slices.Contains(noValue, v) {
		return "", true
	}
	return v, v != "" && plainText(v, maxNote)
}

func readTime(v string) (string, bool) {
	d, err := schema.ParseDuration(v)
	return schema.FormatDuration(d), err == nil && d >= time.Minute && d <= 30*24*time.Hour
}

func readDPD(v string) (string, bool) {
	switch v {
	case "disable-dpd", "off", "no", "disabled":
		return "disable-dpd", true
	}
	d, err := schema.ParseDuration(v)
	return schema.FormatDuration(d), err == nil && d >= time.Second && d <= time.Hour
}

func readCount(v string) (string, bool) {
	n, err := strconv.Atoi(v)
	return strconv.Itoa(n), err == nil && n >= 1 && n <= 100
}

func readBool(v string) (string, bool) {
	switch strings.ToLower(v) {
	case "yes", "true", "on", "是", "開":
		return "true", true
	case "no", "false", "off", "否", "關":
		return "false", true
	}
	return "", false
}

func readPrefixes(v string) (string, bool) {
	var list []string
	for _, word := range listed(v) {
		p, err := netip.ParsePrefix(word)
		if err != nil || p != p.Masked() || !p.Addr().Is4() || slices.Contains(list, p.String()) {
			return "", false
		}
		list = append(list, p.String())
	}
	return strings.Join(list, ","), len(list) > 0 && len(list) <= maxPrefixes
}

func readAddresses(v string) (string, bool) {
	if slices.Contains(noValue, v) {
		return "", true
	}
	var list []string
	for _, word := range listed(v) {
		ip, err := netip.ParseAddr(word)
		if err != nil || !ip.Is4() || slices.Contains(list, ip.String()) {
			return "", false
		}
		list = append(list, ip.String())
	}
	return strings.Join(list, ","), len(list) > 0 && len(list) <= maxPrefixes
}

func readID(v string) (string, bool) {
	if slices.Contains(noValue, v) {
		return "", true
	}
	return v, ikeID.MatchString(v)
}

func readWord(v string) (string, bool) { return v, wordPattern.MatchString(v) }
