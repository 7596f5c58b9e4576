package commands

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"vpnbot/change"
	"vpnbot/commands/text"
	"vpnbot/vpn"
)

const (
	maxName = 64
	maxText = 200
)

// read checks that w fits slot and returns the value in its one form.
func (s Slot) read(w word) (string, *ParseError) {
	folded := strings.TrimSpace(w.fold())
	if w.user != "" && s.Kind != PersonValue && s.Kind != OwnerValue {
		return "", bad("parse.mention", "what", s.Shown)
	}
	switch s.Kind {
	case NameValue:
		return readName(folded)
	case AccountValue:
		return readAccount(folded)
	case UntilValue:
		return readUntil(folded)
	case SiteValue:
		return readSite(folded)
	case PlaceValue:
		v, problem := readSite(folded)
		if problem != nil {
			problem = bad("parse.place")
		}
		return v, problem
	case PersonValue, OwnerValue:
		return s.readPerson(w)
	case AddressValue:
		return readAddress(folded)
	case TextValue:
		return readText(strings.TrimSpace(w.raw))
	case NumberValue:
		return readNumber(folded)
	case SinceValue:
		if s.Name == argVerbose && !span.MatchString(strings.ToLower(folded)) {
			return "", bad("parse.while")
		}
		return readSince(folded)
	case EventValue:
		return readEvent(strings.ToLower(folded))
	case VerbValue:
		return readVerb(folded)
	case LanguageValue:
		return readLanguage(strings.ToLower(folded))
	case ResolutionValue:
		return readResolution(strings.ToLower(folded))
	case TopicValue:
		return readTopics(strings.ToLower(folded))
	case TunnelNameValue:
		v := strings.ToLower(strings.Map(foldDash, folded))
		if !vpn.ValidTunnelName(v) {
			return "", bad("parse.tunnelname")
		}
		return v, nil
	case SettingsValue, ServerValue:
		return s.readSetting(w)
	case SwitchValue:
	}
	return "", bad("parse.text")
}

// bad makes the problem whose messages are id and id.hint.
func bad(id string, pairs ...any) *ParseError {
	return &ParseError{change.T(id, pairs...), change.T(id + ".hint")}
}

// foreignSite says that somebody else runs the routers of a site.
func foreignSite(s vpn.Site) *ParseError {
	return &ParseError{change.T("site.foreign", "site", s.Name), change.T("site.foreign.hint", "site", s.Name)}
}

// readName refuses what the planner would, so that nothing that can be no name
// is kept.
func readName(v string) (string, *ParseError) {
	if r, refused := errors.AsType[*vpn.Refusal](vpn.CheckAccountName(v)); refused {
		return "", &ParseError{r.Text, r.Hint}
	}
	return v, nil
}

// account is how accounts are called that people made by hand: as those of the bot,
// or with letters of any script, an at sign, a plus or a domain.
var account = regexp.MustCompile(`^[\p{L}\p{N}_][\p{L}\p{N}._@+\\-]{0,62}$`)

// readAccount refuses what is no name of an account.
func readAccount(v string) (string, *ParseError) {
	if v = strings.Map(foldDash, v); !account.MatchString(v) {
		return "", bad("parse.account")
	}
	return v, nil
}

// foldDash turns what phones make of a hyphen back into one.
func foldDash(r rune) rune {
	if strings.ContainsRune(dashes, r) {
		return '-'
	}
	return r
}

func readSite(v string) (string, *ParseError) {
	v = strings.Map(foldDash, v)
	if v == "" || utf8.RuneCountInString(v) > maxName || !printable(v) {
		return "", bad("parse.site")
	}
	return v, nil
}

// readPerson returns "@U0123" for a mention. The name of somebody outside Slack
// is kept as it is.
func (s Slot) readPerson(w word) (string, *ParseError) {
	if w.user != "" {
		return "@" + w.user, nil
	}
	name := strings.TrimSpace(w.raw)
	if s.Kind != OwnerValue || name == "" || strings.HasPrefix(name, "@") {
		return "", bad("parse.person", "what", "--"+s.Name)
	}
	if utf8.RuneCountInString(name) > maxName || !printable(name) {
		return "", bad("parse.person", "what", "--"+s.Name)
	}
	return name, nil
}

func readAddress(v string) (string, *ParseError) {
	ip, err := netip.ParseAddr(v)
	if err != nil || !ip.Is4() || ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() {
		return "", bad("parse.address")
	}
	return ip.String(), nil
}

func readText(v string) (string, *ParseError) {
	if v == "" || utf8.RuneCountInString(v) > maxText || !printable(v) {
		return "", bad("parse.text")
	}
	return v, nil
}

func readNumber(v string) (string, *ParseError) {
	n, err := strconv.ParseInt(strings.TrimPrefix(v, "#"), 10, 64)
	if err != nil || n < 1 {
		return "", bad("parse.number")
	}
	return strconv.FormatInt(n, 10), nil
}

// span is a length of time as people type it.
var span = regexp.MustCompile(`^(\d{1,4})(m|min|h|d|w|分鐘|分|小時|時|天|日|週)$`)

// spanUnit returns how long one of the units of span is.
func spanUnit(unit string) time.Duration {
	switch unit {
	case "m", "min", "分", "分鐘":
		return time.Minute
	case "h", "時", "小時":
		return time.Hour
	case "d", "天", "日":
		return 24 * time.Hour
	}
	return 7 * 24 * time.Hour
}

