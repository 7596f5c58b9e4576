package slacksim_test

import (
	"context"
	"io"
	"log"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// Ensure an SDK lives through a day of refreshes in a bubble, where it closes
// before it reopens: commands between refreshes all arrive.
func TestBubble_SDKForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := options()
		opts.ConnectionLife = time.Hour
		r := newRig(t, newSim(t, opts))
		api := slack.New(botToken, slack.OptionAppLevelToken(appToken), slack.OptionAPIURL("http://slack.test/api/"), slack.OptionHTTPClient(r.http))
		sm := socketmode.New(api, socketmode.OptionLog(log.New(io.Discard, "", 0)), socketmode.OptionDialer(&websocket.Dialer{NetDialContext: r.pipe.dial}))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = sm.RunContext(ctx) }()
		heard := 0
		go func() {
			for {
				select {
				case e := <-sm.Events:
					if e.Type == socketmode.EventTypeSlashCommand {
						heard++
						_ = sm.Ack(*e.Request)
					}
				case <-ctx.Done():
					return
				}
			}
		}()
		if err := r.s.Wait(ctx, func() bool { return r.s.Connections() == 1 }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Minute) // away from the refreshes
		for range 96 {
			if err := r.s.Command(ctx, "UOP", "COPS", "/vpn help"); err != nil {
				t.Error(err)
			}
			time.Sleep(15 * time.Minute)
		}
		cancel()
		<-ended
		if heard != 96 || r.s.Opened() < 24 {
			t.Errorf("heard %d commands over %d connections, want 96 over 24 or more", heard, r.s.Opened())
		}
	})
}
