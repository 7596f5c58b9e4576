package vpn_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// drawLine draws a tunnel that is UP, with what is legal beside it: a second
// phase 1, a dial-in client at the same address, a rekey, NAT-T.
func drawLine(t *rapid.T) *line {
	looks := rapid.IntRange(2, 7).Draw(t, "looks")
	l := newLine(t, looks, rapid.IntRange(1, 2).Draw(t, "prefixes"))
	if rapid.Bool().Draw(t, "second") {
		addPhase1(l, 0, "0011223344556677")
		addPhase1(l, 1, "0011223344556677")
	}
	if rapid.Bool().Draw(t, "rekey") {
		rekey(l, rapid.IntRange(0, looks-1).Draw(t, "at"))
	}
	if rapid.Bool().Draw(t, "client") {
		addClient(l)
	}
	if rapid.Bool().Draw(t, "leftover") {
		l.rows(0, saMenu, 0, func(rows []schema.Row) []schema.Row {
			r := rows[len(rows)-1].Clone()
			r["spi"], r["state"] = "0xDEAD", "dying"
			return append(rows, r)
		})
	}
	if rapid.Bool().Draw(t, "natt") {
		natt(l)
	}
	return l
}

// natt puts the far end behind 1:1 NAT.
func natt(l *line) {
	l.want = vpn.Tunnel{
		Name: "hq-fengshan", Exchange: "main", Ends: [2]vpn.End{{Site: "hq", Prefixes: prefixesOf(l, 0)}, {Site: "fengshan"}},
	}.WithDefaults(nattEstate()).Expect(nattEstate())
	for k := range l.samples[1] {
		l.samples[1][k].Menus["/ip/address"][0]["address"] = "10.0.0.2/24"
	}
	own := func(addresses ...string) func([]schema.Row) []schema.Row {
		return func(rows []schema.Row) []schema.Row {
			for _, r := range rows {
				for _, name := range addresses {
					for _, old := range []string{"198.51.100.20", "198.51.100.20:4500"} {
						if r[name] == old {
							r[name] = "10.0.0.2"
						}
					}
				}
			}
			return rows
		}
	}
	l.rows(1, phase1Menu, 0, own("local-address"))
	l.rows(1, policyMenu, 0, own("sa-src-address"))
	l.rows(1, saMenu, 0, own("src-address", "dst-address"))
	for i := range 2 {
		l.rows(i, phase1Menu, 0, func(rows []schema.Row) []schema.Row {
			for _, r := range rows {
				if r["natt-peer"] == "" {
					r["natt-peer"], r["port"] = "true", "4500"
				}
			}
			return rows
		})
		l.rows(i, saMenu, 0, func(rows []schema.Row) []schema.Row {
			for _, r := range rows {
				if r["spi"] != "0xABCDEF" {
					r["src-address"] += ":4500"
					r["dst-address"] += ":4500"
				}
			}
			return rows
		})
	}
}

func nattEstate() vpn.Estate {
	w := fixedWAN()
	w.NAT = vpn.OneToOneNAT
	return lineEstate(w)
}

// mutations make one end disagree at the last look. Each returns false when it
// found nothing to change.
func mutations() map[string]func(*rapid.T, *vpn.Half) bool {
	const client, leftover = "0xABCDEF", "0xDEAD"
	sas := func(t *rapid.T, h *vpn.Half, edit func(schema.Row)) bool {
		var own []schema.Row
		for _, r := range h.Menus[saMenu] {
			if r["spi"] != client && r["spi"] != leftover {
				own = append(own, r)
			}
		}
		edit(own[rapid.IntRange(0, len(own)-1).Draw(t, "SA")])
		return true
	}
	wanted := func(t *rapid.T, h *vpn.Half, edit func(schema.Row)) bool {
		rows := h.Menus[policyMenu][1:]
		edit(rows[rapid.IntRange(0, len(rows)-1).Draw(t, "policy")])
		return true
	}
	every := func(menu string, edit func(schema.Row)) func(*rapid.T, *vpn.Half) bool {
		return func(_ *rapid.T, h *vpn.Half) bool {
			for _, r := range h.Menus[menu] {
				edit(r)
			}
			return true
		}
	}
	set := func(name, value string) func(schema.Row) { return func(r schema.Row) { r[name] = value } }
	list := map[string]func(*rapid.T, *vpn.Half) bool{
		"silent":       func(_ *rapid.T, h *vpn.Half) bool { h.Err = errors.New("no route"); return true },
		"old":          func(_ *rapid.T, h *vpn.Half) bool { h.At = h.At.Add(-20 * time.Minute); return true },
		"no cookies":   every(phase1Menu, set("spii", "")),
		"cookies":      every(phase1Menu, set("spii", "9999999999999999")),
		"phase 1 ends": every(phase1Menu, set("state", "expired")),
		"peer off":     every(peerMenu, set("disabled", "true")),
		"odd peer":     every(peerMenu, set("disabled", "?")),
		"no counters":  every(saMenu, set("current-packets", "0")),
	}
	for _, menu := range []string{peerMenu, policyMenu, phase1Menu, saMenu} {
		list["no rows in "+menu] = func(_ *rapid.T, h *vpn.Half) bool { h.Menus[menu] = nil; return true }
		list["no menu "+menu] = func(_ *rapid.T, h *vpn.Half) bool { delete(h.Menus, menu); return true }
	}
	for name, edit := range map[string]func(schema.Row){
		"SPI": set("spi", "0x5117"), "odd SPI": set("spi", "x"), "SA larval": set("state", "larval"), "SA dead": set("state", "dead"),
		"odd SA": set("state", "?"), "odd counter": set("current-packets", "-1"), "SA elsewhere": set("dst-address", "192.0.2.77"),
		"SA of no address": set("src-address", "?"),
	} {
		list[name] = func(t *rapid.T, h *vpn.Half) bool { return sas(t, h, edit) }
	}
	for name, edit := range map[string]func(schema.Row){
		"policy off": set("disabled", "true"), "policy invalid": set("invalid", "true"), "no phase 2": set("ph2-state", "no-phase2"),
		"odd phase 2": set("ph2-state", "?"), "transport": set("tunnel", "false"), "selector": set("dst-address", "10.99.0.0/24"),
		"odd selector": set("src-address", "?"), "template": set("template", "true"), "action": set("action", "discard"), "protocol": set("protocol", "udp"),
	} {
		list[name] = func(t *rapid.T, h *vpn.Half) bool { return wanted(t, h, edit) }
	}
	return list
}

