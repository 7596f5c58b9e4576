package watch

import (
	"context"
	"sync"
	"time"

	"vpnbot/change"
	"vpnbot/vpn"
)

// How routers are polled side by side. A router that failed or dawdled at its
// last poll waits for one of the places of its kind, so that routers that hang
// keep no place from those that answer.
const (
	promptPlaces = 8
	tardyPlaces  = 8
	tardyAfter   = 2 * time.Second
	pollLimit    = 30 * time.Second // of one poll, once it has a place
)

// poller reads every router once in each interval.
type poller struct {
	w             *Watch
	prompt, tardy chan struct{}
	routers       []*polled
}

// polled is one router as the poller sees it. While busy its fields belong to
// the goroutine that reads it.
type polled struct {
	name   string
	busy   chan struct{} // holds one token while a poll is under way
	tardy  bool
	silent bool
}

func newPoller(w *Watch) *poller {
	p := &poller{w: w, prompt: make(chan struct{}, promptPlaces), tardy: make(chan struct{}, tardyPlaces)}
	for _, name := range w.o.Routers.Routers() {
		p.routers = append(p.routers, &polled{name: name, busy: make(chan struct{}, 1)})
	}
	return p
}

// run polls until ctx ends, and waits for what it began.
func (p *poller) run(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	tick := time.NewTicker(p.w.o.Poll)
	defer tick.Stop()
	for {
		for _, r := range p.routers {
			select {
			case r.busy <- struct{}{}:
				under.Go(func() {
					p.poll(ctx, r)
					<-r.busy
				})
			default: // the last poll is not over: it counts for this interval too
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// poll reads one router and remembers what it says.
func (p *poller) poll(ctx context.Context, r *polled) {
	places := p.prompt
	if r.tardy {
		places = p.tardy
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-ctx.Done():
		return
	}
	limited, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	began := time.Now()
	snap, err := p.w.o.Routers.Poll(limited, r.name, vpn.StatusMenus()...)
	if ctx.Err() != nil {
		return
	}
	r.tardy = err != nil || time.Since(began) > tardyAfter
	p.report(r, err)
	if err != nil {
		snap = change.Snapshot{Router: r.name, At: began.UTC()}
	}
	p.w.samples.add(vpn.Half{Snapshot: snap, Err: err})
	select {
	case p.w.news <- struct{}{}:
	default:
	}
}

// report logs when a router falls silent and when it answers again, not every
// poll between.
func (p *poller) report(r *polled, err error) {
	switch {
	case err != nil && !r.silent:
		p.w.o.Log.Warn("router is silent", "router", r.name, "err", err)
	case err == nil && r.silent:
		p.w.o.Log.Info("router answers again", "router", r.name)
	}
	r.silent = err != nil
}
