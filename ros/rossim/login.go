package rossim

import (
	"vpnbot/ros/schema"
)

// login answers the plain form of login, the only one since 6.45. The old form
// asks for a challenge and has neither name nor password: it is refused like a
// wrong password.
func (c *conn) login(k call) bool {
	if c.strange++; c.strange > strangerSentences && !c.member.Load() {
		c.fatal("too many commands before login")
		return false
	}
	name := k.args["name"]
	r := c.r
	r.mu.Lock()
	who, ok := r.st.authenticate(name, k.args["password"], c.from, "api")
	if ok {
		r.logins++
		c.welcome(who)
	} else {
		r.failed++
		r.st.log("system,error,critical", "login failure for user "+name+" from "+c.from+" via api")
	}
	hook := r.faults.OnLogin
	r.mu.Unlock()
	if hook != nil {
		hook(name, ok)
	}
	if !ok {
		c.refuse(k, &trap{category: catNone, message: "invalid user name or password (6)"})
		return true
	}
	c.who = who
	c.user.Store(who.name)
	c.member.Store(true)
	c.send(k.reply("!done"))
	return true
}

// welcome writes the log line and the row in /user/active. The caller holds
// Router.mu.
func (c *conn) welcome(who account) {
	st := c.r.st
	for _, rec := range st.tables["/user/active"] {
		if rec.conn == c.id {
			st.delete(rec)
			break
		}
	}
	rec := st.addDynamic("/user/active", schema.Row{
		"when": st.stamp(), "name": who.name, "address": c.from, "via": "api", "group": who.group, "radius": "false", "by-romon": "false",
	}, 0)
	rec.conn = c.id
	st.log("system,info,account", "user "+who.name+" logged in from "+c.from+" via api")
}
