package rossim

import (
	"errors"
	"strings"

	"vpnbot/ros/schema"
)

// handle executes one sentence. It returns false when the connection is to
// end.
func (c *conn) handle(in sentence) bool {
	if len(in.words) == 0 {
		c.refuse(call{}, errFailure("contents too long"))
		return true
	}
	k := parseCall(in.words)
	switch k.path {
	case "/login":
		return c.login(k)
	case "/quit":
		c.fatal(append(k.tag, "session terminated on request")...)
		return false
	}
	if !c.member.Load() {
		c.fatal("not logged in")
		return false
	}
	if in.long {
		c.refuse(k, errFailure("contents too long"))
		return true
	}
	if k.path == "/cancel" {
		c.cancel(k)
		return true
	}
	m, command, err := c.r.prof.lookup(k.path)
	if err == nil && c.r.lacks(m.path) {
		err = errNoPrefix(command)
	}
	if err == nil && k.stray != "" {
		err = errUnknownParameter(k.stray)
	}
	if err == nil {
		err = c.who.allowed(m, command)
	}
	if err != nil {
		c.refuse(k, err)
		return true
	}
	return c.command(k, m, command)
}

// lookup splits a command word into menu and command.
func (p *profile) lookup(path string) (*menu, string, error) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 || !strings.HasPrefix(path, "/") {
		return nil, "", errNoCommand(path)
	}
	dir, command := path[:i], path[i+1:]
	m := p.menus[dir]
	switch {
	case m != nil && m.commands[command]:
		return m, command, nil
	case m != nil, dir == "", p.prefixOf(dir):
		return nil, "", errNoCommand(command)
	}
	return nil, "", errNoPrefix(p.stranger(dir))
}

// stranger returns the first word of a path that leads nowhere.
func (p *profile) stranger(path string) string {
	words := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, word := range words {
		if !p.prefixOf("/" + strings.Join(words[:i+1], "/")) {
			return word
		}
	}
	return ""
}

func (c *conn) command(k call, m *menu, command string) bool {
	c.r.settle()
	switch command {
	case "print", "getall":
		c.print(k, m)
	case "get":
		c.get(k, m)
	case "find":
		c.find(k, m)
	case "listen":
		c.listen(k, m, false)
	case "ping":
		c.ping(k)
	case "monitor", "monitor-traffic":
		c.monitor(k, m, command)
	case "execute":
		return c.sendScript(k)
	case "parse":
		c.parse(k)
	case "run":
		return c.runScript(k)
	case "debug", "error", "info", "warning":
		c.note(k, command)
	case "reboot", "shutdown":
		c.send(k.reply("!done"))
		c.r.Reboot()
		return false
	case "add", "set", "remove", "unset", "enable", "disable", "move", "comment", "kill-connections", "flush",
		"request-logout", "reset-counters", "reset-counters-all", "clear", "expire-password", "force-update", "reset-freq-drift", "blink":
		return c.write(k, m, command)
	default:
		c.refuse(k, errFailure("not supported by this simulator"))
	}
	return true
}

func (c *conn) reading(k call) reading {
	q := reading{ids: first(k.args, schema.ID, "numbers", "from"), queries: k.queries, flags: k.args}
	_, q.sensitive = k.args["show-sensitive"]
	if k.args["show-sensitive"] == "no" {
		q.sensitive = false
	}
	if list, ok := k.args[".proplist"]; ok {
		q.props = splitList(list)
	} else if list, ok := k.args["proplist"]; ok {
		q.props = splitList(list)
	}
	return q
}

// first returns the first of the named arguments that was given.
func first(args schema.Row, names ...string) string {
	for _, name := range names {
		if v, ok := args[name]; ok {
			return v
		}
	}
	return ""
}

func (c *conn) print(k call, m *menu) {
	_, follows := k.args["follow"]
	_, only := k.args["follow-only"]
	if follows || only {
		delete(k.args, "follow")
		delete(k.args, "follow-only")
		c.listen(k, m, follows)
		return
	}
	rows, err := c.rows(k, m)
	if err != nil {
		c.refuse(k, err)
		return
	}
	if _, ok := k.args["count-only"]; ok {
		c.send(k.reply("!done", "=ret="+itoa(len(rows))))
		return
	}
	q := c.reading(k)
	var out [][]string
	for _, row := range rows {
		out = append(out, k.reply(append([]string{"!re"}, words(row, q.props)...)...))
	}
	if len(out) == 0 && c.r.prof.since(7, 18) {
		out = append(out, k.reply("!empty"))
	}
	c.send(append(out, k.reply("!done"))...)
}

