package rossim

import (
	"context"
	"errors"
	"slices"
	"time"

	"vpnbot/ros/rossim/script"
	"vpnbot/ros/schema"
)

// Scripting are behaviours of scripts and schedules that no source proves. The
// zero value is what a router most likely does.
type Scripting struct {
	// ExecuteEndsWithSession ends a script that /execute began together with the
	// API session; otherwise it goes on.
	ExecuteEndsWithSession bool
	// StartupFrom says from when the intervals of a schedule with
	// start-time=startup count: from when it was added or "enabled" last (the
	// default), from when it was "added", or three seconds after the "boot". After
	// a boot all three count from there.
	StartupFrom string
	// JumpSkips makes a schedule that the clock jumps over miss its run;
	// otherwise it runs at once.
	JumpSkips bool
	// HistoryKeepsSecrets leaves secrets in clear in the columns redo and undo of
	// /system/history.
	HistoryKeepsSecrets bool
}

// jobMenu lists what runs.
const jobMenu = "/system/script/job"

// task is a script that runs. What the router answers is kept: a copy of the
// router runs the script once more, with the same answers, up to where it
// stands.
type task struct {
	src    string
	who    account
	row    uint64 // serial of its row in jobMenu
	via    string // what the log calls it when it fails; "" for a script that was sent
	conn   uint64 // the API session that it ends with, 0 for none
	told   []answer
	wake   time.Time          // until when it sleeps
	cancel context.CancelFunc // nil until it has begun
	ended  chan struct{}      // closed after its end
	err    error              // how it ended
}

// answer is what a script was told for one of its requests.
type answer struct {
	id   string
	rows []schema.Row
	err  error
}

// clone copies a task that has not begun yet on the copy.
func (t *task) clone() *task {
	c := *t
	c.told, c.cancel, c.ended = slices.Clip(t.told), nil, make(chan struct{})
	return &c
}

// enlist gives a task its row. It begins with start. Callers hold Router.mu.
func (s *state) enlist(t *task) *record {
	t.ended = make(chan struct{})
	row := schema.Row{"type": "command", "owner": t.who.name, "policy": grantedText(t.who.rights), "started": s.stamp()}
	if t.via != "" {
		row["script"] = t.via
	}
	rec := s.addDynamic(jobMenu, row, 0)
	t.row = rec.serial
	s.tasks = append(s.tasks, t)
	return rec
}

// end forgets a task and stops it if it runs. Callers hold Router.mu.
func (s *state) end(t *task) {
	if t.cancel != nil {
		t.cancel()
	}
	s.tasks = slices.DeleteFunc(slices.Clone(s.tasks), func(o *task) bool { return o == t })
	if rec := s.bySerial(jobMenu, t.row); rec != nil {
		s.delete(rec)
	}
}

// endTasks ends the tasks for which yes says so. Callers hold Router.mu.
func (s *state) endTasks(yes func(*task) bool) {
	for _, t := range slices.Clone(s.tasks) {
		if yes(t) {
			s.end(t)
		}
	}
}

// begin runs a task that is enlisted. Callers hold r.mu.
func (r *Router) begin(t *task) {
	if r.closed || t.cancel != nil || !slices.Contains(r.st.tasks, t) {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	r.wg.Go(func() {
		defer cancel()
		defer close(t.ended)
		r.perform(ctx, t)
	})
}

// perform runs a script to its end. One that was stopped leaves no word.
func (r *Router) perform(ctx context.Context, t *task) {
	err := script.Run(ctx, t.src, &machine{r: r, t: t, ctx: ctx})
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		t.err = errors.New("interrupted")
		return
	}
	t.err = err
	r.st.end(t)
	if err == nil {
		return
	}
	r.st.log("script,error", err.Error())
	if t.via != "" {
		r.st.log("script,error", failedText(t.via))
	}
}

// machine is the router as a script sees it.
type machine struct {
	r   *Router
	t   *task
	ctx context.Context // of this run
	at  int             // requests so far
}

// again returns the answer that the request was given before, if it was.
func (m *machine) again() (answer, bool) {
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	if m.at == len(m.t.told) {
		return answer{}, false
	}
	m.at++
	return m.t.told[m.at-1], true
}

