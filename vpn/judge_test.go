package vpn_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

// Ensure each reason comes from the rows that it names, with its verdict.
func TestJudge(t *testing.T) {
	const outHQ, outFS = "0xC0", "0xC1"
	tests := []struct {
		name    string
		spoil   func(*line)
		verdict vpn.Verdict
		reason  string
		args    map[string]string
	}{
		{"well", func(*line) {}, vpn.Up, "status.up", nil},
		{"hand-made names and comments", func(l *line) {
			l.set(0, peerMenu, "comment", "", "site to site [vpnbot 1.1]")
			l.set(0, policyMenu, "comment", "", "\xb0\xaa\xb6\xaf")
		}, vpn.Up, "status.up", nil},
		{"two phase 1 rows", func(l *line) { addPhase1(l, 0, "0011223344556677"); addPhase1(l, 1, "0011223344556677") }, vpn.Up, "status.up", nil},
		{"a second phase 1 that one end keeps", func(l *line) { addPhase1(l, 0, "0011223344556677") }, vpn.Up, "status.up", nil},
		{"dial-in client behind the other site", func(l *line) { addClient(l) }, vpn.Up, "status.up", nil},
		{"dying pair left at one end", func(l *line) {
			l.rows(0, saMenu, 0, func(rows []schema.Row) []schema.Row {
				r := rows[0].Clone()
				r["spi"], r["state"] = "0xDEAD", "dying"
				return append(rows, r)
			})
		}, vpn.Up, "status.up", nil},
		{"rekey between looks", func(l *line) { rekey(l, 2) }, vpn.Up, "status.up", nil},

		{"no packets", func(l *line) { quiet(l) }, vpn.Idle, "status.idle.none", nil},
		{"no packets, two seconds", func(l *line) { quiet(l); l.last(0, 2); l.last(1, 2) }, vpn.Idle, "status.idle.short", nil},
		{"SAs without counters", func(l *line) {
			for i := range 2 {
				l.rows(i, saMenu, 0, func(rows []schema.Row) []schema.Row {
					for _, r := range rows {
						delete(r, "current-packets")
						delete(r, "expires-in")
					}
					return rows
				})
			}
		}, vpn.Idle, "status.idle.none", nil},
		{"a few packets one way", func(l *line) {
			quiet(l)
			for i := range 2 {
				l.samples[i][6].Menus[saMenu][0]["current-packets"] = "1003"
			}
		}, vpn.Idle, "status.idle.few", nil},

		{"lost on the way", func(l *line) { l.still(1, 0, outHQ) }, vpn.UpOneWay, "status.oneway.lost", map[string]string{"from": "gw-hq", "to": "gw-fengshan"}},
		{"lost since a minute", func(l *line) { l.still(1, 5, outHQ) }, vpn.UpOneWay, "status.oneway.lost", map[string]string{"from": "gw-hq"}},
		{"nothing sent back", func(l *line) { l.still(0, 0, outFS); l.still(1, 0, outFS) }, vpn.UpOneWay, "status.oneway.silent", map[string]string{"from": "gw-hq", "to": "gw-fengshan"}},
		{"lost both ways", func(l *line) { l.still(1, 0, outHQ); l.still(0, 0, outFS) }, vpn.Down, "status.down.lost_both", nil},
		{"lost, nothing back", func(l *line) { l.still(1, 0, outHQ); l.still(0, 0, outFS); l.still(1, 0, outFS) }, vpn.Down, "status.down.lost", map[string]string{"from": "gw-hq"}},
		{"lost just after a look, answers until then", func(l *line) {
			for i := range 2 {
				for _, r := range l.samples[i][6].Menus[saMenu] {
					switch {
					case strings.HasPrefix(r["spi"], outFS):
						r["current-packets"] = "2302" // two more than a minute before
					case i == 1:
						r["current-packets"] = "1302"
					}
				}
			}
		}, vpn.Down, "status.down.lost", map[string]string{"from": "gw-hq", "window": "60"}},
		{"lost just after a look, the other way goes on", func(l *line) {
			for _, r := range l.samples[1][6].Menus[saMenu] {
				if strings.HasPrefix(r["spi"], outHQ) {
					r["current-packets"] = "1302"
				}
			}
		}, vpn.UpOneWay, "status.oneway.lost", map[string]string{"from": "gw-hq"}},
		{"a few lost", func(l *line) {
			l.still(1, 0, outHQ)
			l.still(0, 0, outHQ)
			l.samples[0][6].Menus[saMenu][0]["current-packets"] = "1004"
		}, vpn.Unknown, "status.unknown.few", map[string]string{"from": "gw-hq"}},

		{"nothing there", func(l *line) { clearRows(l, 1) }, vpn.Down, "status.down.absent", map[string]string{"router": "gw-fengshan"}},
		{"peer disabled", func(l *line) { l.set(1, peerMenu, "disabled", "", "true"); down(l) }, vpn.Down, "status.down.peer_disabled", map[string]string{"router": "gw-fengshan", "peer": "made-by-hand"}},
		{"peer missing", func(l *line) { l.drop(0, peerMenu, "name", "made"); down(l) }, vpn.Down, "status.down.peer_missing", map[string]string{"router": "gw-hq"}},
		{"peer shadowed", func(l *line) {
			l.set(0, peerMenu, ".about", "", "This entry is unreachable")
			down(l)
		}, vpn.Down, "status.down.peer_shadowed", map[string]string{"router": "gw-hq", "peer": "made-by-hand"}},
		{"policy disabled", func(l *line) { l.set(0, policyMenu, "disabled", "", "true") }, vpn.Down, "status.down.policy_disabled", map[string]string{"router": "gw-hq", "count": "2", "total": "2"}},
		{"policy missing", func(l *line) { l.drop(1, policyMenu, "dst-address", "192.168.78") }, vpn.Down, "status.down.policy_missing", map[string]string{"router": "gw-fengshan", "count": "1", "total": "2", "destination": "192.168.78.0/24"}},
		{"policy invalid", func(l *line) { l.set(1, policyMenu, "invalid", "", "true") }, vpn.Down, "status.down.policy_invalid", map[string]string{"router": "gw-fengshan"}},
		{"one policy not established", func(l *line) {
			for i := range 2 {
				l.samples[i][6].Menus[policyMenu][2]["ph2-state"] = "no-phase2"
			}
		}, vpn.Down, "status.down.policies", map[string]string{"router": "gw-fengshan", "established": "1", "total": "2", "state": "no-phase2"}},
		{"no phase 2", func(l *line) {
			for i := range 2 {
				l.set(i, policyMenu, "ph2-state", "", "msg1-sent")
				l.drop(i, saMenu, "spi", "0x")
			}
		}, vpn.Down, "status.down.no_phase2", map[string]string{"total": "2", "state": "msg1-sent"}},
		{"phase 1 is trying", func(l *line) { down(l); addTry(l) }, vpn.Down, "status.down.phase1_trying", map[string]string{"router": "gw-hq", "state": "message-1-sent"}},
		{"no phase 1", down, vpn.Down, "status.down.no_phase1", map[string]string{"router": "gw-fengshan"}},
		{"other SAs than the other end", func(l *line) {
			l.set(1, saMenu, "spi", "0xC000001", "0xBAD1")
			l.set(1, saMenu, "spi", "0xC010001", "0xBAD2")
		}, vpn.Down, "status.down.sa_mismatch", map[string]string{"from": "gw-hq", "to": "gw-fengshan"}},

		{"not ours", func(l *line) { l.want.Ends[1].Foreign, l.samples[1] = true, nil }, vpn.Unknown, "status.unknown.foreign", map[string]string{"site": "fengshan"}},
		{"no sample", func(l *line) { l.samples[1] = nil }, vpn.Unknown, "status.unknown.unread", map[string]string{"router": "gw-fengshan"}},
		{"unreachable", func(l *line) { l.samples[1][6].Err = errors.New("no route") }, vpn.Unknown, "status.unknown.unread", map[string]string{"router": "gw-fengshan"}},
		{"unreachable and down", func(l *line) { down(l); l.samples[1][6].Err = errors.New("no route") }, vpn.Down, "status.down.no_phase1", map[string]string{"router": "gw-hq"}},
		{"stale", func(l *line) { l.samples[1] = l.samples[1][:3] }, vpn.Unknown, "status.unknown.unread", map[string]string{"router": "gw-fengshan"}},
		{"menu missing", func(l *line) { delete(l.samples[0][6].Menus, saMenu) }, vpn.Unknown, "status.unknown.no_menu", map[string]string{"router": "gw-hq", "menu": saMenu}},
		{"odd policy state", func(l *line) { l.set(0, policyMenu, "ph2-state", "", "dancing") }, vpn.Unknown, "status.unknown.row", map[string]string{"router": "gw-hq", "menu": policyMenu, "attribute": "ph2-state"}},
		{"odd SPI", func(l *line) { l.set(0, saMenu, "spi", "0xC000001", "many") }, vpn.Unknown, "status.unknown.row", map[string]string{"menu": saMenu, "attribute": "spi"}},
		{"odd flag of a peer", func(l *line) { l.set(0, peerMenu, "disabled", "", "perhaps") }, vpn.Unknown, "status.unknown.row", map[string]string{"menu": peerMenu, "attribute": "disabled"}},
		{"odd phase 1", func(l *line) { l.set(0, phase1Menu, "state", "", "dancing") }, vpn.Unknown, "status.unknown.row", map[string]string{"menu": phase1Menu, "attribute": "state"}},
		{"odd rows of others", func(l *line) {
			for menu, row := range map[string]schema.Row{
				policyMenu: {"src-address": "10.1.1.1/32", "dst-address": "10.2.2.2/32", "tunnel": "true", "ph2-state": "dancing"},
				phase1Menu: {"remote-address": "192.0.2.9", "local-address": "203.0.113.10", "state": "dancing"},
				saMenu:     {"src-address": "192.0.2.9", "dst-address": "203.0.113.9", "spi": "?"},
				peerMenu:   {"name": "else", "address": "192.0.2.9/32", "disabled": "perhaps"},
			} {
				l.rows(0, menu, 0, func(rows []schema.Row) []schema.Row { return append(rows, row.Clone()) })
			}
		}, vpn.Up, "status.up", nil},
		{"peer disabled while SAs live", func(l *line) { l.set(0, peerMenu, "disabled", "", "true") }, vpn.Unknown, "status.unknown.peer_disabled", map[string]string{"router": "gw-hq", "peer": "made-by-hand"}},
		{"peer gone while SAs live", func(l *line) { l.drop(0, peerMenu, "name", "made") }, vpn.Unknown, "status.unknown.peer_missing", map[string]string{"router": "gw-hq"}},
		{"phase 1 gone", func(l *line) { l.drop(1, phase1Menu, "state", "est") }, vpn.Unknown, "status.unknown.phase1_gone", map[string]string{"router": "gw-fengshan"}},
		{"other cookies", func(l *line) { l.set(1, phase1Menu, "spir", "", "ffffffffffffffff") }, vpn.Unknown, "status.unknown.phase1_differs", nil},
		{"other cookies at the last look", func(l *line) { l.samples[1][6].Menus[phase1Menu][0]["spir"] = "ffffffffffffffff" }, vpn.Unknown, "status.unknown.moving", nil},
		{"rekey at the last look", func(l *line) { l.samples[1][6].Menus[saMenu][0]["spi"] = "0x77" }, vpn.Unknown, "status.unknown.moving", nil},
		{"no SA", func(l *line) { l.drop(0, saMenu, "spi", "0x"); l.drop(1, saMenu, "spi", "0x") }, vpn.Unknown, "status.unknown.no_sa", nil},
		{"one SA that the other end lacks", func(l *line) { l.drop(1, saMenu, "spi", "0xC000001") }, vpn.Unknown, "status.unknown.sa_unmatched", map[string]string{"router": "gw-hq", "count": "1"}},
		{"one look", func(l *line) { l.last(0, 1); l.last(1, 1) }, vpn.Unknown, "status.unknown.one_sample", nil},
		{"looks far apart", func(l *line) {
			for k := range l.samples[1] {
				l.samples[1][k].At = l.samples[1][k].At.Add(-25 * time.Second)
			}
		}, vpn.Unknown, "status.unknown.one_sample", nil},
		{"a router that takes its time", func(l *line) {
			for k := range l.samples[1] {
				l.samples[1][k].Until = l.samples[1][k].At.Add(15 * time.Second)
			}
		}, vpn.Unknown, "status.unknown.one_sample", nil},
		{"no prefixes", func(l *line) { l.want.Ends[0].Policies, l.want.Ends[1].Policies = nil, nil }, vpn.Unknown, "status.unknown.unread", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLine(t, 7, 2)
			tt.spoil(l)
			got := l.judge(t)
			if got.Verdict != tt.verdict || got.Reason.ID != tt.reason {
				t.Fatalf("got %s %+v, notes %v, want %s %s", got.Verdict, got.Reason, got.Notes, tt.verdict, tt.reason)
			}
			for name, want := range tt.args {
				if v := argument(got.Reason, name); v != want {
					t.Errorf("%s is %q, want %q", name, v, want)
				}
			}
		})
	}
}

