package slacksim

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// call is one call of a Web API method.
type call struct {
	args args
	base string
	now  time.Time
}

// answer is the body of a successful call, without ok.
type answer = map[string]any

// method is one Web API method. Run works on the state with the lock held and
// must not wait.
type method struct {
	run func(*Server, *state, call) (answer, error)
	// app is set where the app-level token is required instead of the bot's.
	app bool
	// perMinute is the limit of its tier.
	perMinute int
}

// methods is the Web API.
var methods = map[string]method{
	"api.test":              {run: apiTest},
	"auth.test":             {run: authTest},
	"apps.connections.open": {run: connectionsOpen, app: true, perMinute: 300},
	"bots.info":             {run: botsInfo},
	"team.info":             {run: teamInfo},
	"users.info":            {run: usersInfo, perMinute: 300},
	"users.list":            {run: usersList},
	"usergroups.list":       {run: groupsList, perMinute: 20},
	"usergroups.users.list": {run: groupUsers, perMinute: 20},
	"conversations.open":    {run: conversationsOpen},
	"conversations.info":    {run: conversationsInfo},
	"conversations.list":    {run: conversationsList},
	"conversations.members": {run: conversationsMembers},
	"conversations.history": {run: conversationsHistory},
	"conversations.replies": {run: conversationsReplies},
	"chat.postMessage":      {run: postMessage},
	"chat.postEphemeral":    {run: postEphemeral},
	"chat.update":           {run: chatUpdate},
	"chat.delete":           {run: chatDelete},
	"chat.getPermalink":     {run: getPermalink},
	"views.open":            {run: viewsOpen, perMinute: 300},
	"views.push":            {run: viewsPush, perMinute: 300},
	"views.update":          {run: viewsUpdate, perMinute: 300},
	"views.publish":         {run: viewsPublish, perMinute: 300},
}

// api answers one Web API call.
func (s *Server) api(w http.ResponseWriter, r *http.Request, name string) {
	a, body, err := readArgs(r)
	if err == nil {
		s.record(Call{Method: name, Body: string(body)})
		var ans answer
		fault := s.fault(name, a)
		if s.spoil(w, r, fault) {
			return
		}
		ans, err = s.call(r, name, a)
		if fault.Kind == FaultUnknown {
			drop(w)
			return
		}
		if err == nil {
			write(w, http.StatusOK, ans)
			return
		}
	}
	writeError(w, err)
}

// call checks the token and runs the method.
func (s *Server) call(r *http.Request, name string, a args) (answer, error) {
	m, ok := methods[name]
	if !ok {
		return nil, fail("unknown_method")
	}
	if err := s.authorise(m, name, token(r, a)); err != nil {
		return nil, err
	}
	c := call{args: a, base: s.base(r), now: time.Now()}
	var ans answer
	err := s.update(func(st *state) error {
		if err := s.spend(name, m.perMinute, c.now); err != nil {
			return err
		}
		var err error
		ans, err = m.run(s, st, c)
		return err
	})
	return ans, err
}

// token finds the token, which SDKs send as a header or in the form.
func token(r *http.Request, a args) string {
	if h, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(h)
	}
	return a.str("token")
}

func (s *Server) authorise(m method, name, token string) error {
	switch {
	case name == "api.test":
		return nil
	case token == "":
		return fail("not_authed")
	case token != s.opts.BotToken && token != s.opts.AppToken:
		return fail("invalid_auth")
	case m.app != (token == s.opts.AppToken):
		return fail("not_allowed_token_type")
	}
	return nil
}

func write(w http.ResponseWriter, status int, ans answer) {
	if ans == nil {
		ans = answer{}
	}
	if _, ok := ans["ok"]; !ok {
		ans["ok"] = true
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(ans) // the client went away: nobody to tell
}

func writeError(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		e = &apiError{code: "internal_error"}
	}
	ans := answer{"ok": false, "error": e.code}
	if len(e.messages) > 0 {
		marked := make([]string, len(e.messages))
		for i, m := range e.messages {
			marked[i] = "[ERROR] " + m
		}
		ans["errors"] = e.messages
		ans["response_metadata"] = map[string]any{"messages": marked}
	}
	status := http.StatusOK
	if e.code == "ratelimited" {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.retry.Seconds())))))
	}
	write(w, status, ans)
}
