package rossim

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/ros/schema"
)

// keeper calls what it agrees to by number, and notes what it is told.
type keeper struct {
	simple
	mu   sync.Mutex
	told []string
}

func (k *keeper) note(what string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = append(k.told, what)
}

func (k *keeper) heard() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.told)
}

func (k *keeper) Negotiate(ctx context.Context, a schema.Attempt) (schema.Outcome, error) {
	out, err := k.simple.Negotiate(ctx, a)
	if out.Phase1 != nil {
		out.Phase1.Ref = fmt.Sprint(k.asked)
		for i := range out.Phase2 {
			out.Phase2[i].Ref = fmt.Sprint(k.asked, "/", i)
		}
	}
	return out, err
}

func (k *keeper) Wrote(_ context.Context, p schema.Party) error {
	at := slices.IndexFunc(p.Rows["/ip/ipsec/peer"], func(r schema.Row) bool { return r["dynamic"] != "true" })
	if at >= 0 && p.Rows["/ip/ipsec/peer"][at]["disabled"] == "true" {
		k.note(fmt.Sprintf("%s: peer off, %d rules", p.Name, len(p.Rows["/ip/firewall/nat"])))
	}
	return nil
}

func (k *keeper) Lost(_ context.Context, router, ref string) error {
	k.note(router + " lost " + ref)
	return nil
}

// Ensure a negotiator that keeps SAs is told of rows and of each end that is lost,
// as it happens, and that a copy of the world does not disturb it.
func TestHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{}
		in, err := NewInternet(InternetOptions{Negotiator: k})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		}()
		hq, feng := site(t, "hq", hqWAN, "192.168.77"), site(t, "fengshan", fengWAN, "192.168.88")
		for _, r := range []*Router{hq, feng} {
			if err := in.Attach(r, Place{}); err != nil {
				t.Fatal(err)
			}
		}
		tunnel(t, hq, "feng", fengWAN, "192.168.77", "192.168.88", "psk")
		tunnel(t, feng, "hq", hqWAN, "192.168.88", "192.168.77", "psk")
		if err := hq.Load(map[string][]schema.Row{"/ip/firewall/nat": {{"chain": "srcnat", "action": "masquerade", "out-interface": "ether1"}}}); err != nil {
			t.Fatal(err)
		}
		after(5 * time.Second)
		copied := in.Clone()
		if err := copied.Router("hq").Set("/ip/ipsec/peer", "feng", schema.Row{"disabled": "yes"}); err != nil {
			t.Fatal(err)
		}
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
		if told := k.heard(); len(told) > 0 {
			t.Errorf("told before anything happened: %v", told)
		}
		if err := hq.Set("/ip/ipsec/policy", policy(hq)[".id"], schema.Row{"level": "unique", "src-address": "192.168.77.0/25"}); err != nil {
			t.Fatal(err)
		}
		if err := hq.Set("/ip/ipsec/peer", "feng", schema.Row{"disabled": "yes"}); err != nil {
			t.Fatal(err)
		}
		after(time.Second)
		want := []string{"hq lost 1/0", "fengshan lost 1/0", "hq lost 1", "hq: peer off, 1 rules"}
		if diff := cmp.Diff(want, k.heard()); diff != "" {
			t.Error(diff)
		}
		after(time.Hour) // dead peer detection ends the other end's
		if told := k.heard(); !slices.Contains(told, "fengshan lost 1") {
			t.Errorf("told %v", told)
		}
	})
}
