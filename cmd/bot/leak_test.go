//go:build !nodemo

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
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
	"vpnbot/chat/slacksim"
	"vpnbot/ros/rossim"
)

// pasted is what somebody types where no password belongs.
const pasted = `Tr0ub4dor&3 "<é>`

// Ensure no secret comes out anywhere but in its owner's modal: not in what the
// bot logs, sends to Slack, answers at the terminal or keeps in its state
// directory, free pages of the ledger included, while all that can go wrong with
// a new account does. The searcher is tested by TestLeak_Searcher, and each place
// must hold the account's name, so that nothing empty is searched.
func TestLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &leak{world: newWorld(t), modals: map[string]bool{}}
		l.dial = l.tap.around(l.dial)
		l.slack.Record(true)
		l.start(nil)
		l.plantAll()
		l.refused(t)
		l.reverted(t)
		l.denied(t)
		l.applied(t)
		l.opened(t)
		l.troubled(t)
		terminal := l.terminal(t)
		l.searchPeople(t) // the owner's modal is still open
		time.Sleep(20 * time.Minute)
		if err := l.dialIn(change.Credentials{Site: "hq", Account: "mei-03"}); err != nil {
			t.Fatal(err)
		}
		l.proven(t, "mei-03")
		terminal = append(terminal, l.terminal(t)...)
		l.stop()
		l.searchPeople(t)
		l.searchRequests(t)
		l.searchAll(t, map[string][]byte{"log": []byte(l.log.String()), "terminal": terminal})
		l.searchState(t)
		l.searchWiped(t)
	})
}

// leak is a world with everything that comes out of the bot kept, and the
// secrets in it.
type leak struct {
	*world
	tap    tap
	secret hunt
	boxes  []secret.Sealed // of passwords that are of no more use
	modals map[string]bool // views that the owner had open
}

// plantAll looks up the secrets that exist from the start.
func (l *leak) plantAll() {
	l.t.Helper()
	l.secret.plant("what somebody pasted", pasted)
	files, err := os.ReadDir(filepath.Join(l.dir, "secrets"))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(l.dir, "secrets", f.Name()))
		if err != nil {
			l.t.Fatal(err)
		}
		text := strings.TrimSpace(string(b))
		l.secret.plant("secret "+f.Name(), text)
		if key, err := hex.DecodeString(text); err == nil {
			l.secret.plant("secret "+f.Name()+" as bytes", string(key))
		}
	}
	if len(files) != 14 {
		l.t.Errorf("the demo has %d secret files, want 14", len(files))
	}
	for _, o := range l.routers {
		for _, row := range o.router.Rows("/ppp/secret") {
			l.secret.plant("password of "+row["name"], row["password"])
		}
	}
}

// sealed plants the password of a request that waits, whose box will be of no
// more use, and returns it.
func (l *leak) sealed(account string) string {
	l.t.Helper()
	all, err := l.sys.store.Requests(l.t.Context(), change.Filter{})
	if err != nil {
		l.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(r change.Request) bool { return r.Plan.Reveal.Account == account })
	box, err := l.sys.store.Sealed(l.t.Context(), all[i].Plan.Reveal.Password)
	if err != nil {
		l.t.Fatal(err)
	}
	password, err := l.sys.keys.sealing.Open(box)
	if err != nil {
		l.t.Fatal(err)
	}
	if !bytes.Contains(l.ledger(l.t), inLedger(box)) {
		l.t.Error("the ledger does not hold the box: nothing can be found to be gone")
	}
	l.boxes = append(l.boxes, box)
	l.secret.plant("password of "+account, password.Expose())
	return password.Expose()
}

func (l *leak) say(user, line string) {
	l.t.Helper()
	before := len(l.slack.Messages(user, "C0VPNOPS"))
	if err := l.slack.Command(l.t.Context(), user, "C0VPNOPS", line); err != nil {
		l.t.Fatalf("%s: %v", line, err)
	}
	l.until(l.t, "an answer", func() bool { return len(l.slack.Messages(user, "C0VPNOPS")) > before })
}

// asked leads to a request that waits, with its password planted.
func (l *leak) asked(account string) (password string) {
	l.t.Helper()
	l.say("U0OLIVE", "/vpn adduser "+account+" --for @mei --site hq")
	l.click(l.t, "U0OLIVE", "C0VPNOPS", "submit", account)
	l.offered(l.t, "U0ANN", "C0VPNOPS", "approve", account)
	return l.sealed(account)
}

func (l *leak) approved(account string) {
	l.t.Helper()
	l.click(l.t, "U0ANN", "C0VPNOPS", "approve", account)
	if err := l.slack.Submit(l.t.Context(), "U0ANN", l.view(l.t, "U0ANN", account).ID, nil); err != nil {
		l.t.Fatal(err)
	}
}