func argument(text change.Text, name string) string {
	v := text.Args[name]
	if v.Num != nil {
		return fmt.Sprint(*v.Num)
	}
	return v.Str
}

// quiet stops all counters.
func quiet(l *line) {
	for i := range 2 {
		l.still(i, 0, "0xC0")
		l.still(i, 0, "0xC1")
	}
}

// down takes phase 1 and the SAs away at both ends.
func down(l *line) {
	for i := range 2 {
		l.set(i, policyMenu, "ph2-state", "", "no-phase2")
		l.drop(i, phase1Menu, "state", "est")
		l.drop(i, saMenu, "spi", "0x")
	}
}

func clearRows(l *line, i int) {
	for _, menu := range []string{peerMenu, policyMenu, phase1Menu, saMenu} {
		l.rows(i, menu, 0, func([]schema.Row) []schema.Row { return []schema.Row{} })
	}
}

func addPhase1(l *line, i int, spii string) {
	l.rows(i, phase1Menu, 0, func(rows []schema.Row) []schema.Row {
		r := rows[0].Clone()
		r["spii"] = spii
		return append([]schema.Row{r}, rows...)
	})
}

func addTry(l *line) {
	l.rows(0, phase1Menu, 0, func(rows []schema.Row) []schema.Row {
		return append(rows, schema.Row{
			"local-address": "203.0.113.10", "remote-address": "198.51.100.20", "state": "message-1-sent", "side": "initiator", "spii": "0102030405060708", "spir": "0000000000000000",
		})
	})
}

