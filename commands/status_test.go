package commands

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/commands/text"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

var _ Samples = (*star)(nil)

// Ensure a name in any form finds its site or tunnel, and others are refused
// without being kept.
func TestStatus_Place(t *testing.T) {
	n := newStar(3)
	n.poll(time.Now().Add(-time.Minute))
	w := n.open(t)
	for _, tt := range []struct{ user, word, want, why string }{
		{"U0VERA", "fengshan", "fengshan", ""},
		{"U0VERA", "鳳山", "fengshan", ""},
		{"U0VERA", "FengShan", "fengshan", ""},
		{"U0VERA", "hq-fengshan", "hq-fengshan", ""},
		{"U0VERA", "HQ－fengshan", "hq-fengshan", ""},
		{"U0VERA", "總公司-鳳山", "hq-fengshan", ""},
		{"U0VERA", "鳳山↔總公司", "hq-fengshan", ""},
		{"U0VERA", "鳳山-台中", "", "parse.place"},
		{"U0VERA", "hunter2", "", "parse.place"},
		{"U0FRED", "fengshan", "fengshan", ""},
		{"U0FRED", "hq-fengshan", "hq-fengshan", ""}, // one end is his
		{"U0FRED", "hq", "hq", "error.notallowed"},
		{"U0FRED", "hq-taichung", "hq-taichung", "error.notallowed"},
		{"U0STAFF", "fengshan", "fengshan", "error.notallowed"},
	} {
		for _, verb := range []string{"status", "狀態", "sa", "安全關聯"} {
			cmd, _ := w.Parse(verb + " " + tt.word)
			if cmd.Args["place"] != tt.want {
				t.Errorf("%s: got %q, want %q", tt.word, cmd.Args["place"], tt.want)
			}
			if _, err := w.Run(t.Context(), w.as(tt.user), cmd, ""); why(err) != tt.why {
				t.Errorf("%s %s %s: got %v, want %q", tt.user, verb, tt.word, err, tt.why)
			}
		}
	}
	if _, err := w.say("U0STAFF", "status"); why(err) != "error.notallowed" {
		t.Errorf("got %v, want staff without a role refused", err)
	}
	if r := w.must(w.say("U0FRED", "status")); len(r.Verdicts) != 1 || r.Verdicts["hq-fengshan"] != vpn.Up {
		t.Errorf("got %v, want the tunnel of his own site alone", r.Verdicts)
	}
}

// Ensure the whole estate is answered from fresh polls without reading a router,
// and with a reading where they are missing or old.
func TestStatus_All(t *testing.T) {
	tests := []struct {
		name   string
		polls  []time.Duration // ages
		reads  int             // of each router
		second bool
		want   vpn.Verdict
	}{
		{"two fresh polls", []time.Duration{70 * time.Second, 10 * time.Second}, 0, false, vpn.Up},
		{"one fresh poll", []time.Duration{10 * time.Second}, 1, false, vpn.Up},
		{"old polls", []time.Duration{4 * time.Minute, 3 * time.Minute}, 1, false, vpn.Up},
		{"nobody polls", nil, 2, true, vpn.Up},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newStar(4)
				w := n.open(t)
				for _, age := range tt.polls {
					n.poll(time.Now().Add(-age))
				}
				r := w.must(w.say("U0VERA", "status"))
				for _, tunnel := range n.tunnels {
					if got := r.Verdicts[tunnel.Name]; got != tt.want {
						t.Errorf("%s: got %s, want %s", tunnel.Name, got, tt.want)
					}
				}
				for _, router := range n.estate.Routers {
					if got := n.reads[router.Name]; got != tt.reads {
						t.Errorf("%s was read %d times, want %d", router.Name, got, tt.reads)
					}
				}
				if got := slices.Contains(said(r), "status.second"); got != tt.second {
					t.Errorf("got %v, want the second look told: %v", said(r), tt.second)
				}
			})
		})
	}
}

// Ensure a named tunnel is read at both ends in any case, and compared with the
// last poll.
func TestStatus_Tunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newStar(3)
		w := n.open(t)
		n.poll(time.Now().Add(-40 * time.Second))
		began := time.Now()
		r := w.must(w.say("U0VERA", "status fengshan"))
		if took := time.Since(began); took > 0 || n.reads["gw-hq"] != 1 || n.reads["gw-fengshan"] != 1 || n.reads["gw-taichung"] != 0 {
			t.Errorf("got %v in %v, want each end read once at once", n.reads, took)
		}
		if r.Verdicts["hq-fengshan"] != vpn.Up || !slices.Contains(said(r), "status.up") || !slices.Contains(said(r), "status.fresh") {
			t.Errorf("got %v, %v, want UP from a fresh look", r.Verdicts, said(r))
		}
		n.polled = map[string][]vpn.Half{}
		began = time.Now()
		r = w.must(w.say("U0VERA", "status hq-fengshan"))
		if took := time.Since(began); took != between || n.reads["gw-hq"] != 3 {
			t.Errorf("got %v in %v, want a second look after %v", n.reads, took, between)
		}
		if !slices.Contains(said(r), "status.second") || r.Verdicts["hq-fengshan"] != vpn.Up {
			t.Errorf("got %v, %v, want the second look told", r.Verdicts, said(r))
		}
	})
}

