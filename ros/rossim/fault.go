package rossim

import (
	"crypto/tls"
	"time"

	"vpnbot/ros/schema"
)

// When says on which side of a write's execution a hook runs.
type When string

// The moments of a write.
const (
	Before When = "before" // the command has arrived, nothing is changed
	After  When = "after"  // executed, the client not yet told
)

// Faults is what goes wrong. It changes rows, reachability or connections, and
// never the answers of a router that works. The zero value is no fault. The
// writes in question are write commands over the API, /execute and
// /system/script/run among them (menu and action are told as "/execute" and
// "run", "/system/script" and "run"), counted from 1 since SetFaults; 0 means
// none.
type Faults struct {
	Latency    time.Duration // added to Options.Latency
	Refuse     bool          // connections are accepted and closed at once
	Hang       bool          // connections are accepted and nothing is answered, running ones included
	DropBefore int           // the connection dies before this write is executed
	DropAfter  int           // the connection dies after this write is executed, before the answer
	// RebootBefore and RebootAfter reboot the router in place of, or right
	// after, the execution of this write. The client gets no answer.
	RebootBefore int
	RebootAfter  int
	TrapAt       int    // this write is refused with Trap and not executed
	Trap         string // text of the refusal; "failure: std failure: timeout (13)" when empty
	// OnWrite is called around every write, without any lock held: it may call
	// every method of the Router, Clone among them. n counts as above.
	OnWrite func(n int, when When, menu string, action schema.Action)
	// OnScriptWrite is called around every write by a script, as OnWrite is around
	// those over the API, which these are not: none of the faults above strikes
	// them. A script that OnScriptWrite ends by a reboot goes no further.
	OnScriptWrite func(n int, when When, menu string, action schema.Action)
	// OnLogin is called for every login that is tried.
	OnLogin func(user string, accepted bool)
}

// SetFaults replaces all faults and starts the count of writes again.
func (r *Router) SetFaults(f Faults) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults, r.counts, r.scripted = f, 0, 0
	close(r.change)
	r.change = make(chan struct{})
}

// Fired returns how often a fault struck: connections refused, dropped or
// hung, traps and reboots.
func (r *Router) Fired() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fired
}

// SetCertificate makes new TLS connections see another certificate.
func (r *Router) SetCertificate(cert tls.Certificate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cert = &cert
}

// Drop closes every connection.
func (r *Router) Drop() {
	r.mu.Lock()
	conns := r.takeConns()
	r.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
}

func (r *Router) fault() (Faults, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults, r.change
}

func (r *Router) hit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fired++
}
