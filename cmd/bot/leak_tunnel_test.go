//go:build !nodemo

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// Ensure no key of a tunnel, old or new, comes out anywhere: it stands in the
// identities of the two routers, once on the wire to each as the value of an
// identity's secret, and sealed in the ledger until it is written. The old keys are
// those that somebody set up by hand, the new ones are read off the routers, and the
// bot is asked for nothing of this. What can go wrong with a tunnel's change does.
// At the end a key is put into each place, where the same search must find it.
func TestLeak_Tunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &tunnelLeak{leak: &leak{world: newWorld(t)}}
		l.dial = l.tap.around(l.wire.around(l.dial, l.routers))
		l.slack.Record(true)
		l.watch(nil)
		l.start(nil)
		time.Sleep(200 * time.Second)
		l.scheduled(t)
		l.plays(t)
		l.readings(t)
		l.stop()
		l.verdict(t)
		l.control(t)
	})
}

// tunnelLeak is a world with everything kept that comes out of the bot while a
// tunnel's keys change.
type tunnelLeak struct {
	*leak
	wire wiretap
	mu   sync.Mutex // guards keys
	keys hunt
	said bytes.Buffer // at the terminal
}

// watch plants every key that an identity has or gets, however short it stands
// there, and lets something else happen around writes too.
func (l *tunnelLeak) watch(also func(o *office, when rossim.When, menu string)) {
	l.t.Helper()
	for _, o := range l.routers {
		l.read(o)
		o.router.SetFaults(rossim.Faults{OnWrite: func(_ int, when rossim.When, menu string, _ schema.Action) {
			if menu == "/ip/ipsec/identity" {
				l.read(o)
			}
			if also != nil {
				also(o, when, menu)
			}
		}})
	}
}

func (l *tunnelLeak) read(o *office) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, row := range o.router.Rows("/ip/ipsec/identity") {
		if row["dynamic"] != "true" {
			l.keys.plant("key of "+strings.NewReplacer("to-hq", "the old peer", "to-fengshan", "the old peer").Replace(row["peer"]), row["secret"])
		}
	}
}

// known is how many different keys there have been.
func (l *tunnelLeak) known() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]bool{}
	for _, n := range l.keys {
		if n.form == "raw" {
			all[string(n.bytes)] = true
		}
	}
	return len(all)
}

