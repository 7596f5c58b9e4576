package lab_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vpnbot/lab"
	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// stage is the first that failed.
func stage(o schema.Outcome) string {
	switch {
	case o.Verdict == schema.Agree:
		return "agree"
	case o.Verdict == schema.CannotTell:
		return "cannot tell"
	case len(o.Faults) == 0:
		return "no fault"
	}
	return string(o.Faults[0].Stage)
}

// result is what the model and the daemons say about one pair.
type result struct {
	pair
	model, daemons schema.Outcome
	err            error
	took           time.Duration
	pings          int // that crossed
}

// judge lets both judge a pair, and pings through what came up.
func judge(ctx context.Context, l *lab.Lab, p pair) result {
	r := result{pair: p}
	r.model, r.err = ike.Model{}.Negotiate(ctx, p.attempt)
	if r.err != nil {
		return r
	}
	began := time.Now()
	r.daemons, r.err = l.Negotiate(ctx, p.attempt)
	r.took = time.Since(began)
	if r.err != nil || r.daemons.Verdict != schema.Agree {
		return r
	}
	for _, up := range r.daemons.Phase2 {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		r.err = l.Ping(ctx, up.Source, up.Destination)
		cancel()
		if r.err != nil {
			return r
		}
		r.pings++
	}
	return r
}

// Ensure that the model and two real daemons come to the same verdict, and to the
// same first stage that fails, for generated pairs of routers. VPNBOT_LAB is the
// number of pairs, VPNBOT_LAB_FIRST the seed of the first, VPNBOT_LAB_PAIR the
// seed of a single one to see all about.
func TestMatrix(t *testing.T) {
	if only, err := strconv.ParseUint(os.Getenv("VPNBOT_LAB_PAIR"), 10, 64); err == nil {
		showPair(t, only)
		return
	}
	pairs := need(t)
	var mu sync.Mutex
	first, err := strconv.ParseUint(os.Getenv("VPNBOT_LAB_FIRST"), 10, 64)
	if err != nil {
		first = 1
	}
	seed := first
	next := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		seed++
		return seed - 1, seed <= first+uint64(pairs)
	}
	results := make([]result, pairs)
	var labs sync.WaitGroup
	for range 2 {
		labs.Go(func() {
			l, err := lab.Start(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}()
			for n, ok := next(); ok; n, ok = next() {
				p := generate(n)
				if p.excluded != "" {
					results[n-first] = result{pair: p}
					continue
				}
				results[n-first] = judge(t.Context(), l, p)
			}
		})
	}
	labs.Wait()
	for _, r := range results {
		r.check(t)
	}
	t.Log(histogram(results))
	if pairs >= 1000 {
		complete(t, results)
	}
}

// check holds the two judgements against each other: verdict, first stage that
// fails, and of what came up, whose rows it was.
func (r result) check(t *testing.T) {
	if r.excluded != "" {
		return
	}
	if r.err != nil {
		t.Errorf("pair %d %v: %v", r.seed, r.mutated, r.err)
		return
	}
	got, want := summary(r.model), summary(r.daemons)
	if got != want {
		t.Errorf("pair %d %v: the model says\n %s\nthe daemons\n %s\n model   %+v\n daemons %+v", r.seed, r.mutated, got, want, r.model, r.daemons)
	}
}

// summary is what model and daemons must have in common.
func summary(o schema.Outcome) string {
	s := string(o.Verdict) + " " + stage(o)
	if o.Verdict != schema.Agree {
		return s
	}
	s += fmt.Sprint(" ", o.Phase1.Exchange, o.Phase1.Peer, o.Phase1.Identity, o.Phase1.OwnIdentity)
	for _, p := range o.Phase2 {
		s += fmt.Sprint("\n  ", p.InitiatorPolicy, p.ResponderPolicy, p.Generated, p.Tunnel, p.Protocol, p.Source, p.Destination)
	}
	return s
}

// enough is how often each attribute and each stage must occur in a full run.
const enough = 20

// complete checks that a full run shows every attribute and stage often enough,
// and excludes few.
func complete(t *testing.T, results []result) {
	mutated, failed, excluded := count(results)
	for _, m := range mutations() {
		if mutated[m.attr] < enough {
			t.Errorf("%s was changed in %d pairs, want %d", m.attr, mutated[m.attr], enough)
		}
	}
	for _, s := range []schema.Stage{schema.StageReach, schema.StagePeer, schema.StagePhase1, schema.StageAuth, schema.StagePhase2, "agree"} {
		if failed[string(s)] < enough {
			t.Errorf("%d pairs come to %s, want %d", failed[string(s)], s, enough)
		}
	}
	out := 0
	for _, n := range excluded {
		out += n
	}
	if out*100 > len(results)*15 {
		t.Errorf("%d of %d pairs are excluded", out, len(results))
	}
}

// count counts pairs by what was mutated, by the first stage that fails, and by
// the reason for which they were excluded.
func count(results []result) (mutated, failed, excluded map[string]int) {
	mutated, failed, excluded = map[string]int{}, map[string]int{}, map[string]int{}
	for _, r := range results {
		if r.excluded != "" {
			excluded[r.excluded]++
			continue
		}
		failed[stage(r.daemons)]++
		for _, m := range r.mutated {
			mutated[m]++
		}
		if len(r.mutated) == 0 {
			mutated["nothing"]++
		}
	}
	return mutated, failed, excluded
}

// histogram writes what count counts.
func histogram(results []result) string {
	mutated, failed, excluded := count(results)
	var took time.Duration
	pings, silent := 0, 0
	for _, r := range results {
		took += r.took
		pings += r.pings
		if r.excluded == "" && lab.Silent(r.attempt) {
			silent++
		}
	}
	var b strings.Builder
	table := func(title string, counts map[string]int) {
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "%6d  %s\n", counts[k], k)
		}
	}
	fmt.Fprintf(&b, "%d pairs, %s of negotiations, %d pings through tunnels; in %d pairs the initiator sends nothing\n",
		len(results), took.Round(time.Millisecond), pings, silent)
	table("pairs by mutated attribute", mutated)
	table("pairs by first failing stage", failed)
	table("excluded pairs by reason", excluded)
	return b.String()
}

// showPair tells all about one pair.
func showPair(t *testing.T, seed uint64) {
	p := generate(seed)
	for _, end := range []schema.Party{p.attempt.Initiator, p.attempt.Responder} {
		t.Log(end.Name, end.Keys)
		for _, menu := range slices.Sorted(maps.Keys(end.Rows)) {
			for _, r := range end.Rows[menu] {
				t.Log(menu, r)
			}
		}
	}
	l := start(t)
	r := judge(t.Context(), l, p)
	t.Logf("mutated %v, excluded %q, error %v\nmodel   %+v\ndaemons %+v\n%s", p.mutated, p.excluded, r.err, r.model, r.daemons, strings.Join(lab.Logs(l), "\n"))
}
