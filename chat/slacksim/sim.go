package slacksim

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// action is what the page asks for on behalf of a person.
type action struct {
	User    string   `json:"user"`
	Channel string   `json:"channel"`
	TS      string   `json:"ts"`
	View    string   `json:"view"`
	Block   string   `json:"block"`
	Action  string   `json:"action"`
	Text    string   `json:"text"`
	Chosen  []string `json:"chosen"`
	Values  Values   `json:"values"`
	All     bool     `json:"all"`
}

// sim is the page's own API. It lets anybody who reaches it act as everybody,
// so only this machine reaches it, and no other site's page.
func (s *Server) sim(w http.ResponseWriter, r *http.Request) {
	if !local(r) {
		http.Error(w, "only from this machine", http.StatusForbidden)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/sim/")
	if name == "events" {
		s.stream(w, r)
		return
	}
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		http.Error(w, "POST JSON", http.StatusMethodNotAllowed)
		return
	}
	var a action
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&a); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	if name == "pull" && s.opts.Pull != nil {
		s.pull(w, r, a.Action)
		return
	}
	known, err := s.act(r, name, a)
	if !known {
		http.NotFound(w, r)
		return
	}
	ans := answer{}
	if err != nil {
		ans["ok"], ans["error"] = false, err.Error()
		if e, ok := errors.AsType[*InputErrors](err); ok {
			ans["errors"] = e.ByBlock
		}
	}
	write(w, http.StatusOK, ans)
}

// pull moves a lever and tells every page where it stands now.
func (s *Server) pull(w http.ResponseWriter, r *http.Request, id string) {
	said, err := s.opts.Pull(r.Context(), id)
	ans := answer{"text": said}
	if err != nil {
		ans["ok"], ans["error"] = false, err.Error()
	}
	_ = s.update(func(st *state) error { st.rev++; return nil })
	write(w, http.StatusOK, ans)
}

// act does one thing as a person.
func (s *Server) act(r *http.Request, name string, a action) (known bool, err error) {
	at := Ref{Channel: a.Channel, TS: a.TS, View: a.View, Block: a.Block}
	switch name {
	case "send":
		if strings.HasPrefix(strings.TrimSpace(a.Text), "/") {
			err = s.Command(r.Context(), a.User, a.Channel, a.Text)
		} else {
			_, err = s.Say(a.User, a.Channel, a.Text)
		}
	case "click":
		err = s.click(r.Context(), press{user: a.User, at: at, action: a.Action, chosen: a.Chosen, values: a.Values})
	case "submit":
		err = s.Submit(r.Context(), a.User, a.View, a.Values)
	case "close":
		err = s.CloseView(r.Context(), a.User, a.View, a.All)
	case "home":
		s.OpenHome(a.User)
	case "read":
		err = s.markRead(a.User, a.Channel)
	case "dismiss":
		err = s.dismiss(a.User, a.Channel, a.TS)
	default:
		return false, nil
	}
	return true, err
}

// local reports whether a request comes from this machine, addressed as such,
// and not from another site's page.
func local(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host
}

// markRead sets a person's unread mark behind the last message of a channel.
func (s *Server) markRead(user, channel string) error {
	return s.update(func(st *state) error {
		if _, _, err := s.see(st, user, channel); err != nil {
			return err
		}
		l := st.messages[channel]
		if len(l) == 0 || st.read[user][channel] >= l[len(l)-1].TS {
			return nil
		}
		if st.read[user] == nil {
			st.read[user] = map[string]string{}
		}
		st.read[user][channel] = l[len(l)-1].TS
		st.rev++
		return nil
	})
}

// dismiss removes an ephemeral message from its one reader's sight.
func (s *Server) dismiss(user, channel, ts string) error {
	return s.update(func(st *state) error {
		i := st.find(channel, ts)
		if i < 0 || st.messages[channel][i].OnlyFor != user {
			return ErrNotThere
		}
		st.remove(channel, i)
		return nil
	})
}
