package rossim

import (
	"slices"

	"vpnbot/ros/schema"
)

// watcher collects the changes of one menu for one listen command. Router.mu
// guards pending.
type watcher struct {
	menu    *menu
	pending []event
	wake    chan struct{} // holds one token while there may be something pending
}

type event struct {
	rec  *record
	id   string
	dead bool
}

// changed tells the watchers of the record's menu.
func (s *state) changed(rec *record, dead bool) {
	for w := range s.watchers {
		if w.menu != rec.home && !(w.menu.path == "/interface" && rec.home.space == "/interface") {
			continue
		}
		w.pending = append(w.pending, event{rec, rec.id, dead})
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// follow is a command that runs beside others: listen, ping, a script that is
// waited for.
type follow struct {
	call  call
	stop  chan struct{}
	ended chan struct{}
	over  bool // it has answered its last by itself; to be read once it has ended
}

// beside runs a command in a goroutine of its own until it ends by itself, which
// is when run returns true, or is stopped.
func (c *conn) beside(k call, run func(f *follow) bool) {
	tag := tagOf(k)
	c.stop(tag)
	f := &follow{call: k, stop: make(chan struct{}), ended: make(chan struct{})}
	c.running[tag] = f
	c.r.wg.Go(func() {
		defer close(f.ended)
		f.over = run(f)
	})
}

// listen answers every change of the menu until the command is cancelled; with
// all set, the present rows first.
func (c *conn) listen(k call, m *menu, all bool) {
	if err := printable(m, k.args); err != nil {
		c.refuse(k, err)
		return
	}
	q := c.reading(k)
	w := &watcher{menu: m, wake: make(chan struct{}, 1)}
	r := c.r
	r.mu.Lock()
	var rows []schema.Row
	var err error
	if all {
		rows, err = r.read(c.who, m, q)
	}
	if err == nil {
		r.st.watchers[w] = true
	}
	r.mu.Unlock()
	if err != nil {
		c.refuse(k, err)
		return
	}
	who := c.who
	c.beside(k, func(f *follow) bool {
		c.send(sentences(k, rows, q.props)...)
		c.watch(w, f, who, q)
		return false
	})
}

func (c *conn) watch(w *watcher, f *follow, who account, q reading) {
	r := c.r
	defer func() {
		r.mu.Lock()
		delete(r.st.watchers, w)
		r.mu.Unlock()
	}()
	for {
		select {
		case <-w.wake:
		case <-f.stop:
			return
		case <-c.done:
			return
		}
		r.mu.Lock()
		rows := r.news(w, who, q)
		r.mu.Unlock()
		if len(rows) > 0 {
			c.send(sentences(f.call, rows, q.props)...)
		}
	}
}

// news turns pending changes into rows. Callers hold r.mu.
func (r *Router) news(w *watcher, who account, q reading) []schema.Row {
	var rows []schema.Row
	for _, e := range w.pending {
		if e.dead {
			rows = append(rows, schema.Row{schema.ID: e.id, ".dead": "true"})
			continue
		}
		row := r.st.show(w.menu, e.rec)
		if !who.may("sensitive") || (r.masks() && !q.sensitive) {
			hide(w.menu, row)
		}
		kinds := func(name string) schema.Attr { return guess(w.menu, name) }
		if ok, err := matches(q.queries, row, kinds); ok && err == nil {
			rows = append(rows, row)
		}
	}
	w.pending = nil
	return rows
}

func sentences(k call, rows []schema.Row, props []string) [][]string {
	var out [][]string
	for _, row := range rows {
		ps := props
		if row[".dead"] != "" {
			ps = nil
		}
		out = append(out, k.reply(append([]string{"!re"}, words(row, ps)...)...))
	}
	return out
}

func tagOf(k call) string {
	if len(k.tag) == 0 {
		return ""
	}
	return k.tag[0][len(".tag="):]
}

// stop ends the command that runs under tag and waits for its goroutine. The
// result is nil when none does.
func (c *conn) stop(tag string) *follow {
	f := c.running[tag]
	if f == nil {
		return nil
	}
	delete(c.running, tag)
	close(f.stop)
	<-f.ended
	if f.over {
		return nil
	}
	return f
}

// cancel ends the command with the given tag, or all.
func (c *conn) cancel(k call) {
	tags := []string{k.args["tag"]}
	if _, ok := k.args["tag"]; !ok {
		tags = tags[:0]
		for tag := range c.running {
			tags = append(tags, tag)
		}
		slices.Sort(tags)
	}
	var first, last [][]string
	for _, tag := range tags {
		if f := c.stop(tag); f != nil {
			first = append(first, f.call.trap(&trap{category: catInterrupted, message: "interrupted"}))
			last = append(last, f.call.reply("!done"))
		}
	}
	c.send(slices.Concat(first, [][]string{k.reply("!done")}, last)...)
}