// Ensure every verdict reaches the reader with its reason and what to do.
func TestStatus_Verdicts(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(*star)
		want   vpn.Verdict
		reason string
		next   string
	}{
		{"up", func(*star) {}, vpn.Up, "status.up", ""},
		{"one way", func(n *star) { n.freeze("gw-hq", wanOf(1)) }, vpn.UpOneWay, "status.oneway.lost", "status.next.lost"},
		{"idle", func(n *star) { n.freeze("gw-hq", ""); n.freeze("gw-fengshan", "") }, vpn.Idle, "status.idle.short", "status.next.idle"},
		{"peer off", func(n *star) {
			n.spoil["gw-fengshan"] = func(menus map[string][]schema.Row) {
				menus["/ip/ipsec/peer"][0]["disabled"] = "true"
				menus["/ip/ipsec/policy"][0]["ph2-state"] = "no-phase2"
				menus["/ip/ipsec/active-peers"], menus["/ip/ipsec/installed-sa"] = []schema.Row{}, []schema.Row{}
			}
		}, vpn.Down, "status.down.peer_disabled", "status.next.rows"},
		{"silent", func(n *star) { n.silent["gw-fengshan"] = errors.New("no route") }, vpn.Unknown, "status.unknown.unread", "status.next.unread"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newStar(2)
				w := n.open(t)
				tt.spoil(n)
				n.poll(time.Now().Add(-time.Minute))
				r := w.must(w.say("U0VERA", "status hq-fengshan"))
				if got := r.Verdicts["hq-fengshan"]; got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				ids := said(r)
				if ids[0] != tt.reason {
					t.Errorf("got %v, want the reason %s first", ids, tt.reason)
				}
				if tt.next != "" && !slices.Contains(ids, tt.next) {
					t.Errorf("got %v, want the next step %s", ids, tt.next)
				}
				w.must(w.say("U0VERA", "status"))
				w.must(w.say("U0VERA", "sa hq-fengshan"))
			})
		})
	}
}

// freeze keeps the counters of SAs from an address ("" for all) as they are.
func (n *star) freeze(router, source string) {
	n.spoil[router] = func(menus map[string][]schema.Row) {
		for _, row := range menus["/ip/ipsec/installed-sa"] {
			if source == "" || row["src-address"] == source {
				row["current-packets"] = "7"
			}
		}
	}
}

// Ensure half the picture is shown when one router is silent, and the other's
// rows are there.
func TestStatus_Half(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newStar(2)
		w := n.open(t)
		n.poll(time.Now().Add(-time.Minute))
		n.silent["gw-fengshan"] = errors.New("no route")
		r := w.must(w.say("U0VERA", "status fengshan"))
		i := slices.IndexFunc(r.Parts, func(p Part) bool { return p.Table != nil })
		if i < 0 {
			t.Fatal("got no table")
		}
		for _, row := range r.Parts[i].Table.Rows {
			if row[1].ID == "common.unknown" || row[2].ID != "common.unknown" {
				t.Errorf("got %+v, want the hub known and fengshan unknown", row)
			}
		}
		if ids := said(r); !slices.Contains(ids, "estate.silent") || !slices.Contains(ids, "status.note.half") {
			t.Errorf("got %v, want to be told who is silent and what the other says", ids)
		}
		say := func(t change.Text) string { return w.catalog.Say(text.English, t, style()) }
		if got := Plain(r, say); !strings.Contains(got, "fengshan unknown") {
			t.Errorf("got %q, want the sessions unknown", got)
		}
	})
}

