package ros

import (
	"errors"
	"net"
	"testing"
	"time"

	routeros "github.com/go-routeros/routeros/v3"

	"vpnbot/ros/schema"
)

// Ensure nothing that writes leaves a session unless the allow-list has each word
// of it, whoever asks.
func TestSession_Gate(t *testing.T) {
	allowed := [][]string{
		{"/user/print", "=.proplist=name"},
		{"/ping", "=address=192.0.2.1"},
		{"/ppp/secret/add", "=name=a", "=password=b", "=comment=c"},
		{"/ppp/secret/remove", "=.id=*1,*2"},
		{"/ip/ipsec/policy/set", "=.id=*1", "=!level=", "=peer=a"},
		{"/ip/firewall/nat/add", "=chain=srcnat", "=place-before=*1"},
		{"/system/scheduler/enable", "=.id=*1"},
	}
	refused := [][]string{
		{"/user/add", "=name=a"},
		{"/user/remove", "=.id=*1"},
		{"/system/reboot"},
		{"/ppp/secret/set", "=.id=*1", "=last-logged-out=x"},
		{"/ppp/secret/add", "=name=a", "=last-caller-id=x"},
		{"/ppp/secret/add", "=name=a", "=copy-from=*1"},
		{"/ppp/secret/add", "=name=a", "=!last-caller-id="},
		{"/ip/ipsec/policy/move", "=.id=*1", "=destination=*2"},
		{"/ip/ipsec/active-peers/kill-connections"},
		{"/ip/ipsec/installed-sa/flush"},
		{"/execute", "=script=:put 1"},
		{"/system/script/run", "=.id=*1"},
		{"/file/add", "=name=a"},
		{"/export"},
		{"/ppp/secret/comment", "=.id=*1", "=comment=a"},
	}
	for _, words := range append(allowed, []string{"/ppp/secret/add", "=name=print"}) {
		if err := (command{words: words}).gate(); err != nil {
			t.Errorf("%q: %v", words, err)
		}
	}
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	s := &session{guard: &guard{Conn: near, raw: near}}
	var err error
	if s.client, err = routeros.NewClient(s.guard); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, words := range refused {
		a, err := s.run(t.Context(), command{words: words, timeout: time.Second})
		if !errors.Is(err, schema.ErrNotAllowed) || a.sent || s.guard.written != 0 {
			t.Errorf("%q: got %v with %d bytes written, want it refused", words, err, s.guard.written)
		}
	}
	for _, words := range [][]string{{"add"}, {"/ppp/secret/add", "name"}, {"/ppp/secret/add", "?name=a"}, {"/ip/route/print", "?gateway=a"}, {"/ip/route/remove", "?dst-address=0.0.0.0/0"}} {
		if err := (command{words: words}).gate(); !errors.Is(err, ErrStep) {
			t.Errorf("%q: got %v, want %v", words, err, ErrStep)
		}
	}
}
