package rossim_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-routeros/routeros/v3"

	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// guard puts the old rows of a tunnel back unless its policy is established.
const guard = `:if ([:len [/ip/ipsec/policy find where src-address=%s and dst-address=%s and ph2-state="established" and !disabled and !template]] = 0) do={
  :if (([:len [/ip/ipsec/peer find where name="s2s" and disabled]] > 0) or ([:len [/ip/ipsec/policy find where peer!="s2s" and src-address=%[1]s]] > 0)) do={
    :log warning "guard: old rows come back"
    :do { /ip/ipsec/peer disable [/ip/ipsec/peer find where name="s2s-2" and !disabled] } on-error={ :log error "guard: step 4" }
    :do { /ip/ipsec/policy set [find where src-address=%[1]s and dst-address=%[2]s and !template] peer="s2s" proposal="s2s" } on-error={ :log error "guard: step 3" }
    :do { /ip/ipsec/peer enable [/ip/ipsec/peer find where name="s2s" and disabled] } on-error={ :log error "guard: step 2" }
  }
}`

// cutOver moves the tunnel to the new peer, or stops before it has begun.
const cutOver = `:delay 2s
:if ([:len [/ip/ipsec/peer find where name="s2s" and !disabled]] != 1) do={ :error "no old peer" }
:if ([:len [/ip/ipsec/policy find where peer="s2s" and !template]] != 1) do={ :error "no policy" }
/ip/ipsec/peer disable [find where name="s2s"]
:foreach p in=[/ip/ipsec/active-peers find where remote-address=%s] do={ /ip/ipsec/active-peers remove $p }
/ip/ipsec/policy set [find where peer="s2s" and !template] peer="s2s-2"
/ip/ipsec/peer enable [find where name="s2s-2"]
:log info "cut over"`

// stage adds the new rows of one end and its guard.
func (e *estate) stage(r *rossim.Router, remote, lan, remoteLAN, key string) {
	e.Helper()
	for _, add := range []struct {
		path string
		row  schema.Row
	}{
		{"/ip/ipsec/peer", schema.Row{"name": "s2s-2", "address": remote + "/32", "profile": "s2s", "exchange-mode": "ike2", "disabled": "yes"}},
		{"/ip/ipsec/identity", schema.Row{"peer": "s2s-2", "secret": key}},
		{"/system/scheduler", schema.Row{
			"name": "guard", "start-time": "startup", "interval": "2m", "policy": "read,write", "on-event": fmt.Sprintf(guard, lan, remoteLAN),
		}},
	} {
		if _, err := r.Add(add.path, add.row); err != nil {
			e.Fatal(err)
		}
	}
}

// execute sends a script by a client library of others.
func (e *estate) execute(r *rossim.Router, src string) {
	e.Helper()
	p, nc := newPipe()
	var serving sync.WaitGroup
	serving.Go(func() { _ = r.Serve(p) }) // it complains that the listener goes first
	c, err := routeros.NewClient(nc)
	if err != nil {
		e.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			e.Error(err)
		}
		if err := p.Close(); err != nil {
			e.Error(err)
		}
		serving.Wait()
	}()
	if err := c.Login("admin", ""); err != nil {
		e.Fatal(err)
	}
	if reply := run(e.T, c, "/execute", "=script="+src); reply.Done.Map["ret"] == "" {
		e.Errorf("reply %v", reply)
	}
}

// peer returns the peer that the tunnel's policy names, with its state.
func peer(r *rossim.Router) string {
	for _, row := range r.Rows("/ip/ipsec/policy") {
		if row["tunnel"] == "true" {
			return row["peer"] + " " + row["ph2-state"]
		}
	}
	return ""
}

// Ensure guards leave a tunnel alone for as long as it is up, before and after
// it is cut over to new rows, and put the old rows of both ends back when it
// does not come up; also at an end that reboots meanwhile.
func TestGuard(t *testing.T) {
	for _, tt := range []struct {
		name, key string
		reboot    bool
		want      string
	}{
		{"up", "new-key", false, "s2s-2 established"},
		{"up, rebooted", "new-key", true, "s2s-2 established"},
		{"broken", "another-key", false, "s2s established"},
		{"broken, rebooted", "another-key", true, "s2s established"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEstate(t, "ike2")
				wait(10 * time.Second)
				e.stage(e.hq, fengWAN, "192.168.77.0/24", "192.168.88.0/24", "new-key")
				e.stage(e.feng, hqWAN, "192.168.88.0/24", "192.168.77.0/24", tt.key)
				wait(6 * time.Hour)
				for _, r := range []*rossim.Router{e.hq, e.feng} {
					if got := peer(r); got != "s2s established" || logged(r, "script,warning guard") {
						t.Errorf("%s before: %s", r.Name(), got)
					}
				}
				e.execute(e.feng, fmt.Sprintf(cutOver, hqWAN))
				e.execute(e.hq, fmt.Sprintf(cutOver, fengWAN))
				wait(30 * time.Second)
				for _, r := range []*rossim.Router{e.hq, e.feng} {
					if !logged(r, "script,info cut over") {
						t.Errorf("%s: not cut over: %v", r.Name(), r.Rows("/log"))
					}
				}
				if tt.reboot {
					e.feng.Reboot()
				}
				wait(10 * time.Minute)
				for _, r := range []*rossim.Router{e.hq, e.feng} {
					if got := peer(r); got != tt.want {
						t.Errorf("%s: %s, want %s", r.Name(), got, tt.want)
					}
					if back := logged(r, "script,warning guard: old rows come back"); back == (tt.key == "new-key") {
						t.Errorf("%s: guard acted = %v", r.Name(), back)
					}
					if logged(r, "script,error") {
						t.Errorf("%s: %v", r.Name(), r.Rows("/log"))
					}
				}
				e.established()
				wait(48 * time.Hour) // renewals and all
				if got := peer(e.hq); got != tt.want {
					t.Errorf("two days later: %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// Ensure a copy of the Internet made in the middle of cutting over ends as the
// original does, guards included.
func TestGuard_Copy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEstate(t, "ike2")
		wait(10 * time.Second)
		e.stage(e.hq, fengWAN, "192.168.77.0/24", "192.168.88.0/24", "new-key")
		e.stage(e.feng, hqWAN, "192.168.88.0/24", "192.168.77.0/24", "another-key")
		var copies []*rossim.Internet
		for _, r := range []*rossim.Router{e.hq, e.feng} {
			r.SetFaults(rossim.Faults{OnScriptWrite: func(int, rossim.When, string, schema.Action) { copies = append(copies, e.in.Clone()) }})
		}
		e.execute(e.feng, fmt.Sprintf(cutOver, hqWAN))
		wait(time.Second) // one after the other, as the hooks share the list
		e.execute(e.hq, fmt.Sprintf(cutOver, fengWAN))
		wait(20 * time.Second)
		if len(copies) != 12 { // disabling the peer has ended its phase 1
			t.Fatalf("%d copies", len(copies))
		}
		for _, in := range copies {
			t.Cleanup(func() {
				if err := in.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		e.hq.SetFaults(rossim.Faults{})
		e.feng.SetFaults(rossim.Faults{})
		wait(time.Hour)
		e.established()
		for i, in := range copies {
			c := &estate{T: t, in: in, hq: in.Router("hq"), feng: in.Router("fengshan")}
			if got, want := peer(c.hq)+", "+peer(c.feng), "s2s established, s2s established"; got != want {
				t.Errorf("copy %d: %s", i, got)
			}
			c.established()
		}
	})
}
