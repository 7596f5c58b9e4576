package slacksim

import (
	"crypto/rand"
	"fmt"
	"maps"
	"strings"
	"time"
)

// manyIDs is how many triggers and response URLs are kept before old ones are
// forgotten.
const manyIDs = 4096

// trigger is the right to open a modal for a person who has just done something.
type trigger struct {
	user    string
	view    string // the modal it came from, for views.push
	expires time.Time
	used    bool
}

// trigger makes a trigger ID.
func (s *Server) trigger(st *state, user, view string, now time.Time) string {
	if len(st.triggers) > manyIDs {
		maps.DeleteFunc(st.triggers, func(_ string, old trigger) bool { return now.Sub(old.expires) > time.Hour })
	}
	st.lastID++
	id := fmt.Sprintf("%d.%d.%s", now.UnixMilli(), st.lastID, strings.ToLower(rand.Text()))
	st.triggers[id] = trigger{user: user, view: view, expires: now.Add(s.opts.TriggerLife)}
	return id
}

// spendTrigger uses a trigger ID up.
func (st *state) spendTrigger(id string, now time.Time) (trigger, error) {
	t, ok := st.triggers[id]
	switch {
	case !ok:
		return t, fail("invalid_trigger_id")
	case t.used:
		return t, fail("exchanged_trigger_id")
	case now.After(t.expires):
		return t, fail("expired_trigger_id")
	}
	t.used = true
	st.triggers[id] = t
	return t, nil
}
