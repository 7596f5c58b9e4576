package chat

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/chat/slacksim"
	"vpnbot/commands"
	"vpnbot/commands/text"
	"vpnbot/store"
	"vpnbot/store/storetest"
)

// What no log, message or metadata may ever hold.
const (
	botToken = "xoxb-planted-bot-token"
	appToken = "xapp-planted-app-token"
	password = "PlantedPassword23456"
	psk      = "PlantedPreSharedKey2345678923456789234567892"
)

// pipes is a listener whose connections are net.Pipes, for synctest bubbles.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// asked is one call of the desk.
type asked struct {
	what, action, value, key string
	who                      commands.Caller
	cmd                      commands.Command
	fields                   map[string]string
}

// desk is Commands by hand: it notes what it is asked and answers with what a
// test gave it. What it is asked with a key it marks as done, as commands does.
type desk struct {
	ledger Ledger
	mu     sync.Mutex
	calls  []asked
	reply  commands.Reply
	err    error
	form   commands.Form
	notice func(change.Notice) (commands.Reply, error)
	slow   time.Duration
}

func (d *desk) Parse(line string) (commands.Command, error) { return commands.Parse(line) }

func (d *desk) note(ctx context.Context, a asked) (commands.Reply, error) {
	d.mu.Lock()
	d.calls = append(d.calls, a)
	reply, err, slow := d.reply, d.err, d.slow
	d.mu.Unlock()
	if slow > 0 {
		time.Sleep(slow)
	}
	if a.key != "" {
		if _, cerr := d.ledger.Commit(context.WithoutCancel(ctx), change.Move{Done: []string{a.key}}); cerr != nil {
			return reply, cerr
		}
	}
	return reply, err
}

func (d *desk) Run(ctx context.Context, who commands.Caller, cmd commands.Command, key string) (commands.Reply, error) {
	return d.note(ctx, asked{what: "run", who: who, cmd: cmd, key: key})
}

func (d *desk) Press(ctx context.Context, who commands.Caller, action, value, key string) (commands.Reply, error) {
	return d.note(ctx, asked{what: "press", who: who, action: action, value: value, key: key})
}

func (d *desk) Form(_ context.Context, who commands.Caller, action, value string) (commands.Form, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, asked{what: "form", who: who, action: action, value: value})
	return d.form, d.err
}

func (d *desk) Submit(ctx context.Context, who commands.Caller, action, value string, fields map[string]string, key string) (commands.Reply, error) {
	return d.note(ctx, asked{what: "submit", who: who, action: action, value: value, fields: fields, key: key})
}

func (d *desk) Notice(_ context.Context, n change.Notice) (commands.Reply, error) {
	if d.notice != nil {
		return d.notice(n)
	}
	return said(n.Key), nil
}

func (d *desk) Refuse(ctx context.Context, who commands.Caller, what string, why error, key string) error {
	d.mu.Lock()
	d.calls = append(d.calls, asked{what: "refuse", who: who, action: what, value: why.Error(), key: key})
	d.mu.Unlock()
	m := change.Move{}
	if key != "" {
		m.Done = []string{key}
		if _, err := d.ledger.Commit(ctx, m); err != nil {
			return err
		}
	}
	return why
}

func (d *desk) set(f func(*desk)) { d.mu.Lock(); defer d.mu.Unlock(); f(d) }

// asked returns the calls of one kind so far.
func (d *desk) asked(what string) []asked {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []asked
	for _, a := range d.calls {
		if a.what == what {
			out = append(out, a)
		}
	}
	return out
}

// said is a Reply of one paragraph.
func said(words string) commands.Reply {
	return commands.Reply{Parts: []commands.Part{commands.Say("", change.T("common.value", "value", words))}}
}

func buttons(bs ...commands.Button) commands.Part { return commands.Part{Buttons: bs} }

func button(action, value string) commands.Button {
	return commands.Button{Action: action, Value: value, Label: change.T("button." + action), Form: opensForm(action)}
}

// logs collects what is logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func (l *logs) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// rig is a workspace, a ledger and a bot between them, in one bubble.
type rig struct {
	t     *testing.T
	sim   *slacksim.Server
	pipe  *pipes
	store *store.Store
	desk  *desk
	logs  *logs
	key   secret.Key
	chat  *Chat
	stop  func()
	// ledger is what the bot sees; a test may put something in front of store.
	ledger Ledger
}

func workspace() slacksim.Options {
	return slacksim.Options{
		Team: slacksim.Team{ID: "T1", Name: "Home"}, BotToken: botToken, AppToken: appToken,
		Users: []slacksim.User{
			{ID: "UOPS", Handle: "olga", Locale: "en-US"},
			{ID: "UZH", Handle: "mei", Locale: "zh-TW"},
			{ID: "USTAFF", Handle: "staff", Locale: "en-US"},
			{ID: "UAPP", Handle: "anna", Locale: "en-US"},
			{ID: "UGUEST", Handle: "guest", Restricted: true},
			{ID: "UGONE", Handle: "gone", Deleted: true},
			{ID: "UALIEN", Handle: "alien", TeamID: "T9", TeamName: "Elsewhere"},
		},
		Channels: []slacksim.Channel{
			{ID: "CAPP", Name: "approvals", Members: []string{"UOPS", "UZH", "UAPP", "UGUEST", "UALIEN"}},
			{ID: "CAUD", Name: "audit"},
			{ID: "COUT", Name: "elsewhere", WithoutBot: true},
		},
		Commands: []slacksim.Command{{Name: "/vpn", Escape: true}},
		Limits:   map[string]int{"users.info": -1, "views.open": -1, "views.update": -1}, PostBurst: -1,
	}
}