// stands waits until the card of an account's request says how it stands.
func (l *leak) stands(account, state string) {
	l.t.Helper()
	l.until(l.t, account+" to be "+state, func() bool {
		return slices.ContainsFunc(l.slack.Messages("U0ANN", "C0VPNOPS"), func(m slacksim.Message) bool {
			return strings.Contains(m.Plain(), account) && strings.Contains(m.Plain(), state+" ·")
		})
	})
}

// refused plays people who paste a password into a command.
func (l *leak) refused(t *testing.T) {
	t.Helper()
	for _, line := range []string{
		pasted, pasted + " --for @mei", "help " + pasted, "adduser " + pasted + " --for @mei --site hq", "adduser x-01 --for " + pasted,
		"adduser x-01 --for @mei --site " + pasted, "adduser x-01 --for @mei --site hq " + pasted, "adduser x-01 --for @mei --password " + pasted,
		"adduser x-01 --for @mei --address " + pasted, "users " + pasted, "show " + pasted, "audit --kind " + pasted, "audit --since " + pasted,
		"lang " + pasted, "cancel " + pasted, "resolve 1 " + pasted,
	} {
		l.say("U0OLIVE", "/vpn "+line)
	}
}

// reverted plays a router that refuses the write and repeats the password.
func (l *leak) reverted(t *testing.T) {
	t.Helper()
	password := l.asked("mei-01")
	l.routers[0].router.SetFaults(rossim.Faults{Strikes: []rossim.Strike{{Kind: rossim.FaultTrap, Class: rossim.Writes, Text: `failure: "` + password + `" is a bad password`}}})
	l.approved("mei-01")
	l.stands("mei-01", "已還原")
	l.routers[0].router.SetFaults(rossim.Faults{})
}

// denied plays an approver who says no, after people who may not say anything.
func (l *leak) denied(t *testing.T) {
	t.Helper()
	l.asked("mei-02")
	for _, user := range []string{"U0OLIVE", "U0OLIVE2", "U0GUS", "U0MEI"} {
		l.click(t, user, "C0VPNOPS", "approve", "mei-02")
		l.until(t, "a refusal", func() bool { return len(l.slack.Views(user)) > 0 })
	}
	l.click(t, "U0BEN", "C0VPNOPS", "deny", "mei-02")
	if err := l.slack.Submit(t.Context(), "U0BEN", l.view(t, "U0BEN", "mei-02").ID, nil); err != nil {
		t.Fatal(err)
	}
	l.stands("mei-02", "已否決")
}

// applied plays a lost answer of the router, while Slack answers badly too.
func (l *leak) applied(t *testing.T) {
	t.Helper()
	l.asked("mei-03")
	l.routers[0].router.SetFaults(rossim.AtWrite(1, rossim.FaultDrop, rossim.After))
	for _, method := range []string{"chat.update", "chat.postMessage", "chat.postEphemeral"} {
		l.slack.FailNext(method, slacksim.Fault{Kind: slacksim.FaultUnknown})
		l.slack.FailNext(method, slacksim.Fault{Kind: slacksim.FaultHTTP})
		l.slack.FailNext(method, slacksim.Fault{Kind: slacksim.FaultRateLimited})
	}
	l.approved("mei-03")
	l.stands("mei-03", "已套用未驗證")
}

// opened plays the owner, whose modal fails in both ways before it shows the
// password, and others who would like to see it.
func (l *leak) opened(t *testing.T) {
	t.Helper()
	direct, password := l.slack.Direct("U0MEI"), l.password(t, "mei-03")
	m := l.offered(t, "U0MEI", direct, "reveal", "mei-03")
	i := slices.IndexFunc(m.Actions(), func(a string) bool { return strings.HasPrefix(a, "reveal") })
	for _, user := range []string{"U0ANN", "U0OLIVE", "U0GUS"} {
		if err := l.slack.Forge(t.Context(), user, "C0VPNOPS", m.Actions()[i], l.reveal(t).ID); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second) // their refusals are updates of modals too
	l.slack.FailNext("views.update", slacksim.Fault{Kind: slacksim.FaultCode, Code: "internal"})
	l.slack.FailNext("views.update", slacksim.Fault{Kind: slacksim.FaultUnknown})
	for n := range 3 {
		l.click(t, "U0MEI", direct, "reveal", "mei-03")
		l.until(t, "an opening", func() bool { return l.tap.sent("views.update", password) > n })
		time.Sleep(time.Second)
		for _, v := range l.slack.Views("U0MEI") {
			l.modals[v.ID] = true
		}
	}
	l.view(t, "U0MEI", password)
	if v := l.reveal(t); v.Counted() != 2 {
		t.Errorf("openings that count: got %d, want 2: %+v", v.Counted(), v.Openings)
	}
}

