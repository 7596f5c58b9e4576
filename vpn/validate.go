package vpn

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"vpnbot/change"
)

// Problem is something wrong with data that a person wrote. Path leads to it,
// key by key, list positions as decimal numbers; config makes line and column of
// it. The message never repeats the value.
type Problem struct {
	Path    []string
	Message string
	why     change.Text // the same for people who read in Slack; zero: Message
}

// Error writes path and message.
func (p Problem) Error() string { return strings.Join(p.Path, ".") + ": " + p.Message }

type problems []Problem

func (ps *problems) add(message string, path ...string) {
	*ps = append(*ps, Problem{Path: path, Message: message})
}

// say adds a problem that people in Slack can run into.
func (ps *problems) say(why change.Text, message string, path ...string) {
	*ps = append(*ps, Problem{Path: path, Message: message, why: why})
}

// said is the problem in the reader's language.
func (p Problem) said() change.Text {
	if p.why.IsZero() {
		return change.T("common.value", "value", p.Message)
	}
	return p.why
}

// spot names the place of a problem as people name values: an end by its site.
func (t Tunnel) spot(path []string) string {
	if len(path) > 2 && path[0] == "ends" && (path[1] == "0" || path[1] == "1") {
		path = append([]string{t.Ends[path[1][0]-'0'].Site}, path[2:]...)
	}
	return strings.Join(path, ".")
}

const maxNote = 200

var (
	siteName    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)
	routerName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	loginName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$`)
	fingerprint = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	dnsName     = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$`)
)

// Problems returns what is wrong with e. Paths are those of the configuration:
// sites, NAME, lan, 0.
func (e Estate) Problems() []Problem {
	var ps problems
	if len(e.Sites) == 0 {
		ps.add("expected at least one site", "sites")
	}
	taken := map[string]bool{}
	called := map[netip.Addr]bool{}
	for _, s := range e.Sites {
		e.checkSite(&ps, s, taken)
		for i, w := range s.WANs {
			if w.Address.IsValid() && w.Callable() && called[w.Address] {
				ps.add("another WAN has this address: expected one of its own, or nat: carrier", "sites", s.Name, "wan", strconv.Itoa(i), "address")
			}
			called[w.Address] = called[w.Address] || w.Callable()
		}
	}
	routers := map[string]bool{}
	for _, r := range e.Routers {
		path := []string{"sites", r.Site, "routers", r.Name}
		if key := strings.ToLower(r.Name); routers[key] {
			ps.add("another router has this name: expected a name of its own", path...)
		} else {
			routers[key] = true
		}
		r.check(&ps, path)
	}
	return ps
}

func (e Estate) checkSite(ps *problems, s Site, taken map[string]bool) {
	at := func(more ...string) []string { return append([]string{"sites", s.Name}, more...) }
	if !siteName.MatchString(s.Name) {
		ps.add("expected a site name of lower-case letters, digits and hyphens that begins with a letter", at()...)
	}
	claim := func(name string, path []string) {
		key := strings.ToLower(name)
		if taken[key] {
			ps.add("another site is called this: expected a name or alias of its own", path...)
		}
		taken[key] = true
	}
	claim(s.Name, at())
	for i, a := range s.Aliases {
		path := at("aliases", strconv.Itoa(i))
		if !validAlias(a) {
			ps.add("expected one word of at most 32 letters, digits, '.', '-' or '_'", path...)
		}
		claim(a, path)
	}
	for i, p := range s.LAN {
		if !p.IsValid() || p != p.Masked() || !p.Addr().Is4() {
			ps.add("expected an IPv4 network such as 192.168.77.0/24, host part zero", at("lan", strconv.Itoa(i))...)
		}
	}
	for i, w := range s.WANs {
		w.check(ps, at("wan", strconv.Itoa(i)))
		if slices.ContainsFunc(s.WANs[:i], func(o WAN) bool { return o.Interface == w.Interface }) {
			ps.add("another WAN of this site has this interface: expected one of its own", at("wan", strconv.Itoa(i), "interface")...)
		}
	}
	switch {
	case s.Foreign && len(s.Routers) > 0:
		ps.add("somebody else runs the routers of this site: expected none here, or foreign: false", at("routers")...)
	case !s.Foreign && len(s.Routers) == 0:
		ps.add("expected at least one router, or foreign: true", at("routers")...)
	}
}

