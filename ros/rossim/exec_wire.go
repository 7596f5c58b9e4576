package rossim

import (
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
	waits := isGiven(k.args, "as-string")
	t := &task{src: src, who: c.who}
	if c.r.opts.Scripting.ExecuteEndsWithSession {
		t.conn = c.id
	}
	goes := c.struck(k, "/execute", "run", func() (string, error) {
		c.r.mu.Lock()
		rec := c.r.st.enlist(t)
		c.r.mu.Unlock()
		if !waits {
			return rec.id, nil
		}
		if err := c.await(t); err != nil {
			return err.Error(), nil
		}
		return "", nil
	})
	c.r.mu.Lock()
	c.r.begin(t)
	c.r.mu.Unlock()
	return goes
}

// isGiven tells whether a flag is among the arguments and not said to be off.
func isGiven(args schema.Row, name string) bool {
	v, ok := args[name]
	return ok && v != "no" && v != "false"
}

// await runs a task and returns how it ended.
func (c *conn) await(t *task) error {
	c.r.mu.Lock()
	c.r.begin(t)
	c.r.mu.Unlock()
	select {
	case <-t.ended:
		return t.err
	case <-c.done:
	case <-c.r.done:
	}
	return errInterrupted()
}

// runScript is /system/script/run: the answer waits for the end.
func (c *conn) runScript(k call) bool {
	var t *task
	return c.struck(k, "/system/script", "run", func() (string, error) {
		var err error
		if t, err = c.namedScript(k); err != nil {
			return "", err
		}
		if err = c.await(t); err != nil {
			return "", &trap{category: catScript, message: err.Error()}
		}
		return "", nil
	})
}

// namedScript enlists a script of /system/script with the rights of the caller,
// who must have all that the script asks for.
func (c *conn) namedScript(k call) (*task, error) {
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
	who := c.who
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
