package slacksim

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// maxAck is the size from which Slack drops an acknowledgement without a word.
const maxAck = 20 * 1024

// ticketLife is how long the URL of apps.connections.open may be used.
const ticketLife = 30 * time.Second

// socket is one Socket Mode connection.
type socket struct {
	s    *Server
	ws   *websocket.Conn
	base string
	out  chan []byte
	done chan struct{} // closed by shut
	once sync.Once

	leaving bool // no more envelopes; guarded by the server's lock

	mu      sync.Mutex
	pending map[string]chan json.RawMessage // by envelope ID
}

func connectionsOpen(s *Server, _ *state, c call) (answer, error) {
	ticket := rand.Text()
	s.hub.tickets[ticket] = c.now
	url := strings.Replace(c.base, "http", "ws", 1) + "/link/?ticket=" + ticket + "&app_id=" + s.opts.Bot.AppID
	return answer{"url": url}, nil
}

// link upgrades a request with an unused ticket to a connection and serves it.
func (s *Server) link(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ticket := r.URL.Query().Get("ticket")
	made, ok := s.hub.tickets[ticket]
	delete(s.hub.tickets, ticket)
	s.mu.Unlock()
	if !ok || time.Since(made) > ticketLife {
		http.Error(w, "ticket used or unknown", http.StatusForbidden)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	life := s.opts.ConnectionLife
	if r.URL.Query().Get("debug_reconnects") == "true" {
		life = 360 * time.Second
	}
	c := &socket{
		s: s, ws: ws, base: s.base(r),
		out: make(chan []byte, 64), done: make(chan struct{}),
		pending: map[string]chan json.RawMessage{},
	}
	c.serve(life)
}

// serve greets, writes and reads until the connection ends.
func (c *socket) serve(life time.Duration) {
	defer c.shut()
	reason, n := c.join()
	defer c.leave()
	if !c.s.busy.run(c.write) {
		return
	}
	if reason != "" {
		c.disconnect(reason)
	} else {
		c.hello(n, life)
		if life > 0 {
			c.s.busy.run(func() { c.age(life) })
		}
	}
	c.read()
}

// join adds the connection to the hub, or returns the reason not to.
func (c *socket) join() (reason string, n int) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.hub.disabled:
		reason = ReasonDisabled
	case len(s.hub.live()) >= maxSockets:
		reason = ReasonTooMany
	}
	c.leaving = reason != ""
	s.hub.socks = append(s.hub.socks, c)
	s.hub.opened++
	s.notify()
	if s.closed {
		c.shut()
	}
	return reason, len(s.hub.live())
}

func (c *socket) leave() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.hub.drop(c)
	c.s.notify()
}

func (c *socket) hello(n int, life time.Duration) {
	about := map[string]any{"host": "slacksim"}
	if life > 0 {
		about["approximate_connection_time"] = int(life.Seconds())
	}
	c.sendJSON(map[string]any{
		"type": "hello", "num_connections": n, "debug_info": about,
		"connection_info": map[string]any{"app_id": c.s.opts.Bot.AppID},
	})
}

// age refreshes the connection at the end of its life.
func (c *socket) age(life time.Duration) {
	warn := max(0, life-10*time.Second)
	if !c.sleep(warn) {
		return
	}
	c.disconnect(ReasonWarning)
	if c.sleep(life - warn) {
		c.disconnect(ReasonRefresh)
	}
}

// sleep waits, and reports false when the connection ended first.
func (c *socket) sleep(d time.Duration) bool {
	t := time.NewTimer(max(d, 1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.done:
		return false
	}
}

// disconnect announces the end of the connection.
func (c *socket) disconnect(reason string) {
	c.sendJSON(map[string]any{
		"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "slacksim"},
	})
	if reason == ReasonWarning {
		return
	}
	c.s.mu.Lock()
	c.leaving = true
	c.s.notify()
	c.s.mu.Unlock()
	c.s.busy.run(func() {
		if c.sleep(closeGrace) {
			c.shut()
		}
	})
}

// shut ends the connection at once.
func (c *socket) shut() {
	c.once.Do(func() {
		close(c.done)
		_ = c.ws.Close()
	})
}

func (c *socket) sendJSON(v any) {
	if frame, err := json.Marshal(v); err == nil {
		c.send(frame)
	}
}

// send queues a frame. A connection whose client stopped reading is cut.
func (c *socket) send(frame []byte) {
	select {
	case c.out <- frame:
	case <-c.done:
	default:
		c.shut()
	}
}

// write sends queued frames and pings.
func (c *socket) write() {
	defer c.shut()
	tick := time.NewTicker(c.s.opts.PingInterval)
	defer tick.Stop()
	for {
		var err error
		deadline := time.Now().Add(10 * time.Second)
		select {
		case frame := <-c.out:
			_ = c.ws.SetWriteDeadline(deadline)
			err = c.ws.WriteMessage(websocket.TextMessage, frame)
		case <-tick.C:
			err = c.ws.WriteControl(websocket.PingMessage, []byte("Ping from slacksim"), deadline)
		case <-c.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// read takes acknowledgements until the connection ends or no pong has come
// for six pings.
func (c *socket) read() {
	c.ws.SetReadLimit(1 << 20)
	patience := 6 * c.s.opts.PingInterval
	alive := func() { _ = c.ws.SetReadDeadline(time.Now().Add(patience)) }
	alive()
	c.ws.SetPongHandler(func(string) error { alive(); return nil })
	for {
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		alive()
		c.s.record(Call{Method: "ack", Body: string(frame)})
		c.ack(bytes.TrimSpace(frame))
	}
}

// ack hands an acknowledgement to whoever waits for it on this connection.
func (c *socket) ack(frame []byte) {
	var a struct {
		ID      string          `json:"envelope_id"`
		Payload json.RawMessage `json:"payload"`
	}
	if len(frame) >= maxAck || json.Unmarshal(frame, &a) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch, ok := c.pending[a.ID]; ok {
		delete(c.pending, a.ID)
		ch <- a.Payload // has room for one
	}
}

func (c *socket) expect(id string) <-chan json.RawMessage {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan json.RawMessage, 1)
	c.pending[id] = ch
	return ch
}

func (c *socket) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}
