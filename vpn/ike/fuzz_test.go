package ike_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// text writes rows one a line, "menu|attr=value|attr=value": a form in which changing
// any byte mostly leaves rows.
func text(rs rows) string {
	var b strings.Builder
	for _, menu := range slices.Sorted(maps.Keys(rs)) {
		for _, r := range rs[menu] {
			b.WriteString(menu)
			for _, attr := range r.Names() {
				b.WriteString("|" + attr + "=" + r[attr])
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// parse reads what text writes.
func parse(s string) rows {
	rs := make(rows)
	for line := range strings.Lines(s) {
		menu, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "|")
		r := make(schema.Row)
		for field := range strings.SplitSeq(rest, "|") {
			if attr, value, ok := strings.Cut(field, "="); ok {
				r[attr] = value
			}
		}
		rs[menu] = append(rs[menu], r)
	}
	return rs
}

// Ensure that rows from outside are read without a panic, and that every verdict
// about them has its reason.
func FuzzModel(f *testing.F) {
	for _, p := range []schema.Party{hq(), fengshan(), serveL2TP(hq())} {
		f.Add(text(p.Rows), "*3", "windows")
	}
	ike2 := hq()
	set(ike2, peers, "*3", "exchange-mode", "ike2")
	set(ike2, identities, "*A", "my-id", "fqdn:hq")
	f.Add(text(ike2.Rows), "*3", "android")
	f.Fuzz(func(t *testing.T, data, id, system string) {
		odd := hq()
		odd.Rows = parse(data)
		for _, a := range []schema.Attempt{
			{Initiator: odd, Responder: fengshan(), Peer: id},
			{Initiator: fengshan(), Responder: odd, Peer: "*3"},
			{Initiator: dial(system, homeAddr), Responder: odd},
		} {
			o, err := ike.Model{AssumeClients: true}.Negotiate(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			reasoned(t, o)
		}
		ike.Model{}.Between(ike.End{Party: odd}, ike.End{Party: fengshan()})
	})
}
