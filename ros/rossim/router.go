package rossim

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"
)

// Options says what router to play. The zero value is a router of the default
// profile called MikroTik.
type Options struct {
	Name    string        // /system/identity
	Profile string        // RouterOS version; ProfileDefault when empty
	Latency time.Duration // time between a command's arrival and its execution
	// PrintMasks says whether print hides secrets unless show-sensitive is
	// given: "yes", "no", or "auto" (the default), which is yes from 7.21.
	PrintMasks string
	Scripting  Scripting
	Tables     Tables
	Log        *slog.Logger
}

// Router is one simulated router. It is made by New or Clone and ends with
// Close. All methods may be called at any time from any goroutine.
type Router struct {
	opts Options
	prof *profile
	log  *slog.Logger

	mu       sync.Mutex // guards what follows; never held across I/O or a wait
	st       *state
	faults   Faults
	fired    map[FaultKind]int
	armed    []*counted // the strikes of faults
	jitters  *rand.Rand
	writes   int           // writes since New or Clone
	counts   int           // writes since SetFaults
	scripted int           // writes by scripts since SetFaults
	logins   int           // accepted logins
	failed   int           // refused logins
	change   chan struct{} // closed when faults change
	cert     *tls.Certificate
	conns    map[uint64]*conn
	lis      []net.Listener
	lastID   uint64
	closed   bool
	done     chan struct{}
	net      *Internet   // nil while not attached
	alarm    *time.Timer // rings when a schedule is due
	alarms   uint64      // alarms so far
	absent   []string    // menus that the API does not know

	wg sync.WaitGroup // every connection's goroutines and every Serve
}

// New makes a router in factory state.
func New(o Options) (*Router, error) {
	if o.Profile == "" {
		o.Profile = ProfileDefault
	}
	if !slices.Contains([]string{"", "auto", "yes", "no"}, o.PrintMasks) {
		return nil, fmt.Errorf("PrintMasks is %q: want auto, yes or no", o.PrintMasks)
	}
	if !slices.Contains([]string{"", "enabled", "added", "boot"}, o.Scripting.StartupFrom) {
		return nil, fmt.Errorf("StartupFrom is %q: want enabled, added or boot", o.Scripting.StartupFrom)
	}
	if err := o.Tables.validate(); err != nil {
		return nil, err
	}
	p, err := loadProfile(o.Profile)
	if err != nil {
		return nil, err
	}
	r := newRouter(o, p, newState(p, time.Now()))
	if o.Name != "" {
		r.st.setting("/system/identity")["name"] = o.Name
	}
	r.st.log("system,info", "router rebooted")
	return r, nil
}

func newRouter(o Options, p *profile, st *state) *Router {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Router{
		opts: o, prof: p, log: o.Log, st: st, change: make(chan struct{}), conns: make(map[uint64]*conn), done: make(chan struct{}),
		fired: make(map[FaultKind]int),
	}
	st.alarm, st.scripting, st.switches = r.arm, o.Scripting, o.Tables
	return r
}

// Clone returns a router with the same configuration, sessions, log and clock
// as this one has now, and the same future: schedules and running scripts go on
// at the copy. Listeners, API connections, faults and counters are not copied.
func (r *Router) Clone() *Router {
	c := r.copy()
	c.mu.Lock()
	c.st.effects = nil // they were for the Internet of the original
	c.mu.Unlock()
	c.resume()
	return c
}

// copy is Clone, with time standing still until resume.
func (r *Router) copy() *Router {
	r.mu.Lock()
	defer r.mu.Unlock()
	return newRouter(r.opts, r.prof, r.st.clone())
}

// resume lets the scripts of a copy go on and its schedules run.
func (r *Router) resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range slices.Clone(r.st.tasks) {
		r.begin(t)
	}
	r.arm()
}

// Name returns what /system/identity holds.
func (r *Router) Name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.st.setting("/system/identity")["name"]
}

// masks tells whether print hides secrets. Callers hold r.mu.
func (r *Router) masks() bool {
	if r.opts.PrintMasks == "yes" || r.opts.PrintMasks == "no" {
		return r.opts.PrintMasks == "yes"
	}
	return r.prof.since(7, 21)
}

// Reboot ends every session and connection, gives every row a new id and
// starts uptime again. Listeners stay.
func (r *Router) Reboot() {
	r.settle()
	r.mu.Lock()
	r.st.reboot()
	conns, in := r.takeConns(), r.net
	r.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
	if in != nil {
		in.rebooted(r)
	}
}

// Now returns the router's clock.
func (r *Router) Now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.st.now()
}

// SetClock sets the router's clock. Uptime does not follow it.
func (r *Router) SetClock(t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.moveClock(t)
}

// Logins returns how many API logins were accepted.
func (r *Router) Logins() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logins
}

// FailedLogins returns how many API logins were refused.
func (r *Router) FailedLogins() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// Writes returns how many write commands came over the API and were executed,
// refused ones and scripts that were sent included.
func (r *Router) Writes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes
}