// tell keeps an answer. Callers hold Router.mu.
func (m *machine) tell(a answer) answer {
	m.t.told = append(m.t.told, a)
	m.at++
	return a
}

// refuse answers a request that does nothing.
func (m *machine) refuse(err error) answer {
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	return m.tell(answer{err: err})
}

// allowed finds the menu and checks the rights.
func (m *machine) allowed(path, command string) (*menu, error) {
	found, ok := m.r.prof.menus[path]
	switch {
	case !ok && m.r.prof.prefixOf(path):
		return nil, errNoCommand(command)
	case !ok:
		return nil, errNoPrefix(m.r.prof.stranger(path))
	case !found.commands[command]:
		return nil, errNoCommand(command)
	}
	return found, m.t.who.allowed(found, command)
}

// Do writes with the rights of the script, as any administrator writes.
func (m *machine) Do(path, verb string, ids []string, values schema.Row) (string, error) {
	a, ok := m.again()
	if !ok {
		a = m.write(path, verb, ids, values)
	}
	return a.id, a.err
}

func (m *machine) write(path, verb string, ids []string, values schema.Row) answer {
	to, err := m.allowed(path, verb)
	if err != nil {
		return m.refuse(err)
	}
	ch, err := scripted(to, verb, ids, values)
	if err != nil {
		return m.refuse(err)
	}
	n, hook := m.r.countScripted()
	if hook != nil {
		hook(n, Before, path, schema.Action(verb))
	}
	a, gone := m.commit(ch)
	for _, g := range gone {
		g.close()
	}
	m.r.settle()
	if hook != nil && m.ctx.Err() == nil {
		hook(n, After, path, schema.Action(verb))
	}
	return a
}

// commit executes a write under the lock, unless the script has been stopped.
func (m *machine) commit(ch change) (answer, []*conn) {
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	if err := m.ctx.Err(); err != nil {
		return answer{err: err}, nil
	}
	ch.who = m.t.who
	id, done, err := m.r.st.apply(ch)
	a := m.tell(answer{id: id, err: err})
	m.r.st.tell(ch.who, done)
	return a, m.r.orphans(done)
}

// scripted sorts the arguments of a write as changeOf does for the wire.
func scripted(to *menu, verb string, ids []string, values schema.Row) (change, error) {
	k := call{}
	k.args, k.unset = split(values)
	if len(ids) > 0 {
		k.args[schema.ID] = joinList(ids)
	}
	return changeOf(k, to, verb)
}

// Rows reads a menu as far as the script may.
func (m *machine) Rows(path string) ([]schema.Row, error) {
	a, ok := m.again()
	if !ok {
		a = m.read(path)
	}
	return a.rows, a.err
}

func (m *machine) read(path string) answer {
	from, err := m.allowed(path, "print")
	if err != nil {
		return m.refuse(err)
	}
	m.r.settle()
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	rows, err := m.r.read(m.t.who, from, reading{sensitive: true})
	return m.tell(answer{rows: rows, err: err})
}

// Log writes a line into the log.
func (m *machine) Log(topics, message string) {
	if _, ok := m.again(); ok {
		return
	}
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	if m.ctx.Err() == nil {
		m.r.st.log(topics, message)
		m.tell(answer{})
	}
}

// Sleep waits for d, or on a copy for what is left of it.
func (m *machine) Sleep(ctx context.Context, d time.Duration) error {
	if _, ok := m.again(); ok {
		return nil
	}
	m.r.mu.Lock()
	if m.t.wake.IsZero() {
		m.t.wake = time.Now().Add(max(d, 0))
	}
	wake := m.t.wake
	m.r.mu.Unlock()
	timer := time.NewTimer(max(time.Until(wake), 1))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	m.t.wake = time.Time{}
	m.tell(answer{})
	return nil
}

// countScripted counts a write by a script and returns the hook for it.
func (r *Router) countScripted() (int, func(int, When, string, schema.Action)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scripted++
	return r.scripted, r.faults.OnScriptWrite
}
