package rossim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/ros/schema"
)

// eachProfile runs a test on a router of every version.
func eachProfile(t *testing.T, test func(t *testing.T, r *Router)) {
	t.Helper()
	for _, version := range Profiles() {
		t.Run(version, func(t *testing.T) { test(t, router(t, Options{Profile: version})) })
	}
}

// Ensure each version has the attributes, commands and arguments that it has,
// and lacks the others.
func TestProfile_Has(t *testing.T) {
	const yes = "6.49.7 7.17.2 7.22.3"
	for _, tt := range []struct{ menu, kind, name, in string }{
		{"/ip/ipsec/profile", "write", "dh-group", yes},
		{"/ip/ipsec/profile", "write", "prf-algorithm", "7.17.2 7.22.3"},
		{"/ip/ipsec/profile", "write", "ppk", "7.22.3"},
		{"/ip/ipsec/peer", "write", "ppk-secret", "7.22.3"},
		{"/ip/ipsec/peer", "print", "show-sensitive", "7.22.3"},
		{"/ip/ipsec/policy", "write", "peer", yes},
		{"/ip/ipsec/settings", "write", "ddos-cookie-threshold", "7.22.3"},
		{"/ip/ipsec/key", "command", "generate-key", "6.49.7 7.17.2"},
		{"/ip/ipsec/key/rsa", "command", "print", "7.22.3"},
		{"/ip/ipsec/active-peers", "command", "kill-connections", yes},
		{"/interface/l2tp-server/server", "write", "accept-proto-version", "7.17.2 7.22.3"},
		{"/interface/l2tp-client", "write", "random-source-port", "7.22.3"},
		{"/ip/firewall/nat", "write", "randomise-ports", "7.17.2 7.22.3"},
		{"/ip/firewall/nat", "write", "socks5-port", "7.22.3"},
		{"/ip/firewall/nat", "write", "routing-table", "6.49.7"},
		{"/ip/firewall/filter", "write", "hw-offload", "6.49.7 7.17.2"},
		{"/ip/firewall/connection/tracking", "write", "liberal-tcp-tracking", "7.22.3"},
		{"/ip/route", "write", "routing-mark", "6.49.7"},
		{"/ip/route", "write", "routing-table", "7.17.2 7.22.3"},
		{"/ip/route", "command", "check", "7.22.3"},
		{"/ip/service", "write", "max-sessions", "7.17.2 7.22.3"},
		{"/routing/table", "command", "add", "7.17.2 7.22.3"},
		{"/safe-mode", "command", "print", "7.22.3"},
		{"/system/device-mode", "command", "print", "7.17.2 7.22.3"},
		{"/system/logging/action", "write", "bsd-syslog", "6.49.7 7.17.2"},
		{"/system/logging/action", "command", "clear", "7.22.3"},
		{"/system/ntp/client", "write", "servers", "7.17.2 7.22.3"},
		{"/system/ntp/client", "write", "primary-ntp", "6.49.7"},
		{"/user", "write", "inactivity-timeout", "7.17.2 7.22.3"},
		{"/user/active", "command", "request-logout", "6.49.7 7.17.2"},
		{"/user/active", "command", "remove", "7.22.3"},
		{"/ppp/secret", "command", "add", yes},
		{"/ppp/secret", "print", "show-sensitive", "7.22.3"},
	} {
		eachProfile(t, func(t *testing.T, r *Router) {
			has := false
			if m := r.prof.menus[tt.menu]; m != nil {
				switch tt.kind {
				case "write":
					_, has = m.attrs[tt.name]
				case "print":
					has = slices.Contains(m.printing, tt.name)
				case "command":
					has = m.commands[tt.name]
				}
			}
			if want := strings.Contains(tt.in, r.prof.version); has != want {
				t.Errorf("%s %s %s: %v, want %v", tt.menu, tt.kind, tt.name, has, want)
			}
		})
	}
}