// Ensure a large estate stays short: trouble first, the rest counted.
func TestStatus_Large(t *testing.T) {
	n := newStar(201)
	for _, k := range []int{50, 100, 150} {
		n.silent["gw-"+siteName(k)] = errors.New("no route")
	}
	n.set("gw-"+siteName(7), "/ip/ipsec/policy", "disabled", "true")
	n.poll(time.Now().Add(-70 * time.Second))
	n.poll(time.Now().Add(-10 * time.Second))
	w := n.open(t)
	r := w.must(w.say("U0VERA", "status"))
	i := slices.IndexFunc(r.Parts, func(p Part) bool { return p.Table != nil })
	rows := r.Parts[i].Table.Rows
	if len(rows) != maxTunnels || len(r.Verdicts) != 200 {
		t.Fatalf("got %d lines of %d tunnels, want %d of 200", len(rows), len(r.Verdicts), maxTunnels)
	}
	for k, want := range []string{"hq-site07", "hq-site100", "hq-site150", "hq-site50"} {
		if got := cellText(rows[k][1]); got != want {
			t.Errorf("got %s on line %d, want %s", got, k, want)
		}
	}
	for _, lang := range []string{text.English, text.Chinese} {
		plain := Plain(r, func(t change.Text) string { return w.catalog.Say(lang, t, style()) })
		if len(plain) > 12000 {
			t.Errorf("got %d bytes in %s", len(plain), lang)
		}
		if !strings.Contains(plain, "160") || !strings.Contains(plain, "196") {
			t.Errorf("want the rest counted, got\n%s", plain)
		}
	}
	b, err := JSON(r, func(t change.Text) string { return w.catalog.Say(text.English, t, style()) })
	var doc struct{ Verdicts map[string]string }
	if err == nil {
		err = json.Unmarshal(b, &doc)
	}
	if err != nil || doc.Verdicts["hq-site07"] != "DOWN" || doc.Verdicts["hq-site50"] != "UNKNOWN" {
		t.Errorf("got %v, %v, want the verdicts for programs", doc, err)
	}
}

// Ensure an estate without tunnels, and a site without, are no error.
func TestStatus_None(t *testing.T) {
	n := newStar(1)
	w := n.open(t)
	if r := w.must(w.say("U0VERA", "status")); said(r)[0] != "status.none" {
		t.Errorf("got %v", said(r))
	}
	if r := w.must(w.say("U0VERA", "status hq")); said(r)[0] != "status.site.none" {
		t.Errorf("got %v", said(r))
	}
	if r := w.must(w.say("U0VERA", "sa hq")); said(r)[0] != "status.site.none" {
		t.Errorf("got %v", said(r))
	}
}

// Ensure a hub's SAs are not all poured out: one must be named.
func TestSA_Which(t *testing.T) {
	n := newStar(6)
	n.poll(time.Now().Add(-time.Minute))
	w := n.open(t)
	if _, err := w.say("U0VERA", "sa hq"); why(err) != "sa.which" {
		t.Errorf("got %v, want to be asked", err)
	}
}

// Ensure an SA stands once with both ends' counters, and one that an end lacks
// says so.
func TestSA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newStar(2)
		w := n.open(t)
		n.poll(time.Now().Add(-time.Minute))
		table := func(r Reply) *Table {
			for _, p := range r.Parts {
				if p.Table != nil && p.Table.Layout == "" {
					return p.Table
				}
			}
			t.Fatal("got no table of SAs")
			return nil
		}
		got := table(w.must(w.say("U0VERA", "sa 鳳山")))
		if len(got.Rows) != 2 || len(got.Head) != 3 {
			t.Fatalf("got %d rows of %d columns, want 2 of 3", len(got.Rows), len(got.Head))
		}
		n.spoil["gw-fengshan"] = func(menus map[string][]schema.Row) {
			menus["/ip/ipsec/installed-sa"][0]["spi"] = "0xBAD"
			menus["/ip/ipsec/installed-sa"][0]["auth-algorithm"] = "sha1"
		}
		got = table(w.must(w.say("U0VERA", "sa fengshan")))
		unknown := 0
		for _, row := range got.Rows {
			if spi := row[0].Args["spi"].Text; spi != nil && spi.ID == "sa.spi.unknown" {
				unknown++
			}
		}
		if len(got.Rows) != 3 || unknown != 2 || len(got.Head) != 4 {
			t.Errorf("got %d rows of %d columns, %d unknown, want 3 of 4, 2 unknown", len(got.Rows), len(got.Head), unknown)
		}
	})
}

// Ensure status and sa read well in both languages.
func TestGolden_Status(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newStar(5)
		w := n.open(t)
		n.freeze("gw-taichung", wanOf(0))
		n.silent["gw-site03"] = errors.New("no route")
		n.spoil["gw-site04"] = func(menus map[string][]schema.Row) {
			menus["/ip/ipsec/peer"][0]["disabled"] = "true"
			menus["/ip/ipsec/policy"][0]["ph2-state"] = "no-phase2"
			menus["/ip/ipsec/active-peers"], menus["/ip/ipsec/installed-sa"] = []schema.Row{}, []schema.Row{}
		}
		n.poll(time.Now().Add(-75 * time.Second))
		n.poll(time.Now().Add(-15 * time.Second))
		var f film
		for _, line := range []string{
			"status", "status fengshan", "status hq-taichung", "status site03", "status hq-site04", "status hq",
			"sa fengshan", "sa hq-site03", "sa hq-site04", "help status",
		} {
			f.add("/vpn "+line, w.must(w.say("U0OLGA", line)))
		}
		n.polled = map[string][]vpn.Half{}
		f.add("/vpn status fengshan, nothing polled", w.must(w.say("U0OLGA", "status fengshan")))
		w.golden("status", f.names, f.replies...)
	})
}
