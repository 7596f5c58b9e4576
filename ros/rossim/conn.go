package rossim

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vpnbot/ros/schema"
)

// Limits before and after login. A client that has not logged in may send few
// short sentences only.
var (
	strangerLimits = limits{word: 1 << 10, words: 32, strict: true}
	memberLimits   = limits{word: 256 << 10, words: 4096}
)

// strangerSentences is how many sentences a client may send before login.
const strangerSentences = 16

// lingerTime is how long a client may go on sending after a fatal reply.
const lingerTime = 250 * time.Millisecond

// queued is how many sentences of one connection may wait for execution.
const queued = 128

// conn is one API connection. One goroutine reads sentences, one executes them
// in the order in which they came; commands that run on (listen) have their
// own.
type conn struct {
	id      uint64
	r       *Router
	nc      net.Conn
	service string
	from    string
	member  atomic.Bool // logged in

	who     account            // executor only
	strange int                // sentences before login; executor only
	running map[string]*follow // commands that run on, by tag; executor only

	user    atomic.Value            // string: the name that it is logged in under
	greeted atomic.Bool             // a sentence has come
	mute    atomic.Bool             // a fault has silenced it for good
	hits    atomic.Pointer[strikes] // what strikes the answer to come

	out  chan struct{} // holds one token: the right to write a reply
	jobs chan job
	done chan struct{} // closed when the connection is
	once sync.Once
}

type job struct {
	arrived time.Time
	in      sentence
	err     error // the reader's last word: why no more will come
}

func newConn(r *Router, nc net.Conn, id uint64, service, from string) *conn {
	return &conn{
		id: id, r: r, nc: nc, service: service, from: from, running: make(map[string]*follow),
		out: make(chan struct{}, 1), jobs: make(chan job, queued), done: make(chan struct{}),
	}
}

// close ends the connection. It does not wait.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.done)
		_ = c.raw().Close() // closing TLS itself waits for a peer that reads
	})
}

// run lives as long as the connection.
func (c *conn) run() {
	defer c.r.wg.Done()
	if !c.hang() || !c.strike(c.r.due(occasion{class: Connections}, false), Before, call{}) {
		c.deafen()
		c.end()
		return
	}
	var reader sync.WaitGroup
	reader.Go(c.read)
	c.execute()
	c.close()
	reader.Wait()
	c.end()
}

func (c *conn) read() {
	from := &tap{c: c}
	br := bufio.NewReader(from)
	for {
		from.next(br.Buffered())
		lim := strangerLimits
		if c.member.Load() {
			lim = memberLimits
		}
		in, err := readSentence(br, lim)
		if err == nil && len(from.head) == 0 && !c.inside(in.words0()) {
			err = errStruck
		}
		select {
		case c.jobs <- job{arrived: time.Now(), in: in, err: err}:
		case <-c.done:
			return
		}
		if err != nil {
			return
		}
		if strings.HasPrefix(in.words0(), "/login") {
			c.settle()
		}
	}
}

// settle waits until the executor has caught up, so that the limits for the
// next sentence are those of a client that is logged in or not.
func (c *conn) settle() {
	caught := make(chan struct{})
	select {
	case c.jobs <- job{in: sentence{}, arrived: time.Time{}, err: caughtUp{caught}}:
	case <-c.done:
		return
	}
	select {
	case <-caught:
	case <-c.done:
	}
}

// caughtUp travels through the queue as an error to mark a place in it.
type caughtUp struct{ reached chan struct{} }

func (caughtUp) Error() string { return "caught up" }

func (s sentence) words0() string {
	if len(s.words) == 0 {
		return ""
	}
	return s.words[0]
}

func (c *conn) execute() {
	for {
		select {
		case <-c.done:
			return
		case j := <-c.jobs:
			if up, ok := errors.AsType[caughtUp](j.err); ok {
				close(up.reached)
				continue
			}
			if j.err != nil {
				if errors.Is(j.err, errTooLong) {
					c.fatal("too many commands before login")
				}
				return
			}
			if !c.obey(j) {
				return
			}
		}
	}
}

// obey executes a sentence between the faults that strike it. It returns false
// when the connection is to end.
func (c *conn) obey(j job) bool {
	if c.mute.Load() {
		return true
	}
	user, _ := c.user.Load().(string)
	hits := c.r.due(occasionOf(j.in.words0(), user), false)
	var k call
	if len(hits) > 0 && len(j.in.words) > 0 {
		k = parseCall(j.in.words)
	}
	if has(hits, FaultInstant) {
		c.r.hit(FaultInstant)
	} else if !c.pause(j.arrived) {
		return false
	}
	if !c.hang() || !c.hold() {
		return false
	}
	goesOn := c.strike(hits, Before, k)
	c.release()
	select {
	case <-c.done: // somebody has ended the session meanwhile
		return false
	default:
	}
	if !goesOn {
		return true
	}
	c.hits.Store(&strikes{hits, k})
	return c.handle(j.in)
}

