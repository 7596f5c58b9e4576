package rossim

import (
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// When is a moment in the life of a command.
type When string

// The moments of a command, in their order. Hooks know Before and After alone.
const (
	Inside    When = "inside"    // its first word has arrived, the rest has not
	Before    When = "before"    // it has arrived, nothing is changed
	After     When = "after"     // executed, the client not yet told
	Answering When = "answering" // of the answer's last sentence the first word is sent
	Answered  When = "answered"  // the whole answer is sent
)

// Class says which events a Strike counts. The zero value is every sentence.
type Class string

// The classes. A write is a command that changes rows or runs a script, /execute
// and /system/script/run among them, a read one that answers rows or values.
const (
	Sentences   Class = ""
	Connections Class = "connections" // accepted ones; they know the moment Before alone
	Logins      Class = "logins"
	Reads       Class = "reads"
	Writes      Class = "writes"
)

// FaultKind names what goes wrong.
type FaultKind string

// The kinds of faults. Those of the first group leave the command where it is:
// what comes behind the moment does not happen.
const (
	FaultDrop     FaultKind = "drop"      // the connection is closed
	FaultReboot   FaultKind = "reboot"    // the router reboots
	FaultFatal    FaultKind = "fatal"     // !fatal with Text, then the connection is closed
	FaultHalfOpen FaultKind = "half-open" // both sides lose each other: what the client sends is swallowed
	FaultGarbage  FaultKind = "garbage"   // Text, which is no sentence, and then nothing more
	FaultOversize FaultKind = "oversize"  // the length of a word of two gigabytes, and then nothing more
	FaultTrap     FaultKind = "trap"      // a refusal with Text; behind After one that lies

	// After these the command goes on.
	FaultHang          FaultKind = "hang"          // nothing happens until the faults are changed
	FaultDrip          FaultKind = "drip"          // the answer comes byte by byte, one every By
	FaultInstant       FaultKind = "instant"       // answered without latency
	FaultCertificate   FaultKind = "certificate"   // new connections see Certificate
	FaultClock         FaultKind = "clock"         // the router's clock jumps by By
	FaultAdministrator FaultKind = "administrator" // somebody else changes the router: Do

	// FaultRefuse is a connection that Faults.Refuse closed. It is only counted.
	FaultRefuse FaultKind = "refuse"
)

// always is more sentences than any router sees.
const always = int(^uint(0) >> 1)

// Always is for Strike.Times: every sentence from the first one on.
const Always = always

// Strike is one thing that goes wrong at numbered sentences. Each strike counts
// for itself, from 1 since SetFaults, the sentences that Class, Menu and User
// tell, whatever connection they come on.
type Strike struct {
	Kind  FaultKind
	At    When  // Before when empty; FaultDrip and FaultInstant need none
	Class Class // which sentences count
	Menu  string
	User  string // of the login that the sentence came under
	Nth   int    // the first that it strikes; 1 when 0
	Times int    // how many it strikes; 1 when 0

	Text        string          // FaultTrap, FaultFatal, FaultGarbage; a usual one when empty
	By          time.Duration   // FaultDrip: between two bytes, one second when 0; FaultClock: how far
	Certificate tls.Certificate // FaultCertificate; the zero value is none at all
	Do          func(*Router)   // FaultAdministrator; called without any lock held
}

// Faults is what goes wrong. It changes rows, reachability or connections, and
// never the answers of a router that works. The zero value is no fault. What
// stands beside Strikes holds until the faults are changed.
type Faults struct {
	Latency time.Duration // added to Options.Latency
	Jitter  time.Duration // up to so much is added for each sentence besides
	Seed    uint64        // starts the row of jitters
	Refuse  bool          // connections are accepted and closed at once
	Hang    bool          // connections are accepted and nothing is answered, running ones included
	Strikes []Strike
	// OnWrite is called around every write command over the API that is executed,
	// without any lock held: it may call every method of the Router, Clone among
	// them. n counts from 1 since SetFaults. Of /execute and /system/script/run
	// menu and action are "/execute" and "run", "/system/script" and "run".
	OnWrite func(n int, when When, menu string, action schema.Action)
	// OnScriptWrite is called around every write by a script, as OnWrite is around
	// those over the API, which these are not: no Strike counts them. A script that
	// OnScriptWrite ends by a reboot goes no further.
	OnScriptWrite func(n int, when When, menu string, action schema.Action)
	// OnLogin is called for every login that is tried.
	OnLogin func(user string, accepted bool)
}

// AtWrite is one strike at the nth write.
func AtWrite(n int, kind FaultKind, at When) Faults {
	return Faults{Strikes: []Strike{{Kind: kind, At: at, Class: Writes, Nth: n}}}
}

// SetFaults replaces all faults and starts their counts again.
func (r *Router) SetFaults(f Faults) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults, r.counts, r.scripted = f, 0, 0
	r.armed, r.jitters = armed(f)
	close(r.change)
	r.change = make(chan struct{})
}

// Fired returns how often faults of these kinds struck since New or Clone, and
// without a kind how often any did.
func (r *Router) Fired(kinds ...FaultKind) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(kinds) == 0 {
		kinds = slices.Collect(maps.Keys(r.fired))
	}
	n := 0
	for _, k := range kinds {
		n += r.fired[k]
	}
	return n
}

// SetCertificate makes new TLS connections see another certificate.
func (r *Router) SetCertificate(cert tls.Certificate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cert = &cert
}

// SetAbsent makes the API answer as a router does that lacks the menus under
// these paths: its version is older, or a package is disabled. It replaces what
// was absent before.
func (r *Router) SetAbsent(paths ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.absent = slices.Clone(paths)
}

func (r *Router) lacks(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.absent, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
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

func (r *Router) hit(kind FaultKind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fired[kind]++
}
