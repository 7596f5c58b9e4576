package slacksim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"vpnbot/chat/slacksim"
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

// rig is a workspace and a plain client of it, over pipes.
type rig struct {
	t    *testing.T
	s    *slacksim.Server
	pipe *pipes
	http *http.Client
}

// newRig serves a workspace; call it inside a bubble.
func newRig(t *testing.T, s *slacksim.Server) *rig {
	t.Helper()
	r := &rig{t: t, s: s, pipe: newPipes()}
	r.http = &http.Client{Transport: &http.Transport{DialContext: r.pipe.dial}}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(r.pipe) }()
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

func newSim(t *testing.T, opts slacksim.Options) *slacksim.Server {
	t.Helper()
	s, err := slacksim.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type body = map[string]any

// call calls a Web API method with a JSON body.
func (r *rig) call(method string, args body) body {
	r.t.Helper()
	ans, _, err := r.try(method, args)
	if err != nil {
		r.t.Fatalf("%s: %v", method, err)
	}
	return ans
}

// code calls a method and returns its error code, empty when it succeeds.
func (r *rig) code(method string, args body) string {
	r.t.Helper()
	ans := r.call(method, args)
	s, _ := ans["error"].(string)
	if (s == "") != (ans["ok"] == true) {
		r.t.Fatalf("%s: ok and error disagree: %v", method, ans)
	}
	return s
}

func (r *rig) try(method string, args body) (body, *http.Response, error) {
	token := botToken
	if strings.HasPrefix(method, "apps.") {
		token = appToken
	}
	return r.post("http://slack.test/api/"+method, "Bearer "+token, args)
}

func (r *rig) post(url, auth string, args body) (body, *http.Response, error) {
	b, _ := json.Marshal(args)
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(string(b)))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	res, err := r.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, res, err
	}
	var ans body
	if json.Unmarshal(got, &ans) != nil {
		ans = body{"raw": string(got)}
	}
	return ans, res, nil
}

// wire is one bare Socket Mode connection, after its hello.
type wire struct {
	t     *testing.T
	ws    *websocket.Conn
	hello body
}

func (r *rig) open() string {
	r.t.Helper()
	ans := r.call("apps.connections.open", nil)
	u, _ := ans["url"].(string)
	if u == "" {
		r.t.Fatalf("apps.connections.open: got %v", ans)
	}
	return u
}

func (r *rig) dial(u string) (*websocket.Conn, error) {
	d := websocket.Dialer{NetDialContext: r.pipe.dial}
	ws, res, err := d.Dial(u, nil)
	if err != nil && res != nil {
		err = fmt.Errorf("%w: status %d", err, res.StatusCode)
	}
	return ws, err
}

func (r *rig) connect() *wire {
	r.t.Helper()
	ws, err := r.dial(r.open())
	if err != nil {
		r.t.Fatal(err)
	}
	w := &wire{t: r.t, ws: ws}
	r.t.Cleanup(func() { _ = ws.Close() })
	w.hello = w.read()
	return w
}

func (w *wire) read() body {
	w.t.Helper()
	var b body
	if err := w.ws.ReadJSON(&b); err != nil {
		w.t.Fatalf("reading a frame: %v", err)
	}
	return b
}

func (w *wire) ack(frame body, payload any) {
	w.t.Helper()
	ans := body{"envelope_id": frame["envelope_id"]}
	if payload != nil {
		ans["payload"] = payload
	}
	if err := w.ws.WriteJSON(ans); err != nil {
		w.t.Fatalf("acknowledging: %v", err)
	}
}

// answer acknowledges everything with what reply returns, until the end.
func (w *wire) answer(reply func(frame body) any) {
	go func() {
		for {
			var b body
			if w.ws.ReadJSON(&b) != nil {
				return
			}
			if b["envelope_id"] != nil {
				ans := body{"envelope_id": b["envelope_id"]}
				if p := reply(b); p != nil {
					ans["payload"] = p
				}
				_ = w.ws.WriteJSON(ans)
			}
		}
	}()
}

func payload(frame body) body { p, _ := frame["payload"].(map[string]any); return p }

func query(u string) url.Values { p, _ := url.Parse(u); return p.Query() }
