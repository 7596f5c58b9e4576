package chat

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/chat/slacksim"
	"vpnbot/commands/text"
	"vpnbot/store"
)

// BenchmarkAck measures, over loopback, how long a command waits for its
// acknowledgement at 200 a second: for a plain program on the same library that
// acknowledges and does nothing, for commands that only read, and for commands
// that stand on the disk before they are acknowledged.
func BenchmarkAck(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchAck(b, plainBot, "/vpn sites") })
	b.Run("reading", func(b *testing.B) { benchAck(b, ourBot, "/vpn sites") })
	b.Run("changing", func(b *testing.B) { benchAck(b, ourBot, "/vpn cancel 1") })
}

// benchAck runs bot against a workspace of its own. bot returns when ctx ends.
func benchAck(b *testing.B, bot func(context.Context, *testing.B, string) error, line string) {
	sim, err := slacksim.New(workspace())
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = sim.Serve(l) })
	ctx, cancel := context.WithCancel(b.Context())
	wg.Go(func() {
		if err := bot(ctx, b, "http://"+l.Addr().String()+"/api/"); err != nil {
			b.Error(err)
		}
	})
	if err := sim.Wait(ctx, func() bool { return sim.Connections() > 0 }); err != nil {
		b.Fatal(err)
	}
	took := typeAway(ctx, b, sim, line)
	cancel()
	_ = sim.Close()
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(0, "ns/op") // the pace is given, so it says nothing
}

// typeAway types b.N commands, and 400 at least, at 200 a second.
func typeAway(ctx context.Context, b *testing.B, sim *slacksim.Server, line string) []time.Duration {
	users := []string{"UOPS", "UZH", "UAPP", "UGUEST"}
	took := make([]time.Duration, max(b.N, 400))
	var wg sync.WaitGroup
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := range took {
		<-tick.C
		wg.Go(func() {
			began := time.Now()
			if err := sim.Command(ctx, users[i%len(users)], "CAPP", line); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(began)
		})
	}
	wg.Wait()
	return took
}

func plainBot(ctx context.Context, _ *testing.B, api string) error {
	client := socketmode.New(slack.New(botToken, slack.OptionAppLevelToken(appToken), slack.OptionAPIURL(api)),
		socketmode.OptionLog(log.New(io.Discard, "", 0)))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = client.RunContext(ctx) }()
	for {
		select {
		case e := <-client.Events:
			if e.Type == socketmode.EventTypeSlashCommand {
				_ = client.Ack(*e.Request)
			}
		case <-ended:
			return nil
		}
	}
}

func ourBot(ctx context.Context, b *testing.B, api string) error {
	s, err := store.Open(filepath.Join(b.TempDir(), "ledger.db"), store.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	catalog, err := text.New()
	if err != nil {
		return err
	}
	key, err := secret.NewKey(make([]byte, secret.KeySize))
	if err != nil {
		return err
	}
	c, err := New(Options{
		BotToken: secret.New(botToken), AppToken: secret.New(appToken), API: api, Ledger: s,
		Commands: &desk{ledger: s, reply: said("done")}, People: directory(), Catalog: catalog, Key: key,
		Channels: map[change.Channel]string{}, Location: time.UTC, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return c.Run(ctx)
}
