package slacksim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Of each channel the page gets so many messages, and changes so far apart.
const (
	pageMessages = 200
	pagePause    = 40 * time.Millisecond
)

// stream keeps a page up to date over server-sent events: first everything a
// person sees, then the channels that changed.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	user := s.player(r.URL.Query().Get("user"))
	out := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	since := -1
	for {
		changed := s.Changed()
		seen, rev := s.seen(user, since)
		if s.opts.Levers != nil {
			seen["levers"] = s.opts.Levers()
		}
		body, err := json.Marshal(seen)
		if err != nil {
			s.opts.Log.Error("rendering the page's state", "err", err)
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", body); err != nil || out.Flush() != nil {
			return
		}
		since = rev
		if !pause(r, s.busy.closing, time.After(pagePause)) || !pause(r, s.busy.closing, changed) {
			return
		}
	}
}

// player is the person to show: the one asked for, or the first who can act.
// Everybody of the workspace has the app in their list of direct messages.
func (s *Server) player(id string) string {
	var u User
	for _, p := range s.People() {
		if p.Deleted || p.Bot || p.Stranger || u.ID != "" && p.ID != id {
			continue
		}
		u = p
	}
	if u.ID != "" && u.TeamID == s.opts.Team.ID {
		s.Direct(u.ID)
	}
	return u.ID
}

// pause waits for next, or reports that the page or the server is gone.
func pause[T any](r *http.Request, closing <-chan struct{}, next <-chan T) bool {
	select {
	case <-next:
		return true
	case <-r.Context().Done():
	case <-closing:
	}
	return false
}

// seen is what one person sees, with the messages of channels that changed
// after a revision.
func (s *Server) seen(user string, since int) (map[string]any, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.st
	channels := []any{}
	for _, c := range st.channels {
		if slices.Contains(c.Members, user) {
			channels = append(channels, s.pageChannel(c, user, since))
		}
	}
	w := map[string]any{
		"rev": st.rev, "user": user, "channels": channels, "people": s.pagePeople(), "views": pageViews(st.views[user]),
		"connections": len(s.hub.live()), "home": nil,
	}
	if v, ok := st.homes[user]; ok {
		w["home"] = pageViews([]View{v})[0]
	}
	if since < 0 {
		w["team"] = s.opts.Team
		w["bot"] = s.opts.Bot
		w["commands"] = s.opts.Commands
		w["tips"] = s.opts.Tips
	}
	return w, st.rev
}

func (s *Server) pageChannel(c conversation, user string, since int) map[string]any {
	w := map[string]any{
		"id": c.ID, "name": c.Name, "topic": c.Topic, "private": c.Private, "shared": c.Shared,
		"direct": c.direct != "", "members": c.Members, "unread": s.st.unread(user, c.ID),
	}
	if since >= 0 && s.st.changes[c.ID] <= since {
		return w
	}
	messages := []any{}
	l := s.st.messages[c.ID]
	for _, m := range l[max(0, len(l)-pageMessages):] {
		if m.OnlyFor == "" || m.OnlyFor == user {
			messages = append(messages, map[string]any{
				"ts": m.TS, "thread": m.ThreadTS, "author": m.Author, "text": m.Text, "blocks": m.Blocks,
				"ephemeral": m.Ephemeral(), "edited": m.Edited != "", "command": m.Command,
			})
		}
	}
	w["messages"] = messages
	return w
}

// unread counts the messages of others after a person's mark.
func (st *state) unread(user, channel string) int {
	n, mark := 0, st.read[user][channel]
	for _, m := range st.messages[channel] {
		if m.TS > mark && m.Author != user && (m.OnlyFor == "" || m.OnlyFor == user) {
			n++
		}
	}
	return n
}

func (s *Server) pagePeople() []any {
	people := []any{}
	for _, u := range s.st.users {
		n := 0
		for _, c := range s.st.channels {
			if slices.Contains(c.Members, u.ID) {
				n += s.st.unread(u.ID, c.ID)
			}
		}
		people = append(people, map[string]any{
			"id": u.ID, "handle": u.Handle, "name": u.Name, "hint": u.Hint, "locale": u.Locale, "unread": n, "modal": len(s.st.views[u.ID]) > 0,
			"guest": u.Restricted || u.UltraRestricted, "foreign": u.TeamID != s.opts.Team.ID, "team": u.TeamName,
			"deleted": u.Deleted, "bot": u.Bot, "stranger": u.Stranger,
		})
	}
	return people
}

func pageViews(views []View) []any {
	out := []any{}
	for _, v := range views {
		out = append(out, map[string]any{
			"id": v.ID, "hash": v.Hash, "title": v.Title, "blocks": v.Blocks, "errors": v.Errors,
			"submit": str(object(v.raw, "submit"), "text"), "close": str(object(v.raw, "close"), "text"),
			"submitDisabled": v.flag("submit_disabled"),
		})
	}
	return out
}