// addClient gives hq a Windows client that dials in from behind fengshan's
// address.
func addClient(l *line) {
	l.rows(0, phase1Menu, 0, func(rows []schema.Row) []schema.Row {
		r := rows[0].Clone()
		r["port"], r["natt-peer"], r["id"], r["spii"], r["side"] = "62001", "true", "192.168.88.50", "7766554433221100", "responder"
		return append([]schema.Row{r}, rows...)
	})
	l.rows(0, saMenu, 0, func(rows []schema.Row) []schema.Row {
		r := rows[0].Clone()
		r["src-address"], r["dst-address"], r["spi"] = "203.0.113.10:4500", "198.51.100.20:62001", "0xABCDEF"
		return append([]schema.Row{r}, rows...)
	})
}

// rekey gives every SA a new SPI from a look on, counting from zero.
func rekey(l *line, from int) {
	for i := range 2 {
		l.rows(i, saMenu, from, func(rows []schema.Row) []schema.Row {
			for _, r := range rows {
				r["spi"] = "0xD" + r["spi"][3:]
				n := 0
				_, _ = fmt.Sscan(r["current-packets"], &n)
				r["current-packets"] = fmt.Sprint(n % 1000)
			}
			return rows
		})
	}
}

// Ensure what is told besides the verdict: both ends' rows, the packets of each
// direction, the ages that each router counts by itself.
func TestJudge_Sides(t *testing.T) {
	l := newLine(t, 7, 2)
	got := l.judge(t)
	for i, s := range got.Sides {
		if n, of := s.Established(); n != 2 || of != 2 {
			t.Errorf("end %d: %d of %d policies", i, n, of)
		}
		if len(s.Phase1) != 1 || !s.Phase1[0].Matched || s.Phase1[0].Uptime != time.Hour+2*time.Minute+3*time.Second {
			t.Errorf("end %d: phase 1 %+v", i, s.Phase1)
		}
		if len(s.SAs) != 4 || slices.ContainsFunc(s.SAs, func(a vpn.SA) bool { return !a.Matched || a.Age != 10*time.Minute || a.Left != 20*time.Minute }) {
			t.Errorf("end %d: SAs %+v", i, s.SAs)
		}
		if len(s.Peers) != 1 || s.Peers[0].Name != "made-by-hand" {
			t.Errorf("end %d: peers %+v", i, s.Peers)
		}
	}
	if got.Sides[0].Phase1[0].Initiator == got.Sides[1].Phase1[0].Initiator {
		t.Error("both ends are initiator")
	}
	// Six looks lie in the window; the counters grow by 60 a minute and SA.
	if want := (vpn.Flow{Sent: 600, Received: 600}); got.Flows != [2]vpn.Flow{want, want} {
		t.Errorf("flows %+v, want %+v", got.Flows, want)
	}
}