// troubled plays a router that is away, one whose certificate is another, and a
// Slack that is away.
func (l *leak) troubled(t *testing.T) {
	t.Helper()
	cert, _, err := rossim.Certificate("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	l.routers[1].router.SetFaults(rossim.Faults{Refuse: true})
	l.routers[1].router.Drop()
	l.say("U0OLIVE", "/vpn adduser mei-04 --for @mei --site fengshan")
	l.routers[1].router.SetFaults(rossim.Faults{})
	l.routers[1].router.SetCertificate(cert)
	l.say("U0OLIVE", "/vpn who")
	l.slack.SetOutage(true)
	time.Sleep(time.Minute)
	l.slack.SetOutage(false)
	l.until(t, "a connection", func() bool { return l.slack.Connections() > 0 })
}

// reveal returns the credentials that wait.
func (l *leak) reveal(t *testing.T) change.Reveal {
	t.Helper()
	all, err := l.sys.store.Reveals(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("credentials: %v, %v; want one", len(all), err)
	}
	return all[0]
}

// password is what the router has been told.
func (l *leak) password(t *testing.T, account string) string {
	t.Helper()
	for _, row := range l.routers[0].router.Rows("/ppp/secret") {
		if row["name"] == account {
			return row["password"]
		}
	}
	t.Fatalf("the router has no account %s", account)
	return ""
}

// terminal returns what every command of a terminal prints.
func (l *leak) terminal(t *testing.T) []byte {
	t.Helper()
	orders := []order{{Do: orderList, Limit: 1000}, {Do: orderTrail}, {Do: orderExport}, {Do: orderVerify}}
	for _, line := range []string{
		"help", "help adduser", "sites", "users", "who", "requests", "show 1", "show 2", "show 3", "show 4", "locks", "audit", "audit --kind refused",
		"frobnicate " + pasted, "users " + pasted,
	} {
		orders = append(orders, order{Do: orderAsk, Line: line})
	}
	var all bytes.Buffer
	for _, o := range orders {
		for _, o.JSON = range []bool{false, true} {
			out := l.sys.perform(t.Context(), o)
			all.WriteString(out.Out + out.Err)
		}
	}
	return all.Bytes()
}

// searchPeople looks at everything that anybody sees. The owner's modal may hold
// the account's password and the pre-shared key.
func (l *leak) searchPeople(t *testing.T) {
	t.Helper()
	channels := []string{"C0VPNOPS", "C0VPNAUDIT", "C0PARTNER"}
	for _, u := range l.slack.People() {
		l.secret.check(t, "home of "+u.Handle, asJSON(t, first(l.slack.HomeTab(u.ID))))
		views := l.secret
		if u.ID == "U0MEI" {
			views = l.secret.without("password of mei-03", "secret hq.psk")
		}
		views.check(t, "modals of "+u.Handle, asJSON(t, l.slack.Views(u.ID)))
		for _, c := range append(channels, l.slack.Direct(u.ID)) {
			seen := asJSON(t, l.slack.Messages(u.ID, c))
			l.secret.without("what somebody pasted").check(t, c+" as "+u.Handle+" sees it", seen)
			if u.ID == "U0OLIVE" && c == "C0VPNOPS" && !bytes.Contains(seen, []byte("mei-03")) {
				t.Error("the operator sees nothing: this tests nothing")
			}
		}
	}
}

func first[T any](v T, _ bool) T { return v }

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// searchRequests looks at every byte that the bot sent to Slack. A token may
// stand in the header and in the form's field for it, the credentials in an
// update of a modal that is their owner's.
func (l *leak) searchRequests(t *testing.T) {
	t.Helper()
	shown := 0
	credentials := l.secret.without("what somebody pasted", "secret slack", "secret sealing", "secret checkpoint", "secret gw", "secret fengshan")
	for _, r := range l.tap.requests(t) {
		where := "request " + r.URL.Path
		h := l.secret
		if strings.HasSuffix(r.URL.Path, "/views.update") && len(credentials.in(r.body)) > 0 {
			shown++
			h = l.secret.without("password of mei-03", "secret hq.psk")
			if id := viewOf(r.body); !l.modals[id] {
				t.Errorf("%s: credentials went to modal %q, which is not the owner's", where, id)
			}
		}
		auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if ok && auth != l.tokens.bot && auth != l.tokens.app {
			t.Errorf("%s: an odd token", where)
		}
		r.Header.Del("Authorization")
		h.check(t, where, append(asJSON(t, r.Header), l.withoutToken(r.body)...))
		h.check(t, where, []byte(r.URL.String()))
	}
	if shown != 3 {
		t.Errorf("the credentials went to Slack %d times, want 3", shown)
	}
	for _, c := range l.slack.Traffic() {
		if c.Method == "ack" {
			l.secret.check(t, "acknowledgement", []byte(c.Body))
		}
	}
}

// withoutToken takes the form's field for the token out of a body, once.
func (l *leak) withoutToken(body []byte) []byte {
	field := []byte("token=" + url.QueryEscape(l.tokens.bot))
	before, after, ok := bytes.Cut(body, append([]byte("&"), field...))
	if ok && (len(after) == 0 || after[0] == '&') {
		return append(bytes.Clone(before), after...)
	}
	return bytes.TrimPrefix(body, field)
}

// viewOf returns the view that a call names, as JSON or as a form.
func viewOf(body []byte) string {
	var call struct {
		ID string `json:"view_id"`
	}
	if json.Unmarshal(body, &call) == nil {
		return call.ID
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return ""
	}
	return form.Get("view_id")
}

func (l *leak) searchAll(t *testing.T, places map[string][]byte) {
	t.Helper()
	for where, data := range places {
		l.secret.check(t, where, data)
		if where == "terminal" && !bytes.Contains(data, []byte("mei-03")) || where == "log" && !bytes.Contains(data, []byte("gw-hq")) {
			t.Errorf("%s: holds nothing of the story, so this tests nothing", where)
		}
	}
}

// searchState looks at every file in the state directory but the secrets', the
// ledger with its free pages among them.
func (l *leak) searchState(t *testing.T) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "secrets":
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		files++
		b, err := os.ReadFile(path)
		l.secret.check(t, d.Name(), b)
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("state directory: %d files, %v", files, err)
	}
}

