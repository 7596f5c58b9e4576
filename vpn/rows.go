package vpn

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/traditionalchinese"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// AccountRow is one account as a router holds it.
type AccountRow struct {
	Name     string
	Service  string // "l2tp", or "any", which may dial in as well
	Profile  string
	Address  string // fixed address, "" when from a pool
	Disabled bool
	Comment  string // readable, without generation mark
	Managed  bool   // carries a generation mark: the bot wrote the row last
	Online   bool
	// LastLoggedOut is the router's own text, "" when the account never was.
	LastLoggedOut string
	LastCallerID  string
}

// SessionRow is one account that is connected now.
type SessionRow struct {
	Account  string
	CallerID string // the address that the client came from
	Address  string // its address in the tunnel
	Uptime   string // the router's own text, "1h2m3s"
	Encoding string
	Radius   bool
}

// Began returns when the session began, by a router that was read at. The second
// result is false when the router does not say.
func (s SessionRow) Began(at time.Time) (time.Time, bool) {
	up, err := schema.ParseDuration(s.Uptime)
	return at.Add(-up), err == nil
}

// Users returns the accounts of a snapshot that can dial in by L2TP, sorted by
// name.
func Users(s change.Snapshot) []AccountRow {
	online := map[string]bool{}
	for _, session := range Sessions(s) {
		online[session.Account] = true
	}
	var list []AccountRow
	for _, row := range s.Menus[menuSecret] {
		service := defaulted(menuSecret, row, "service")
		if service != "l2tp" && service != "any" {
			continue
		}
		name := ReadableBytes(row["name"])
		comment := change.Unmarked(row["comment"])
		list = append(list, AccountRow{
			Name: name, Service: service, Profile: ReadableBytes(defaulted(menuSecret, row, "profile")),
			Address: row["remote-address"], Disabled: isTrue(row, menuSecret, "disabled"),
			Comment: ReadableBytes(comment), Managed: comment != row["comment"], Online: online[name],
			LastLoggedOut: lastLoggedOut(row["last-logged-out"]), LastCallerID: ReadableBytes(row["last-caller-id"]),
		})
	}
	slices.SortStableFunc(list, func(a, b AccountRow) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// lastLoggedOut leaves out the epoch, which RouterOS prints for "never".
func lastLoggedOut(text string) string {
	if strings.HasPrefix(text, "1970-01-01") || strings.HasPrefix(text, "jan/01/1970") || text == "never" {
		return ""
	}
	return text
}

// Sessions returns the L2TP sessions of a snapshot, sorted by account.
func Sessions(s change.Snapshot) []SessionRow {
	var list []SessionRow
	for _, row := range s.Menus[menuActive] {
		if row["service"] != "l2tp" {
			continue
		}
		list = append(list, SessionRow{
			Account: ReadableBytes(row["name"]), CallerID: ReadableBytes(row["caller-id"]), Address: row["address"],
			Uptime: row["uptime"], Encoding: row["encoding"], Radius: isTrue(row, menuActive, "radius"),
		})
	}
	slices.SortStableFunc(list, func(a, b SessionRow) int { return strings.Compare(a.Account, b.Account) })
	return list
}

// ReadableBytes makes text of bytes that somebody once wrote on a router: UTF-8,
// else Big5, which WinBox in Taiwan wrote, else hex. Line breaks and control
// characters become spaces.
func ReadableBytes(raw string) string {
	text := raw
	if !utf8.ValidString(raw) {
		big5, err := traditionalchinese.Big5.NewDecoder().String(raw)
		if err != nil || strings.ContainsRune(big5, utf8.RuneError) {
			return "0x" + hex.EncodeToString([]byte(raw))
		}
		text = big5
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, text)
}

// defaulted returns the value of attr in row, or the one that RouterOS means
// when it prints none.
func defaulted(path string, row schema.Row, attr string) string {
	if v, ok := row[attr]; ok {
		return v
	}
	menu, _ := schema.Lookup(path)
	a, _ := menu.Attr(attr)
	return a.Default
}