// pause waits until the latency since arrival is over. It returns false when
// the connection ended meanwhile.
func (c *conn) pause(arrived time.Time) bool {
	wait := time.Until(arrived.Add(c.r.opts.Latency + c.r.lag()))
	if wait <= 0 {
		return true
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.done:
		return false
	}
}

// hang waits as long as the fault says that nothing is answered.
func (c *conn) hang() bool {
	for first := true; ; first = false {
		f, change := c.r.fault()
		if !f.Hang {
			return true
		}
		if first {
			c.r.hit(FaultHang)
		}
		select {
		case <-change:
		case <-c.done:
			return false
		}
	}
}

// end forgets the connection: commands that run on, the row in /user/active.
func (c *conn) end() {
	c.close()
	for tag := range c.running {
		c.stop(tag)
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	delete(c.r.conns, c.id)
	c.r.st.endTasks(func(t *task) bool { return t.conn == c.id })
	for _, rec := range c.r.st.tables["/user/active"] {
		if rec.conn == c.id {
			c.r.st.delete(rec)
			c.r.st.log("system,info,account", "user "+c.who.name+" logged out from "+c.from+" via api")
			break
		}
	}
}

// hold takes the right to write. It returns false when the connection ended
// meanwhile.
func (c *conn) hold() bool {
	select {
	case c.out <- struct{}{}:
		return true
	case <-c.done:
		return false
	}
}

func (c *conn) release() { <-c.out }

// send writes sentences in one piece. A client that cannot be written to is
// cut off. The first sentences behind a command are the answer to it, which
// faults may strike.
func (c *conn) send(sentences ...[]string) {
	if !c.hold() {
		return
	}
	var err error
	hits := c.hits.Swap(nil)
	switch {
	case c.mute.Load() || len(sentences) == 0:
	case hits != nil && len(hits.all) > 0:
		err = c.answer(sentences, hits.all, hits.call)
	default:
		_, err = c.nc.Write(sentenceBytes(sentences...))
	}
	c.release()
	if err != nil {
		c.close()
	}
}

// fatal says a last word. The connection is then closed at once, but not so
// abruptly that the word is lost with what the client was still sending.
func (c *conn) fatal(words ...string) {
	c.send(append([]string{"!fatal"}, words...))
	c.linger()
}

func (c *conn) linger() {
	raw := c.raw()
	half, ok := raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if err := raw.SetReadDeadline(time.Now().Add(lingerTime)); err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, raw) // until the client closes or the deadline
}

// call is a parsed sentence.
type call struct {
	path    string // "/ppp/secret/print"
	args    schema.Row
	unset   []string
	queries []string
	tag     []string // ".tag=x" or nothing
	stray   string   // a word that is nothing of these
}

func parseCall(words []string) call {
	k := call{path: words[0], args: schema.Row{}}
	for _, w := range words[1:] {
		switch {
		case strings.HasPrefix(w, ".tag="):
			k.tag = []string{w}
		case strings.HasPrefix(w, "?"):
			k.queries = append(k.queries, w)
		case strings.HasPrefix(w, "=!"):
			name, _, _ := strings.Cut(w[2:], "=")
			k.unset = append(k.unset, name)
		case strings.HasPrefix(w, "="):
			name, value, _ := strings.Cut(w[1:], "=")
			k.args[name] = value
		case strings.HasPrefix(w, "."):
			name, value, _ := strings.Cut(w, "=")
			k.args[name] = value
		default:
			k.stray = w
		}
	}
	return k
}

func (k call) reply(words ...string) []string { return append(words, k.tag...) }

func (k call) trap(err error) []string {
	t, ok := errors.AsType[*trap](err)
	if !ok {
		t = &trap{category: catGeneral, message: "failure: " + err.Error()}
	}
	return k.reply(t.words()...)
}

// refuse answers with a trap and the done that always follows.
func (c *conn) refuse(k call, err error) {
	if t, ok := errors.AsType[*trap](err); ok {
		err = t.worded(c.r.opts.Tables.Texts)
	}
	c.send(k.trap(err), k.reply("!done"))
}