// validAlias accepts what can be typed as one word after it went through NFKC.
func validAlias(a string) bool {
	if a == "" || utf8.RuneCountInString(a) > 32 || norm.NFKC.String(a) != a {
		return false
	}
	return !strings.ContainsFunc(a, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("._-", r)
	}) && !strings.HasPrefix(a, "-")
}

func (w WAN) check(ps *problems, path []string) {
	at := func(key string) []string { return append(append([]string(nil), path...), key) }
	if w.Interface == "" || !plainText(w.Interface, 64) {
		ps.add("expected the name of the router's interface, such as ether1", at("interface")...)
	}
	if !w.Dynamic && !w.Address.IsValid() && !dnsName.MatchString(w.DNS) {
		ps.add(`expected an IPv4 address, a DNS name or "dynamic"`, at("address")...)
	}
	switch w.NAT {
	case NoNAT, OneToOneNAT, CarrierNAT:
	default:
		ps.add(`expected none, "1:1" or carrier`, at("nat")...)
	}
	switch {
	case w.Role == Initiate:
	case (w.Role == Respond || w.Role == Both) && !w.Callable():
		ps.add("nobody can call an address that is dynamic or behind a carrier's NAT: expected initiate", at("role")...)
	case w.Role == Respond || w.Role == Both:
	default:
		ps.add("expected initiate, respond or both", at("role")...)
	}
}

func (r Router) check(ps *problems, path []string) {
	at := func(more ...string) []string { return append(append([]string(nil), path...), more...) }
	if !routerName.MatchString(r.Name) {
		ps.add("expected a router name of letters, digits, '.', '-' and '_'", at()...)
	}
	host, err := splitAddress(r.Address)
	if err != nil {
		ps.add("expected host:port, such as 192.168.77.1:8729", at("address")...)
	}
	switch {
	case r.Plain && !loopback(host):
		ps.add("the API without TLS sends passwords in clear and is for loopback only: expected plain: false and a tls pin", at("plain")...)
	case r.Plain && (r.Fingerprint != "" || r.CAFile != ""):
		ps.add("expected either plain: true or a tls pin", at("plain")...)
	case !r.Plain && r.Fingerprint == "" && r.CAFile == "":
		ps.add("expected fingerprint (sha256:HEX of the router's certificate) or ca (a PEM file)", at("tls")...)
	case r.Fingerprint != "" && r.CAFile != "":
		ps.add("expected fingerprint or ca, not both", at("tls")...)
	case r.Fingerprint != "" && !fingerprint.MatchString(r.Fingerprint):
		ps.add("expected sha256: and 64 hexadecimal digits", at("tls", "fingerprint")...)
	}
	r.Read.check(ps, at("read"))
	r.Write.check(ps, at("write"))
	if r.Read.User != "" && r.Read.User == r.Write.User {
		ps.add("expected a user other than read's: reading must not be able to write", at("write", "user")...)
	}
}

func (l Login) check(ps *problems, path []string) {
	at := func(key string) []string { return append(append([]string(nil), path...), key) }
	if !loginName.MatchString(l.User) {
		ps.add("expected the name of a RouterOS user", at("user")...)
	}
	if err := l.Password.Validate(); err != nil {
		ps.add(`expected "file:PATH", "env:NAME" or "credential:NAME", never the password itself`, at("password")...)
	}
}

func splitAddress(address string) (host string, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("splitting address: %w", err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("port of address: %w", strconv.ErrRange)
	}
	if !validHost(host) {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return "", fmt.Errorf("host of address: %w", strconv.ErrSyntax)
		}
	}
	return host, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

// validHost accepts a DNS name or an IPv4 address.
func validHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Is4()
	}
	return len(host) <= 253 && dnsName.MatchString(host)
}

// plainText tells whether s is one line of printable text, at most limit
// characters long.
func plainText(s string, limit int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