func directory() commands.Directory {
	slackID := func(u string) []change.SlackID { return []change.SlackID{{Team: "T1", User: u}} }
	return commands.NewDirectory([]change.Person{
		{ID: "olga", Name: "Olga", Role: change.Operator, Slack: slackID("UOPS")},
		{ID: "mei", Name: "Mei", Role: change.Operator, Slack: slackID("UZH")},
		{ID: "anna", Name: "Anna", Role: change.Approver, Slack: slackID("UAPP")},
		{ID: "staff", Name: "Staff", Slack: slackID("USTAFF")},
		{ID: "desk", Name: "No Slack"},
	})
}

// bubble runs a test with a rig whose bot is connected twice.
func bubble(t *testing.T, o slacksim.Options, f func(*testing.T, *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, o)
		r.start()
		r.connected()
		f(t, r)
	})
}

// newRig serves a workspace and opens a ledger; call it inside a bubble. When
// the test ends, nothing planted may have leaked.
func newRig(t *testing.T, o slacksim.Options) *rig {
	t.Helper()
	sim, err := slacksim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	key, err := secret.NewKey(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, sim: sim, pipe: newPipes(), store: storetest.Open(t), logs: &logs{}, key: key}
	r.ledger, r.desk = r.store, &desk{ledger: r.store}
	r.sim.Record(true)
	ended := make(chan error, 1)
	listener := r.pipe
	go func() { ended <- sim.Serve(listener) }()
	t.Cleanup(func() {
		r.halt()
		if err := errors.Join(sim.Close(), <-ended); err != nil {
			t.Error(err)
		}
		r.leaks()
	})
	return r
}

// start starts a bot; it ends with halt.
func (r *rig) start() {
	r.t.Helper()
	catalog, err := text.New()
	if err != nil {
		r.t.Fatal(err)
	}
	r.chat, err = New(Options{
		BotToken: secret.New(botToken), AppToken: secret.New(appToken), API: "http://slack.test/api/", Dial: r.pipe.dial,
		Ledger: r.ledger, Commands: r.desk, People: directory(), Catalog: catalog, Key: r.key,
		Channels:         map[change.Channel]string{change.ChannelApprovals: "CAPP", change.ChannelAudit: "CAUD"},
		ChannelLanguages: map[change.Channel]string{change.ChannelAudit: text.Chinese},
		Location:         time.UTC, Log: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.chat.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}
}

func (r *rig) halt() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

// connected waits until both clients have their connections.
func (r *rig) connected() {
	r.t.Helper()
	r.until("two connections", func() bool { return r.sim.Connections() == 2 })
}

// until waits, in the bubble's time, for something to come true.
func (r *rig) until(what string, cond func() bool) {
	r.t.Helper()
	for range 6000 {
		synctest.Wait()
		if cond() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.t.Fatalf("waited in vain for %s; log:\n%s", what, r.logs)
}

// settle lets everything that was set off come to rest.
func (r *rig) settle() { time.Sleep(3 * time.Second); synctest.Wait() }

func (r *rig) command(user, channel, line string) {
	r.t.Helper()
	if err := r.sim.Command(r.t.Context(), user, channel, line); err != nil {
		r.t.Errorf("%s types %q: %v", user, line, err)
	}
	r.settle()
}

func (r *rig) click(user string, at slacksim.Ref, action string) {
	r.t.Helper()
	if err := r.sim.Click(r.t.Context(), user, at, action, ""); err != nil {
		r.t.Errorf("%s presses %s: %v", user, action, err)
	}
	r.settle()
}

func (r *rig) commit(m change.Move) change.Receipt {
	r.t.Helper()
	rc, err := r.store.Commit(r.t.Context(), m)
	if err != nil {
		r.t.Fatal(err)
	}
	return rc
}

// tell puts notices into the outbox, one commit each.
func (r *rig) tell(a change.Audience, kind change.NoticeKind, keys ...string) {
	r.t.Helper()
	for _, k := range keys {
		r.commit(change.Move{Notices: []change.Notice{{Key: k, Kind: kind, Audience: a}}})
	}
}

func (r *rig) approvals() change.Audience { return change.Audience{Channel: change.ChannelApprovals} }

// card posts a message with one button by the outbox and returns it.
func (r *rig) card(action, value string) slacksim.Message {
	r.t.Helper()
	r.desk.notice = func(change.Notice) (commands.Reply, error) {
		reply := said("card")
		reply.Parts = append(reply.Parts, buttons(button(action, value)))
		return reply, nil
	}
	r.tell(r.approvals(), change.NoticeCard, "card:"+value)
	var m slacksim.Message
	r.until("card", func() bool {
		all := r.sim.Messages("UAPP", "CAPP")
		if len(all) == 0 {
			return false
		}
		m = all[len(all)-1]
		return len(m.Actions()) > 0
	})
	return m
}

// seen is what a user reads in a channel, as plain text.
func (r *rig) seen(user, channel string) []string {
	var out []string
	for _, m := range r.sim.Messages(user, channel) {
		out = append(out, m.Plain())
	}
	return out
}

func (r *rig) inbox() int {
	r.t.Helper()
	left, err := r.store.Inbox(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return len(left)
}

// leaks fails when something planted stands in the log or in what was sent to
// Slack outside the owner's modal.
func (r *rig) leaks() {
	for _, planted := range []string{botToken, appToken, password, psk, "ticket="} {
		if strings.Contains(r.logs.String(), planted) {
			r.t.Errorf("the log holds %q", planted)
		}
	}
	for _, c := range r.sim.Traffic() {
		if c.Method != "views.update" && (strings.Contains(c.Body, password) || strings.Contains(c.Body, psk)) {
			r.t.Errorf("%s carried credentials", c.Method)
		}
	}
}