// Ensure packets that are lost without the direction being dead are told.
func TestJudge_Loss(t *testing.T) {
	l := newLine(t, 7, 1)
	for k := range l.samples[1] {
		l.samples[1][k].Menus[saMenu][0]["current-packets"] = fmt.Sprint(1000 + 30*k)
	}
	got := l.judge(t)
	if got.Verdict != vpn.Up || len(got.Notes) != 1 || got.Notes[0].ID != "status.note.loss" || argument(got.Notes[0], "received") != "150" {
		t.Errorf("got %s, notes %+v", got.Verdict, got.Notes)
	}
}

// Ensure half the picture is given with what the other router says.
func TestJudge_Half(t *testing.T) {
	l := newLine(t, 7, 2)
	l.samples[1][6].Err = errors.New("no route")
	got := l.judge(t)
	if got.Sides[1].Err == nil || len(got.Sides[0].SAs) != 4 {
		t.Errorf("sides %+v", got.Sides)
	}
	if len(got.Notes) != 1 || got.Notes[0].ID != "status.note.half" || argument(got.Notes[0], "established") != "2" {
		t.Errorf("notes %+v", got.Notes)
	}
}

// Ensure many tunnels judged at once get what each gets alone, and a router is
// asked for once.
func TestJudgeAll(t *testing.T) {
	a, b := newLine(t, 7, 2), newLine(t, 7, 1)
	b.want.Ends[1].Router = "gw-other"
	down(b)
	samples := map[string][]vpn.Half{"gw-hq": a.samples[0], "gw-fengshan": a.samples[1], "gw-other": b.samples[1]}
	asked := map[string]int{}
	got := vpn.JudgeAll([]vpn.Expected{a.want, b.want}, func(router string) []vpn.Half {
		asked[router]++
		return samples[router]
	}, a.at)
	for i, alone := range []vpn.Judged{
		vpn.Judge(a.want, a.samples, a.at), vpn.Judge(b.want, [2][]vpn.Half{a.samples[0], b.samples[1]}, a.at),
	} {
		if !reflect.DeepEqual(got[i], alone) {
			t.Errorf("tunnel %d: got %+v, alone %+v", i, got[i], alone)
		}
	}
	if asked["gw-hq"] != 1 || len(asked) != 3 {
		t.Errorf("asked %v", asked)
	}
}
