package chat

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// How long Slack may take.
const (
	callTimeout   = 12 * time.Second // one call of the Web API, all of it
	headerTimeout = 10 * time.Second
	openTimeout   = 10 * time.Minute // with the brake's pause
)

// Opening connections: at most one a spacing, which doubles while connections do
// not live for shortLife.
const (
	spacingMin = time.Second
	spacingMax = time.Minute
	shortLife  = 30 * time.Second
)

// Sizes of the WebSocket. An acknowledgement must fit one write, since Slack
// drops fragmented ones.
const (
	writeBuffer = 32 << 10
	readLimit   = 4 << 20
)

func transport(dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial,
		TLSHandshakeTimeout:   headerTimeout,
		ResponseHeaderTimeout: headerTimeout,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     dial == nil,
	}
	if dial == nil {
		t.DialContext = (&net.Dialer{Timeout: headerTimeout}).DialContext
	} else {
		t.Proxy = nil
	}
	return t
}

func dialer(dial func(context.Context, string, string) (net.Conn, error)) *websocket.Dialer {
	d := &websocket.Dialer{
		NetDialContext:   dial,
		HandshakeTimeout: headerTimeout,
		WriteBufferSize:  writeBuffer,
		ReadBufferSize:   writeBuffer,
	}
	if dial == nil {
		d.Proxy = http.ProxyFromEnvironment
	}
	return d
}

// brake spaces the calls that open connections, for all clients of the process
// together. The Slack client has no pause of its own once a connection has
// succeeded.
type brake struct {
	turn chan struct{} // cap 1: held while waiting for one's turn
	// Below: guarded by turn.
	next    time.Time
	spacing time.Duration
}

func newBrake() *brake {
	return &brake{turn: make(chan struct{}, 1), spacing: spacingMin}
}

// wait returns when a connection may be opened. short tells that the one before
// did not live long.
func (b *brake) wait(ctx context.Context, short bool) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	b.spacing = min(2*b.spacing, spacingMax)
	if !short {
		b.spacing = spacingMin
	}
	if pause := time.Until(b.next); pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.next = time.Now().Add(b.spacing)
	return nil
}

// braked is the RoundTripper of one Socket Mode client. The client opens one
// connection after the other, so last needs no lock.
type braked struct {
	brake *brake
	base  http.RoundTripper
	last  time.Time // when the last opening was let through
}

// RoundTrip lets everything through but what opens a connection too early.
func (b *braked) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/apps.connections.open") {
		short := !b.last.IsZero() && time.Since(b.last) < shortLife
		if err := b.brake.wait(r.Context(), short); err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, fmt.Errorf("waiting to open a connection: %w", err)
		}
		b.last = time.Now()
	}
	return b.base.RoundTrip(r)
}