// A verdict UP is impossible when one end disagrees, whatever the disagreement
// and however long it has been there.
func TestJudge_OneEndDisagrees(t *testing.T) {
	list := mutations()
	names := make([]string, 0, len(list))
	for name := range list {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		if got := l.judge(t); got.Verdict != vpn.Up {
			t.Fatalf("drawn tunnel is %s: %+v", got.Verdict, got.Reason)
		}
		name := rapid.SampledFrom(names).Draw(t, "mutation")
		end := rapid.IntRange(0, 1).Draw(t, "end")
		looks := len(l.samples[end])
		if name == "no counters" || name == "old" {
			for k := range looks {
				list[name](t, &l.samples[end][k])
			}
		} else {
			list[name](t, &l.samples[end][looks-1])
		}
		if got := l.judge(t); got.Verdict == vpn.Up {
			t.Fatalf("UP although end %d disagrees: %s", end, name)
		}
	})
}

// value draws what a router could print for an attribute, or not.
func value(t *rapid.T, attr schema.Attr) string {
	pool := []string{
		"", "true", "false", "0", "1", "18446744073709551615", "-1", "203.0.113.10", "198.51.100.20", "198.51.100.20:4500", "198.51.100.20/32",
		"192.168.77.0/24", "192.168.88.0/24", "0.0.0.0/0", "::", "::/0", "established", "mature", "dying", "main", "ike2", "made-by-hand",
		"a,b", ",", "1h2m3s", "24m/30m", "/", "0xC000001", "0x", "0xFFFFFFFFFF", "a1b2c3d4e5f60718", "\xb0\xaa", "鳳山", "encrypt", "any", "all",
	}
	return rapid.SampledFrom(append(pool, attr.Values...)).Draw(t, attr.Name)
}

// Whatever rows two routers print, Judge gives one of five verdicts with a reason
// that the catalogue knows, the same from both ends, and does not panic.
func TestJudge_AnyRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, rapid.IntRange(1, 3).Draw(t, "looks"), 2)
		for i := range 2 {
			for k := range l.samples[i] {
				for _, menu := range vpn.StatusMenus() {
					m, _ := schema.Lookup(menu)
					for n := range rapid.IntRange(0, 3).Draw(t, "rows of "+menu) {
						row := schema.Row{}
						if have := l.samples[i][k].Menus[menu]; n < len(have) && rapid.Bool().Draw(t, "known") {
							row = have[n].Clone()
						}
						for range rapid.IntRange(0, 5).Draw(t, "attributes") {
							a := rapid.SampledFrom(m.Attrs).Draw(t, "attribute")
							row[a.Name] = value(t, a)
						}
						l.samples[i][k].Menus[menu] = append(l.samples[i][k].Menus[menu], row)
					}
				}
			}
		}
		got := l.judge(t)
		switch got.Verdict {
		case vpn.Up, vpn.UpOneWay, vpn.Idle, vpn.Down, vpn.Unknown:
		default:
			t.Fatalf("verdict %q", got.Verdict)
		}
		for i, s := range got.Sides {
			if len(s.Policies) != 2 && s.Err == nil {
				t.Fatalf("end %d has %d policies of 2", i, len(s.Policies))
			}
		}
		for k := range l.samples[0] {
			_, _ = vpn.ServerOf(l.samples[0][k].Snapshot)
		}
	})
}

// Ensure no sample at all is an answer too.
func TestJudge_Nothing(t *testing.T) {
	got := vpn.Judge(vpn.Expected{}, [2][]vpn.Half{}, time.Time{})
	if got.Verdict != vpn.Unknown || got.Reason.ID != "status.unknown.unread" {
		t.Errorf("got %s %+v", got.Verdict, got.Reason)
	}
	empty := vpn.Half{Snapshot: change.Snapshot{Router: "x"}}
	if got := vpn.Judge(vpn.Expected{}, [2][]vpn.Half{{empty}, {empty}}, time.Time{}); got.Verdict != vpn.Unknown {
		t.Errorf("got %s %s", got.Verdict, fmt.Sprint(got.Reason))
	}
}
