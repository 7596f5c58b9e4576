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

// exclusion is why no daemon can judge a pair, empty when one can. Each reason is
// a row of the table in the package's documentation.
func exclusion(p pair) string {
	from, to := p.attempt.Initiator, p.attempt.Responder
	for _, end := range []schema.Party{from, to} {
		i := one(&end, "identity")
		if one(&end, "peer")["exchange-mode"] != "ike2" && (isName(i["my-id"]) || isName(i["remote-id"])) {
			return "names as IDs in IKEv1"
		}
	}
	return lab.Beyond(p.attempt)
}

func isName(id string) bool {
	kind, _, _ := strings.Cut(id, ":")
	return kind == "fqdn" || kind == "user-fqdn" || kind == "key-id"
}

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
	}
	return r
}

// Ensure that the model and two real daemons come to the same verdict, and to the
// same first stage that fails, for generated pairs of routers. VPNBOT_LAB is the
// number of pairs.
func TestMatrix(t *testing.T) {
	if only, err := strconv.ParseUint(os.Getenv("VPNBOT_LAB_PAIR"), 10, 64); err == nil {
		showPair(t, only)
		return
	}
	count, err := strconv.Atoi(os.Getenv("VPNBOT_LAB"))
	if err != nil || count < 1 {
		count = 12
	}
	start(t) // skips or fails where there is no lab
	var mu sync.Mutex
	var seed uint64
	next := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		seed++
		return seed, seed <= uint64(count)
	}
	results := make([]result, count)
	var labs sync.WaitGroup
	for range 2 {
		labs.Go(func() {
			l, err := lab.Start(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			for n, ok := next(); ok; n, ok = next() {
				p := generate(n)
				if p.excluded != "" {
					results[n-1] = result{pair: p}
					continue
				}
				results[n-1] = judge(t.Context(), l, p)
			}
		})
	}
	labs.Wait()
	for _, r := range results {
		r.check(t)
	}
	t.Log(histogram(results))
}

// check holds the two judgements against each other.
func (r result) check(t *testing.T) {
	switch {
	case r.excluded != "":
	case r.err != nil:
		t.Errorf("pair %d %v: %v", r.seed, r.mutated, r.err)
	case r.model.Verdict != r.daemons.Verdict || stage(r.model) != stage(r.daemons):
		t.Errorf("pair %d %v: the model says %s (%s), the daemons %s (%s)\n model   %+v\n daemons %+v", r.seed, r.mutated,
			r.model.Verdict, stage(r.model), r.daemons.Verdict, stage(r.daemons), r.model, r.daemons)
	}
}

// histogram counts pairs by what was mutated, by the first stage that fails, and
// by the reason for which they were excluded.
func histogram(results []result) string {
	mutated, failed, excluded := map[string]int{}, map[string]int{}, map[string]int{}
	var took time.Duration
	for _, r := range results {
		if r.excluded != "" {
			excluded[r.excluded]++
			continue
		}
		took += r.took
		failed[stage(r.daemons)]++
		for _, m := range r.mutated {
			mutated[m]++
		}
		if len(r.mutated) == 0 {
			mutated["nothing"]++
		}
	}
	var b strings.Builder
	table := func(title string, counts map[string]int) {
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "%6d  %s\n", counts[k], k)
		}
	}
	fmt.Fprintf(&b, "%d pairs, %s of negotiations", len(results), took.Round(time.Millisecond))
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