// searchWiped opens the ledger again, which wipes it, and looks for the boxes of
// destroyed passwords. Most were overwritten before, when their pages were used
// again; that the wiping finds the others is tested where it is done.
func (l *leak) searchWiped(t *testing.T) {
	t.Helper()
	l.start(nil)
	l.stop()
	after := l.ledger(t)
	for _, box := range l.boxes {
		if bytes.Contains(after, box.Box) || bytes.Contains(after, inLedger(box)) {
			t.Errorf("the ledger still holds the box of a destroyed password")
		}
	}
	if len(l.boxes) != 3 {
		t.Errorf("got %d boxes, want 3", len(l.boxes))
	}
	l.secret.check(t, "ledger, opened again", after)
}

// inLedger is how the ledger writes a box.
func inLedger(box secret.Sealed) []byte { return []byte(base64.StdEncoding.EncodeToString(box.Box)) }

func (l *leak) ledger(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(l.dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tap keeps every byte that goes into connections.
type tap struct {
	mu    sync.Mutex
	conns []*bytes.Buffer
}

type tapped struct {
	net.Conn
	tap  *tap
	sent *bytes.Buffer
}

func (c tapped) Write(p []byte) (int, error) {
	c.tap.mu.Lock()
	c.sent.Write(p)
	c.tap.mu.Unlock()
	return c.Conn.Write(p)
}

func (t *tap) around(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		b := &bytes.Buffer{}
		t.conns = append(t.conns, b)
		return tapped{conn, t, b}, nil
	}
}

// sent counts the calls of a method with text in them.
func (t *tap) sent(method, text string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, c := range t.conns {
		for part := range bytes.SplitSeq(c.Bytes(), []byte("POST ")) {
			if bytes.HasPrefix(part, []byte("/api/"+method)) && bytes.Contains(part, []byte(text)) {
				n++
			}
		}
	}
	return n
}

type request struct {
	*http.Request
	body []byte
}

// requests takes what was sent apart. What goes to routers is encrypted, and what
// goes through a WebSocket is recorded by the stand-in.
func (t *tap) requests(tt *testing.T) []request {
	tt.Helper()
	var all []request
	for _, c := range t.conns {
		if c.Len() == 0 || c.Bytes()[0] == 0x16 { // TLS
			continue
		}
		from := bufio.NewReader(bytes.NewReader(c.Bytes()))
		for {
			r, err := http.ReadRequest(from)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				tt.Fatalf("what was sent to Slack: %v", err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				break // cut by an outage
			}
			all = append(all, request{r, body})
			if r.Header.Get("Upgrade") != "" {
				break
			}
		}
	}
	if len(all) < 20 {
		tt.Errorf("only %d requests to Slack: this tests nothing", len(all))
	}
	return all
}