// scheduled plays somebody who put a key into a script of their own long ago, which
// the router's log shows, and who writes it into the log all the while, so that it
// stands in the logs that are kept of each change: what the bot repeats must not.
func (l *tunnelLeak) scheduled(t *testing.T) {
	t.Helper()
	const theirs = "Zf7wQk2m9sXc4Lt8" // found in the router, and nowhere else
	l.secret.plant("key that somebody scheduled", theirs)
	if _, err := l.office("hq").router.Add("/system/scheduler", schema.Row{
		"name": "back-to-old-key", "disabled": "yes", "on-event": `/ip ipsec identity set 0 secret="` + theirs + `"`,
	}); err != nil {
		t.Fatal(err)
	}
	const chatter = "Hn3vYb8tRq6mJx5K"
	l.secret.plant("key that a script tells the log", chatter)
	if _, err := l.office("hq").router.Add("/system/scheduler", schema.Row{
		"name": "chatter", "interval": "1s", "on-event": `:log error "pre-shared key of hq-fengshan is ` + chatter + `"`,
	}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(asJSON(t, l.office("hq").router.Rows("/log")), []byte(theirs)) {
		t.Error("the router's log does not show the key: nothing can be hidden")
	}
}

// change plays one change of the tunnel to its end, and says how the card puts it.
func (l *tunnelLeak) change(t *testing.T, line, end string) {
	t.Helper()
	l.changeOf(t, line, "總公司↔鳳山", end)
}

func (l *tunnelLeak) changeOf(t *testing.T, line, form, end string) {
	t.Helper()
	p := newTunnelPeople(l.demo, line, patience)
	p.trusting, p.form, p.ends = true, form, append(p.ends, "已套用")
	if err := p.play(t.Context()); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if cards := p.cards(); !slices.Contains(cards, end) {
		t.Errorf("%s: the cards say %q, want %q", line, cards, end)
	}
	time.Sleep(10 * time.Second)
}

// plays are changes that go well, are refused by a router that repeats the key,
// lose an answer, are put back, need people, and are denied.
func (l *tunnelLeak) plays(t *testing.T) {
	t.Helper()
	const committed, reverted = "已確認生效", "已還原"
	l.change(t, "/vpn redo fengshan", committed)
	l.change(t, "/vpn rotate psk fengshan", committed)
	l.wire.refuse = true
	l.change(t, "/vpn rotate psk fengshan", reverted)
	l.keys.plant("key that a router refused", l.wire.refused)
	l.once(func(o *office, when rossim.When, menu string) bool { // the answer is lost
		if o.Name != "fengshan" || when != rossim.After || menu != "/ip/ipsec/identity" {
			return false
		}
		o.router.Drop()
		return true
	})
	l.change(t, "/vpn redo fengshan", committed)
	l.once(func(o *office, when rossim.When, menu string) bool { // a script cannot be run
		if o.Name != "fengshan" || when != rossim.Before || menu != "/execute" {
			return false
		}
		if err := o.router.Force("/system/device-mode", "", schema.Row{"flagged": "true"}); err != nil {
			t.Error(err)
		}
		time.AfterFunc(20*time.Second, func() {
			if err := o.router.Force("/system/device-mode", "", schema.Row{"flagged": "false"}); err != nil {
				t.Error(err)
			}
		})
		return true
	})
	l.change(t, "/vpn rotate psk fengshan", reverted)
	scripts := 0
	l.once(func(o *office, when rossim.When, menu string) bool { // a row is gone before the cut-over
		if o.Name != "hq" || when != rossim.Before || menu != "/execute" {
			return false
		}
		if scripts++; scripts < 2 {
			return false
		}
		for _, row := range o.router.Rows("/ip/ipsec/peer") {
			if strings.HasPrefix(row["name"], "hq-fengshan-") && row["disabled"] == "true" {
				if err := o.router.Remove("/ip/ipsec/peer", row[schema.ID]); err != nil {
					t.Error(err)
				}
			}
		}
		return true
	})
	l.change(t, "/vpn redo fengshan", "需人工處理")
	l.watch(nil)
	time.Sleep(5 * time.Minute)
	l.changeOf(t, "/vpn resolve 6 restore 有人動過設定", "兩台路由器都恢復舊設定", "已套用")
	l.change(t, "/vpn rekey fengshan", committed)
	l.deniedKey(t)
	if got := l.known(); got < 9 {
		t.Errorf("%d keys were seen, want those of two tunnels and of seven requests", got)
	}
}

// once has something happen around writes until it has happened.
func (l *tunnelLeak) once(do func(o *office, when rossim.When, menu string) bool) {
	l.t.Helper()
	var mu sync.Mutex // guards happened
	happened := false
	l.watch(func(o *office, when rossim.When, menu string) {
		mu.Lock()
		defer mu.Unlock()
		happened = happened || do(o, when, menu)
	})
}

// deniedKey plays an approver who says no: the key has seen no router, so it is
// taken out of its box here, which must be gone then.
func (l *tunnelLeak) deniedKey(t *testing.T) {
	t.Helper()
	l.say("U0OLIVE", "/vpn rotate psk fengshan --yes")
	var boxes []secret.Sealed
	l.until(t, "a request that waits", func() bool {
		waiting, err := l.sys.store.Requests(t.Context(), change.Filter{States: []change.State{change.Pending}})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range waiting {
			for _, ref := range r.Plan.SecretRefs() {
				box, err := l.sys.store.Sealed(t.Context(), ref)
				if err != nil {
					t.Fatal(err)
				}
				boxes = append(boxes, box)
			}
		}
		return len(waiting) > 0
	})
	for _, box := range boxes {
		key, err := l.sys.keys.sealing.Open(box)
		if err != nil {
			t.Fatal(err)
		}
		l.keys.plant("key of a denied request", key.Expose())
		if !bytes.Contains(l.ledger(t), inLedger(box)) {
			t.Error("the ledger does not hold the box: nothing can be found to be gone")
		}
	}
	l.boxes = boxes
	l.click(t, "U0ANN", "C0VPNOPS", "deny", "總公司↔鳳山")
	if err := l.slack.Submit(t.Context(), "U0ANN", l.view(t, "U0ANN", "鳳山").ID, nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Second)
}

// readings asks for everything that can be asked for, in Slack and at the terminal.
func (l *tunnelLeak) readings(t *testing.T) {
	t.Helper()
	lines := []string{
		"sa fengshan", "sa hq-fengshan", "status", "status fengshan", "status hq-taichung", "logs hq --since 1h", "logs fengshan --topic ipsec --since 1h",
		"requests", "locks", "audit", "audit --kind step.begin", "sites",
	}
	for n := range 9 {
		lines = append(lines, fmt.Sprintf("show %d", n+1), fmt.Sprintf("audit --request %d", n+1))
	}
	orders := []order{{Do: orderList, Limit: 10000}, {Do: orderTrail}, {Do: orderExport}, {Do: orderVerify}}
	for _, line := range lines {
		l.say("U0ANN", "/vpn "+line)
		orders = append(orders, order{Do: orderAsk, Line: line})
	}
	for _, o := range orders {
		for _, o.JSON = range []bool{false, true} {
			out := l.sys.perform(t.Context(), o)
			l.said.WriteString(out.Out + out.Err)
		}
	}
	if err := l.define(t.Context(), l.sys); err != nil {
		fmt.Fprintln(&l.said, err) // what is there already is refused
	}
}

// places are where a key could come out, but for the wire.
func (l *tunnelLeak) places(t *testing.T) map[string][]byte {
	t.Helper()
	places := map[string][]byte{"the log": []byte(l.log.String()), "the terminal": l.said.Bytes()}
	for _, u := range l.slack.People() {
		for _, c := range []string{"C0VPNOPS", "C0VPNAUDIT", "C0PARTNER", l.slack.Direct(u.ID)} {
			places["messages"] = append(places["messages"], asJSON(t, l.slack.Messages(u.ID, c))...)
		}
		places["modals"] = append(places["modals"], asJSON(t, l.slack.Views(u.ID))...)
		places["homes"] = append(places["homes"], asJSON(t, first(l.slack.HomeTab(u.ID)))...)
	}
	for _, r := range l.tap.requests(t) {
		places["calls of Slack"] = append(places["calls of Slack"], slices.Concat(asJSON(t, r.Header), []byte(r.URL.String()), r.body)...)
	}
	for _, c := range l.slack.Traffic() {
		places["Slack's traffic"] = append(places["Slack's traffic"], c.Body...)
	}
	menus := append(schema.Paths(), "/log", "/system/history", "/system/script", "/system/script/job")
	slices.Sort(menus)
	menus = slices.Compact(menus)
	for _, o := range l.routers {
		for _, menu := range menus {
			for _, row := range o.router.Rows(menu) {
				if menu == "/ip/ipsec/identity" {
					delete(row, "secret")
				}
				name := "a router's " + menu
				places[name] = append(places[name], asJSON(t, row)...)
			}
		}
	}
	err := filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "secrets": // the demo's own keys were made here
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		places["the file "+d.Name()], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return places
}

// found looks into every place, and returns what stands there by place.
func (l *tunnelLeak) found(t *testing.T, places map[string][]byte) (all map[string][]string, meant int) {
	t.Helper()
	all = map[string][]string{}
	for where, data := range places {
		if found := l.keys.in(data); len(found) > 0 {
			all[where] = found
		}
	}
	onWire, meant := l.wire.leaks(l.keys)
	if len(onWire) > 0 {
		all["the wire"] = onWire
	}
	return all, meant
}

// verdict is the search. Every place must hold something of the story, and the
// ledger's free pages nothing of a box that is of no more use.
func (l *tunnelLeak) verdict(t *testing.T) {
	t.Helper()
	places := l.places(t)
	all, meant := l.found(t, places)
	for where, found := range all {
		t.Errorf("%s: %s", where, found)
	}
	if meant != 11 {
		t.Errorf("%d keys went to the routers, want those of six changes to two each, but for one that was refused", meant)
	}
	for where, text := range map[string]string{
		"the log": "gw-fengshan", "the terminal": "hq-fengshan", "messages": "hq-fengshan", "calls of Slack": "fengshan", "Slack's traffic": "fengshan",
		"a router's /log": "pre-shared key of hq-fengshan is Hn3v", "a router's /system/history": "ipsec", "the file ledger.db": "hq-fengshan", "the file vpnbot.yaml": "gw-fengshan",
	} {
		if !bytes.Contains(places[where], []byte(text)) {
			t.Errorf("%s: holds nothing of the story, so this tests nothing", where)
		}
	}
	for _, where := range []string{"messages", "the terminal"} { // the script's lines are kept, and hidden
		if !bytes.Contains(places[where], []byte("路由器日誌")) && !bytes.Contains(places[where], []byte("gw-hq wrote down")) ||
			!bytes.Contains(places[where], []byte("script,error")) {
			t.Errorf("%s: holds no log of a change, so nothing is hidden there", where)
		}
	}
	theirs := l.secret.without("secret")
	for where, data := range places {
		if !strings.HasPrefix(where, "a router's") {
			theirs.check(t, where, data)
		}
	}
	l.start(nil)
	l.stop()
	after := l.ledger(t)
	for _, box := range l.boxes {
		if bytes.Contains(after, box.Box) || bytes.Contains(after, inLedger(box)) {
			t.Error("the ledger still holds the box of a destroyed key")
		}
	}
	if len(l.boxes) == 0 {
		t.Error("no key was sealed: nothing can be found to be gone")
	}
	l.keys.check(t, "the ledger, opened again", after)
}

// control puts a key where none must be, everywhere, and has it found.
func (l *tunnelLeak) control(t *testing.T) {
	t.Helper()
	key := l.wire.refused
	hq := l.office("hq").router
	_, err := hq.Add("/system/scheduler", schema.Row{"name": "leak", "disabled": "yes", "on-event": ":log info " + key})
	if err == nil {
		_, err = hq.Add("/system/script", schema.Row{"name": "leak", "source": ":put " + key})
	}
	if err == nil {
		_, err = l.slack.Say("U0OLIVE", "C0VPNOPS", "the key is "+key)
	}
	for _, name := range []string{"ledger.db", "core.4711"} {
		b, _ := os.ReadFile(filepath.Join(l.dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(l.dir, name), append(b, fmt.Sprintf("%x", key)...), 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&l.log, key)
	fmt.Fprintln(&l.said, key)
	body := "text=" + key
	l.tap.conns = append(l.tap.conns, bytes.NewBufferString(fmt.Sprintf("POST /api/chat.postMessage HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))
	l.wire.sent = append(l.wire.sent, uttered{"gw-hq", []string{"/execute", "=script=/ip/ipsec/identity set 0 secret=" + key}})
	l.wire.answered["gw-hq"] = append(l.wire.answered["gw-hq"], "\x05!data\x00=secret="+key...)
	all, _ := l.found(t, l.places(t))
	for _, where := range []string{
		"a router's /system/scheduler", "a router's /system/script", "a router's /log", "a router's /system/history", "messages", "the file ledger.db",
		"the file core.4711", "the log", "the terminal", "calls of Slack",
	} {
		if len(all[where]) == 0 {
			t.Errorf("%s: a key that was put there is not found", where)
		}
	}
	if got := len(all["the wire"]); got != 2 {
		t.Errorf("the wire: %d keys that were put there are found, want 2: %q", got, all["the wire"])
	}
}