func (c *conn) rows(k call, m *menu) ([]schema.Row, error) {
	q := c.reading(k)
	err := printable(m, k.args)
	if err == nil && c.r.opts.Tables.StrictProplist {
		err = q.known(m)
	}
	if err != nil {
		return nil, err
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.r.read(c.who, m, q)
}

// get answers one value, or the whole row as text.
func (c *conn) get(k call, m *menu) {
	name, one := k.args["value-name"]
	delete(k.args, "value-name")
	if m.list && first(k.args, schema.ID, "numbers") == "" {
		c.refuse(k, errMissing([]string{"numbers"}))
		return
	}
	rows, err := c.rows(k, m)
	if err == nil && len(rows) == 0 {
		err = errNoItem()
	}
	if err == nil && one && !m.readable[name] {
		err = errNoMatch("value-name")
	}
	if err != nil {
		c.refuse(k, err)
		return
	}
	if one {
		c.send(k.reply("!done", "=ret="+rows[0][name]))
		return
	}
	var parts []string
	for _, n := range rows[0].Names() {
		parts = append(parts, n+"="+rows[0][n])
	}
	c.send(k.reply("!done", "=ret="+strings.Join(parts, ";")))
}

// find answers the ids of all rows, or of those that the queries match.
func (c *conn) find(k call, m *menu) {
	rows, err := c.rows(k, m)
	if err != nil {
		c.refuse(k, err)
		return
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row[schema.ID])
	}
	c.send(k.reply("!done", "=ret="+strings.Join(ids, ";")))
}

// note writes a line into the log by hand, as /log/info does.
func (c *conn) note(k call, severity string) {
	message, ok := k.args["message"]
	if !ok {
		c.refuse(k, errMissing([]string{"message"}))
		return
	}
	c.r.mu.Lock()
	c.r.st.log("script,"+severity, message)
	c.r.mu.Unlock()
	c.send(k.reply("!done"))
}

func (c *conn) write(k call, m *menu, action string) bool {
	return c.struck(k, m.path, action, func() (string, error) { return c.r.commit(c.who, k, m, action) })
}

// struck executes a write command between the hooks that watch it. The answer
// carries what do returns.
func (c *conn) struck(k call, path, action string, do func() (string, error)) bool {
	n, hook := c.r.countWrite()
	if hook != nil {
		hook(n, Before, path, schema.Action(action))
	}
	ret, err := do()
	if hook != nil {
		hook(n, After, path, schema.Action(action))
	}
	switch {
	case errors.Is(err, errStopped):
	case err != nil:
		c.refuse(k, err)
	case action == "add" || path == "/execute":
		c.send(k.reply("!done", "=ret="+ret))
	default:
		c.send(k.reply("!done"))
	}
	return true
}

func (r *Router) countWrite() (int, func(int, When, string, schema.Action)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts++
	r.writes++
	return r.counts, r.faults.OnWrite
}

// commit executes a write under the lock.
func (r *Router) commit(a account, k call, m *menu, action string) (string, error) {
	ch, err := changeOf(k, m, action)
	if err != nil {
		return "", err
	}
	ch.who = a
	r.mu.Lock()
	id, done, err := r.st.apply(ch)
	r.st.tell(a, done)
	gone := r.orphans(done)
	r.mu.Unlock()
	for _, g := range gone {
		g.close()
	}
	r.settle()
	return id, err
}

// changeOf sorts the arguments of a write command.
func changeOf(k call, m *menu, action string) (change, error) {
	ch := change{menu: m, action: action, values: schema.Row{}, unset: k.unset}
	for name, value := range k.args {
		switch {
		case (name == schema.ID || name == "numbers") && action != "add" && m.list:
			ch.ids = value
		case name == "destination" && action == "move":
			ch.before = value
		case name == "place-before" && action == "add" && m.ordered:
			ch.before = value
		case name == "copy-from" && action == "add":
			ch.copy = value
		case name == "value-name" && action == "unset":
			ch.unset = append(ch.unset, splitList(value)...)
		case action == "add" || action == "set" || (action == "comment" && name == "comment") || (action == "clear" && name == "action"):
			ch.values[name] = value
		default:
			return ch, errUnknownParameter(name)
		}
	}
	return ch, nil
}
