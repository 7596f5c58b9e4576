package chat

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"vpnbot/change/secret"
	"vpnbot/chat/slacksim"
)

// Ensure no command is lost while Slack replaces connections: 4,000 commands at
// 200 a second, over several refreshes.
func TestSocket_Refresh(t *testing.T) {
	o := workspace()
	o.ConnectionLife = time.Minute
	bubble(t, o, func(t *testing.T, r *rig) {
		opened := r.sim.Opened()
		time.Sleep(25 * time.Second) // so that refreshes of both fall among the commands
		r.sim.Record(false)
		var lost atomic.Int64
		var wg sync.WaitGroup
		for range 4000 {
			wg.Go(func() {
				if err := r.sim.Command(t.Context(), "UOPS", "CAPP", "/vpn me"); err != nil {
					lost.Add(1)
				}
			})
			time.Sleep(20 * time.Millisecond)
		}
		wg.Wait()
		if n := lost.Load(); n != 0 {
			t.Errorf("%d of 4000 commands lost", n)
		}
		if n := r.sim.Opened() - opened; n < 2 {
			t.Errorf("%d connections opened meanwhile, want refreshes", n)
		}
		r.settle()
	})
}

// opens counts the calls that open connections.
func (r *rig) opens() int {
	n := 0
	for _, c := range r.sim.Traffic() {
		if c.Method == "apps.connections.open" {
			n++
		}
	}
	return n
}

// Ensure a Slack that ends every connection at once is not stormed, and that the
// bot is back soon after it is well.
func TestSocket_Brake(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		before := r.opens()
		r.sim.SetLinkDisabled(true)
		time.Sleep(time.Hour)
		if n := r.opens() - before; n > 150 || n < 10 {
			t.Errorf("%d connections asked for in an hour", n)
		}
		r.sim.SetLinkDisabled(false)
		began := time.Now()
		r.connected()
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("connected again after %s", took)
		}
	})
}

// Ensure both clients wait their turn, at least a second apart, and that a
// connection that lived takes the brake off.
func TestBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrake()
		began := time.Now()
		var times []time.Duration
		for _, short := range []bool{false, false, true, true, true, true, true, true, true, true, false, false} {
			if err := b.wait(t.Context(), short); err != nil {
				t.Fatal(err)
			}
			times = append(times, time.Since(began))
		}
		want := []time.Duration{0, 1, 2, 4, 8, 16, 32, 64, 124, 184, 244, 245}
		for i, w := range want {
			if times[i] != w*time.Second {
				t.Errorf("opening %d after %s, want %s", i, times[i], w*time.Second)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := b.wait(ctx, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a wait that was given up: %v", err)
		}
	})
}

// Ensure a cut connection is replaced and what follows arrives.
func TestSocket_Cut(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.sim.Cut()
		r.connected()
		r.desk.reply = said("still here")
		r.command("UOPS", "CAPP", "/vpn sites")
		if n := len(r.desk.asked("run")); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}

// raw is a Slack that sends frames as a test wants them.
func raw(t *testing.T, frames []string, acked chan<- string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/auth.test", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ok":true,"team_id":"T1","user_id":"UBOT"}`)
	})
	mux.HandleFunc("/api/apps.connections.open", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ok":true,"url":"ws://slack.test/link?ticket=planted"}`)
	})
	mux.HandleFunc("/link", func(w http.ResponseWriter, req *http.Request) {
		up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		ws, err := up.Upgrade(w, req, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = ws.Close() }()
		for _, f := range append([]string{`{"type":"hello","num_connections":1}`}, frames...) {
			if err := ws.WriteMessage(websocket.TextMessage, []byte(f)); err != nil {
				return
			}
		}
		for {
			_, b, err := ws.ReadMessage()
			if err != nil {
				return
			}
			acked <- string(b)
		}
	})
	return mux
}

// Ensure an envelope that nobody can parse is acknowledged, and that nothing of
// it is logged.
func TestSocket_Unparsable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, workspace())
		pipe := newPipes()
		acked := make(chan string, 64)
		server := &http.Server{Handler: raw(t, []string{
			`{"envelope_id":"E1","type":"slash_commands","payload":["` + password + `"],"accepts_response_payload":true}`,
			`{"envelope_id":"E2","type":"interactive","payload":"` + password + `"}`,
			`{"envelope_id":"E3","type":"` + password + `","payload":{}}`,
			`not JSON ` + password,
			`{"envelope_id":"E4","type":"interactive","payload":{"type":"shortcut","user":{"id":"UOPS","team_id":"T1"}}}`,
			`{"envelope_id":"E5","type":"interactive","payload":{"type":"block_actions","user":{"id":"UOPS","team_id":"T1"},"actions":[]}}`,
			`{"envelope_id":"E6","type":"interactive","payload":{"type":"view_submission","user":{"id":"UOPS","team_id":"T1"},"view":{"id":"V1","private_metadata":"junk"}}}`,
		}, acked)}
		go func() { _ = server.Serve(pipe) }()
		r.pipe = pipe
		r.start()
		want := map[string]bool{"E1": true, "E2": true, "E3": true, "E4": true, "E5": true, "E6": true}
		for len(want) > 0 {
			select {
			case b := <-acked:
				var a struct {
					ID string `json:"envelope_id"`
				}
				if err := json.Unmarshal([]byte(b), &a); err != nil {
					t.Error(err)
				}
				delete(want, a.ID)
			case <-time.After(5 * time.Second):
				t.Fatalf("never acknowledged: %v; log:\n%s", want, r.logs)
			}
		}
		r.halt()
		_ = server.Close()
	})
}

// Ensure tokens that Slack refuses end Run with a clear error that repeats none
// of them.
func TestRun_Auth(t *testing.T) {
	for name, bad := range map[string]func(*Options){
		"bot token": func(o *Options) { o.BotToken = secret.New("xoxb-wrong") },
		"app token": func(o *Options) { o.AppToken = secret.New("xapp-wrong") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, workspace())
				r.start()
				o := r.chat.o
				r.halt()
				bad(&o)
				c, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				if err := c.Run(ctx); !errors.Is(err, ErrAuth) || strings.Contains(err.Error(), "wrong") {
					t.Errorf("Run: %v, want ErrAuth", err)
				}
			})
		})
	}
}

// Ensure a token of another workspace is refused.
func TestRun_Team(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, workspace())
		r.start()
		o := r.chat.o
		r.halt()
		o.Team = "T2"
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(t.Context()); !errors.Is(err, ErrTeam) {
			t.Errorf("Run: %v, want ErrTeam", err)
		}
	})
}

// Ensure a day of refreshes, cuts and outages ends with both connections open
// and a bot that answers.
func TestSocket_Day(t *testing.T) {
	o := workspace()
	o.ConnectionLife = time.Hour
	bubble(t, o, func(t *testing.T, r *rig) {
		for hour := range 24 {
			switch hour % 4 {
			case 1:
				r.sim.Cut()
			case 2:
				r.sim.SetOutage(true)
				time.Sleep(7 * time.Minute)
				r.sim.SetOutage(false)
			case 3:
				r.sim.Disconnect(slacksim.ReasonRefresh)
			}
			time.Sleep(50 * time.Minute)
		}
		r.connected()
		r.command("UOPS", "CAPP", "/vpn sites")
		if n := len(r.desk.asked("run")); n != 1 {
			t.Errorf("%d runs after the day", n)
		}
		if n := r.opens(); n > 600 {
			t.Errorf("%d connections asked for in a day", n)
		}
	})
}