// readSince returns a duration as Go writes it, or a date.
func readSince(v string) (string, *ParseError) {
	if m := span.FindStringSubmatch(strings.ToLower(v)); m != nil {
		n, _ := strconv.Atoi(m[1]) // four digits at most
		return (time.Duration(n) * spanUnit(m[2])).String(), nil
	}
	date, err := time.Parse(time.DateOnly, strings.ReplaceAll(v, "/", "-"))
	if err != nil {
		return "", bad("parse.since")
	}
	return date.Format(time.DateOnly), nil
}

// since turns a value of readSince into a time. Dates begin in loc.
func since(v string, now time.Time, loc *time.Location) time.Time {
	if d, err := time.ParseDuration(v); err == nil {
		return now.Add(-d)
	}
	date, err := time.ParseInLocation(time.DateOnly, v, loc)
	if err != nil {
		return time.Time{}
	}
	return date
}

// endless is the value of UntilValue that is no time.
const endless = "never"

// readUntil returns a duration as Go writes it, a date, or "never".
func readUntil(v string) (string, *ParseError) {
	switch strings.ToLower(v) {
	case endless, "none", "永久", "永不", "不限期", "無期限":
		return endless, nil
	}
	if v, problem := readSince(v); problem == nil && v != "0s" {
		return v, nil
	}
	return "", bad("parse.until")
}

// endOf turns a value of readUntil into the moment at which something ends; zero
// is never. Whole days last until the end of the last of them in loc, as a date
// does.
func endOf(v string, from time.Time, loc *time.Location) time.Time {
	last := from.In(loc)
	if d, err := time.ParseDuration(v); err == nil {
		if d%(24*time.Hour) != 0 {
			return from.Add(d).UTC().Truncate(time.Second)
		}
		last = last.AddDate(0, 0, int(d/(24*time.Hour)))
	} else if last, err = time.ParseInLocation(time.DateOnly, v, loc); err != nil {
		return time.Time{}
	}
	y, m, day := last.Date()
	return time.Date(y, m, day, 23, 59, 0, 0, loc).UTC()
}

// The ways in which people end what needs their attention.
const (
	resolveKeep    = "keep"
	resolveRestore = "restore"
	resolveAdopt   = "adopt"
	resolveRelease = "release"
)

func readResolution(v string) (string, *ParseError) {
	switch v {
	case resolveKeep, "保留", "完成":
		return resolveKeep, nil
	case resolveRestore, "還原", "恢復":
		return resolveRestore, nil
	case resolveAdopt, "採用", "採納":
		return resolveAdopt, nil
	case resolveRelease, "解除", "解除鎖定":
		return resolveRelease, nil
	}
	problem := bad("parse.resolution")
	if near := vpn.Nearest(v, []string{resolveKeep, resolveRestore, resolveAdopt, resolveRelease}); near != "" {
		problem.Hint = change.T("parse.nearest", "near", "/vpn resolve N "+near)
	}
	return "", problem
}

// readTopics takes "ipsec,l2tp", with commas of any kind, and drops what stands
// twice.
func readTopics(v string) (string, *ParseError) {
	var list []string
	for _, t := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(",，、;；+", r) }) {
		t = strings.TrimSpace(t)
		if !slices.Contains(topics(), t) {
			problem := bad("parse.topic")
			if near := vpn.Nearest(t, topics()); near != "" {
				problem.Hint = change.T("parse.nearest", "near", "--topic "+near)
			}
			return "", problem
		}
		if !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	if len(list) == 0 {
		return "", bad("parse.topic")
	}
	return strings.Join(list, ","), nil
}

// topics are those of RouterOS that a VPN or an administrator cares about.
func topics() []string {
	return []string{
		"account", "critical", "debug", "dhcp", "dns", "error", "firewall", "info", "interface", "ipsec", "l2tp", "ntp", "packet", "ppp",
		"raw", "route", "script", "system", "warning", "wireguard",
	}
}

// readEvent takes "refused", "request" or "request.denied".
func readEvent(v string) (string, *ParseError) {
	var names []string
	for _, k := range change.EventKinds() {
		whole := string(k)
		part, _, _ := strings.Cut(whole, ".")
		if v == whole || v == part {
			return v, nil
		}
		names = append(names, whole, part)
	}
	problem := bad("parse.event")
	if near := vpn.Nearest(v, names); near != "" {
		problem.Hint = change.T("parse.nearest", "near", "--kind "+near)
	}
	return "", problem
}

// readVerb takes a verb, or the first word of several.
func readVerb(v string) (string, *ParseError) {
	v = strings.ToLower(strings.TrimPrefix(v, "/"))
	if verb, ok := lookup(v); ok {
		return verb.Name, nil
	}
	if slices.ContainsFunc(Verbs(), func(o Verb) bool { return o.under(v) }) {
		return v, nil
	}
	problem := &ParseError{change.T("parse.verb"), change.T("parse.verb.hint")}
	if near := nearestVerb([]word{{raw: v}}); near != "" {
		problem.Hint = change.T("parse.nearest", "near", "/vpn help "+near)
	}
	return "", problem
}

func readLanguage(v string) (string, *ParseError) {
	switch v {
	case "english", "英文", "英語":
		return text.English, nil
	case "chinese", "中文", "繁體中文", "國語", "台灣", "臺灣":
		return text.Chinese, nil
	}
	if lang, ok := text.Language(v); ok {
		return lang, nil
	}
	return "", bad("parse.language")
}

// printable refuses control characters, line breaks among them, and characters
// that turn the reading direction.
func printable(v string) bool {
	for _, r := range v {
		if r == utf8.RuneError || !(unicode.IsPrint(r) || r == '\u3000' || r == '\u00a0') {
			return false
		}
	}
	return true
}
