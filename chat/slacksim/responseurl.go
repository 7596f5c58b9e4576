package slacksim

import (
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"path"
	"time"
)

// A response_url takes so many posts for so long.
const (
	hookUses = 5
	hookLife = 30 * time.Minute
)

// hook is a response_url.
type hook struct {
	user, channel string
	original      string // TS of the message with the button, empty for a command
	expires       time.Time
	uses          int
}

// hook makes a response_url and returns its path.
func (st *state) hook(o *Options, kind string, h hook, now time.Time) string {
	secret := rand.Text()
	h.expires = now.Add(hookLife)
	if len(st.hooks) > manyIDs {
		maps.DeleteFunc(st.hooks, func(_ string, old hook) bool { return now.After(old.expires) })
	}
	st.hooks[secret] = h
	return "/" + kind + "/" + o.Team.ID + "/" + st.id("") + "/" + secret
}

// respond answers a post to a response_url.
func (s *Server) respond(w http.ResponseWriter, r *http.Request) {
	a, body, err := readArgs(r)
	if err != nil {
		writeStatus(w, http.StatusBadRequest, err)
		return
	}
	s.record(Call{Method: ResponseURL, Body: string(body)})
	fault := s.fault(ResponseURL, a)
	if s.spoil(w, r, fault) {
		return
	}
	status := http.StatusBadRequest
	err = s.update(func(st *state) error {
		secret := path.Base(r.URL.Path)
		h, ok := st.hooks[secret]
		now := time.Now()
		switch {
		case !ok || now.After(h.expires):
			status = http.StatusNotFound
			return fail("expired_url")
		case h.uses >= hookUses:
			status = http.StatusNotFound
			return fail("used_url")
		}
		h.uses++
		st.hooks[secret] = h
		return s.answer(st, h, a, now)
	})
	switch {
	case fault.Kind == FaultUnknown:
		drop(w)
	case err != nil:
		writeStatus(w, status, err)
	default:
		write(w, http.StatusOK, nil)
	}
}

func writeStatus(w http.ResponseWriter, status int, err error) {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		e = &apiError{code: "internal_error"}
	}
	if e.code == "ratelimited" {
		writeError(w, err)
		return
	}
	ans := answer{"ok": false, "error": e.code}
	if len(e.messages) > 0 {
		ans["errors"] = e.messages
	}
	write(w, status, ans)
}

// answer does what a post to a response_url asks for. The caller holds mu.
func (s *Server) answer(st *state, h hook, a args, now time.Time) error {
	if a.flag("delete_original") && h.original != "" {
		i := st.find(h.channel, h.original)
		if i < 0 {
			return fail("message_not_found")
		}
		st.remove(h.channel, i)
		return nil
	}
	m, err := s.compose(st, a)
	if err != nil {
		return err
	}
	m.Channel, m.ThreadTS = h.channel, a.str("thread_ts")
	if a.flag("replace_original") && h.original != "" {
		return st.replaceOriginal(h, m, now)
	}
	if err := s.post(h.channel, now); err != nil {
		return err
	}
	if a.str("response_type") != "in_channel" {
		m.OnlyFor = h.user
	}
	m.TS = st.ts(now)
	st.put(m)
	return nil
}

// replaceOriginal puts m in the place of the message that held the button. It
// stays as visible as it was.
func (st *state) replaceOriginal(h hook, m Message, now time.Time) error {
	i := st.find(h.channel, h.original)
	if i < 0 {
		return fail("message_not_found")
	}
	old := st.messages[h.channel][i]
	m.TS, m.ThreadTS, m.OnlyFor, m.Author = old.TS, old.ThreadTS, old.OnlyFor, old.Author
	if m.Metadata == nil {
		m.Metadata = old.Metadata
	}
	m.Edited = st.ts(now)
	st.replace(i, m)
	return nil
}
