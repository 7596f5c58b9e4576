package rossim

import (
	"errors"

	"vpnbot/ros/rossim/script"
	"vpnbot/ros/schema"
)

// sendScript is /execute: a script begins and runs by itself, and the answer is
// the id of its job. With as-string the answer waits for the end, and is what
// the script said: nothing, or why it stopped.
func (c *conn) sendScript(k call) bool {
	src, ok := k.args["script"]
	if !ok {
		c.refuse(k, errMissing([]string{"script"}))
		return true
	}
	for name := range k.args {
		if name != "script" && name != "as-string" {
			c.refuse(k, errUnknownParameter(name))
			return true
		}
	}
	if len(src) > maxValue {
		c.refuse(k, errFailure("contents too long"))
		return true
	}
	t := &task{src: src, who: c.who}
	if c.r.opts.Scripting.ExecuteEndsWithSession {
		t.conn = c.id
	}
	enlist := func() string {
		c.r.mu.Lock()
		defer c.r.mu.Unlock()
		return c.r.st.enlist(t).id
	}
	if isGiven(k.args, "as-string") {
		return c.waiting(k, "/execute", func(stop <-chan struct{}) (string, error) {
			enlist()
			err := c.await(t, stop)
			if err == nil || errors.Is(err, errStopped) {
				return "", err
			}
			return err.Error(), nil
		})
	}
	goes := c.struck(k, "/execute", "run", func() (string, error) { return enlist(), nil })
	c.r.mu.Lock()
	c.r.begin(t)
	c.r.mu.Unlock()
	return goes
}

// errStopped is how a script ends for a client that has cancelled it: /cancel
// tells the rest.
var errStopped = errors.New("stopped by the client")

// waiting runs a script that the answer waits for: beside other commands when
// there is a tag by which it can be cancelled, else before the next one.
func (c *conn) waiting(k call, path string, do func(stop <-chan struct{}) (string, error)) bool {
	if len(k.tag) == 0 {
		return c.struck(k, path, "run", func() (string, error) { return do(nil) })
	}
	c.beside(k, func(f *follow) bool {
		var err error
		goes := c.struck(k, path, "run", func() (ret string, _ error) {
			ret, err = do(f.stop)
			return ret, err
		})
		if !goes {
			c.close()
		}
		return !errors.Is(err, errStopped)
	})
	return true
}

// isGiven tells whether a flag is among the arguments and not said to be off.
func isGiven(args schema.Row, name string) bool {
	v, ok := args[name]
	return ok && v != "no" && v != "false"
}

// await runs a task and returns how it ended.
func (c *conn) await(t *task, stop <-chan struct{}) error {
	c.r.mu.Lock()
	c.r.begin(t)
	c.r.mu.Unlock()
	select {
	case <-t.ended:
		return t.err
	case <-stop:
		c.r.mu.Lock()
		defer c.r.mu.Unlock()
		c.r.st.endTasks(func(o *task) bool { return o == t })
		return errStopped
	case <-c.done:
	case <-c.r.done:
	}
	return errInterrupted()
}

// runScript is /system/script/run: the answer waits for the end.
func (c *conn) runScript(k call) bool {
	who := c.who
	return c.waiting(k, "/system/script", func(stop <-chan struct{}) (string, error) {
		t, err := c.namedScript(k, who)
		if err != nil {
			return "", err
		}
		if err = c.await(t, stop); err == nil || errors.Is(err, errStopped) {
			return "", err
		}
		return "", &trap{category: catScript, message: err.Error()}
	})
}

// namedScript enlists a script of /system/script with the rights of the caller,
// who must have all that the script asks for.
func (c *conn) namedScript(k call, who account) (*task, error) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	s := c.r.st
	name := first(k.args, "number", "numbers", schema.ID)
	if name == "" {
		return nil, errMissing([]string{"number"})
	}
	rec, err := s.find(s.prof.menus["/system/script"], name)
	if err != nil {
		return nil, err
	}
	if isGiven(k.args, "use-script-permissions") || rec.vals["dont-require-permissions"] == "true" {
		who.rights = granted(rec.vals["policy"])
	} else if !grants(who.rights, rec.vals["policy"]) {
		return nil, errRights()
	}
	s.ran(rec)
	t := &task{src: rec.vals["source"], who: who}
	s.enlist(t)
	return t, nil
}

// parse is :parse over the wire: it reads a script and runs nothing.
func (c *conn) parse(k call) {
	src, ok := k.args["value"]
	if !ok {
		c.refuse(k, errMissing([]string{"value"}))
		return
	}
	if err := script.Parse(src); err != nil {
		c.refuse(k, &trap{category: catScript, message: err.Error()})
		return
	}
	c.send(k.reply("!done", "=ret=(code)"))
}