// Ensure each version fills in its own defaults and writes dates its own way.
func TestProfile_Values(t *testing.T) {
	for _, tt := range []struct{ version, menu, query, want string }{
		{"6.49.7", "/ip/ipsec/profile", "?default=true", "=dpd-interval=2m =dpd-maximum-failures=5"},
		{"7.17.2", "/ip/ipsec/profile", "?default=true", "=dpd-interval=8s =dpd-maximum-failures=4"},
		{"7.22.3", "/ip/ipsec/profile", "?default=true", "=dpd-interval=8s =dpd-maximum-failures=4 =ppk=no =prf-algorithm=auto"},
		{"6.49.7", "/system/resource", "", "=version=6.49.7 (stable)"},
		{"7.17.2", "/system/resource", "", "=version=7.17.2 (stable)"},
		{"7.22.3", "/system/resource", "", "=version=7.22.3 (stable)"},
		{"6.49.7", "/ip/firewall/connection/tracking", "", "=udp-timeout=10s"},
		{"7.17.2", "/ip/firewall/connection/tracking", "", "=udp-timeout=30s"},
		{"6.49.7", "/ip/cloud", "", "=ddns-enabled=false"},
		{"7.17.2", "/ip/cloud", "", "=ddns-enabled=auto"},
		{"6.49.7", "/ip/service", "?name=api", "=port=8728"},
		{"7.17.2", "/ip/service", "?name=api", "=max-sessions=20 =vrf=main"},
		{"6.49.7", "/user/group", "?name=read", "=policy=local,telnet,ssh,reboot,read,test,winbox,password,web,sniff,sensitive,api,romon,tikapp,!ftp,!write,!policy,!dude"},
		{"7.17.2", "/user/group", "?name=read", "=policy=local,telnet,ssh,reboot,read,test,winbox,password,web,sniff,sensitive,api,romon,rest-api,!ftp,!write,!policy"},
		{"6.49.7", "/ppp/secret", "", "=last-logged-out=jan/01/1970 00:00:00"},
		{"7.17.2", "/ppp/secret", "", "=last-logged-out=1970-01-01 00:00:00"},
		{"6.49.7", "/system/scheduler", "", "=start-date=may/04/2026 =start-time=05:06:07 =next-run=may/04/2026 05:06:07"},
		{"7.17.2", "/system/scheduler", "", "=start-date=2026-05-04 =start-time=05:06:07 =next-run=2026-05-04 05:06:07"},
		{"6.49.7", "/system/clock", "", "=date=may/04/2026"},
		{"7.22.3", "/system/clock", "", "=date=2026-05-04"},
	} {
		r := router(t, Options{Profile: tt.version})
		r.SetClock(time.Date(2026, time.May, 4, 1, 2, 3, 0, time.UTC))
		add(t, r, "/ppp/secret", schema.Row{"name": "alice"})
		add(t, r, "/system/scheduler", schema.Row{"name": "s", "start-date": r.prof.date(r.Now()), "start-time": "05:06:07"})
		c := member(t, r)
		var names []string
		for word := range strings.SplitSeq(tt.want, " =") {
			name, _, _ := strings.Cut(strings.TrimPrefix(word, "="), "=")
			names = append(names, name)
		}
		line := tt.menu + "/print =.proplist=" + strings.Join(names, ",")
		c.want(strings.TrimSpace(line+" "+tt.query), "!re "+tt.want, "!done")
	}
}

// Ensure a log of 6.49 shows the clock alone for today, and the date for
// yesterday.
func TestProfile_LogTime(t *testing.T) {
	r := router(t, Options{Profile: "6.49.7"})
	r.SetClock(time.Date(2026, time.May, 4, 23, 59, 58, 0, time.UTC))
	add(t, r, "/ppp/secret", schema.Row{"name": "alice"})
	rows := r.Rows("/log")
	if got := rows[len(rows)-1]["time"]; len(got) != len("23:59:58") || !strings.HasPrefix(got, "23:59:5") {
		t.Errorf("today: %q", got)
	}
	r.SetClock(time.Date(2026, time.May, 5, 8, 0, 0, 0, time.UTC))
	if got := r.Rows("/log")[len(rows)-1]["time"]; !strings.HasPrefix(got, "may/04/2026 23:59:5") {
		t.Errorf("the day after: %q", got)
	}
}

// Ensure only versions since 7.18 say that print has no rows.
func TestProfile_Empty(t *testing.T) {
	eachProfile(t, func(t *testing.T, r *Router) {
		want := []string{"!done"}
		if r.prof.version == "7.22.3" {
			want = []string{"!empty", "!done"}
		}
		member(t, r).want("/ppp/active/print", want...)
	})
}

// Ensure secrets are masked in print from 7.21, and as the switch says.
func TestProfile_Masks(t *testing.T) {
	for _, tt := range []struct{ version, masks, want string }{
		{"6.49.7", "", "pw"},
		{"7.17.2", "auto", "pw"},
		{"7.22.3", "", mask},
		{"6.49.7", "yes", mask},
		{"7.17.2", "yes", mask},
		{"7.22.3", "no", "pw"},
	} {
		r := router(t, Options{Profile: tt.version, PrintMasks: tt.masks})
		add(t, r, "/ppp/secret", schema.Row{"name": "alice", "password": "pw"})
		member(t, r).want("/ppp/secret/print =.proplist=password", "!re =password="+tt.want, "!done")
	}
}
