package rossim

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/ros/schema"
)

// router makes a router that is closed, and found to close, with the test.
func router(t testing.TB, o Options) *Router {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// listening serves r on loopback and returns the address.
func listening(t testing.TB, r *Router) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// raw is a client of nothing but sentences.
type raw struct {
	t  testing.TB
	nc net.Conn
	br *bufio.Reader
}

func dial(t testing.TB, addr string) *raw {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return client(t, nc)
}

func client(t testing.TB, nc net.Conn) *raw {
	t.Helper()
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &raw{t, nc, bufio.NewReader(nc)}
}

// member is a client that has logged in as admin.
func member(t testing.TB, r *Router) *raw {
	t.Helper()
	return user(t, r, "admin", "")
}

func user(t testing.TB, r *Router, name, password string) *raw {
	t.Helper()
	c := dial(t, listening(t, r))
	c.want("/login =name="+name+" =password="+password, "!done")
	return c
}

func (c *raw) send(words ...string) {
	c.t.Helper()
	if _, err := c.nc.Write(appendSentence(nil, words...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *raw) next() string {
	c.t.Helper()
	s, err := readSentence(c.br, wide)
	if err != nil {
		c.t.Fatalf("reading a reply: %v", err)
	}
	return strings.Join(s.words, " ")
}

// ask sends a sentence, words with a blank between them, and returns the
// replies up to !done or !fatal.
func (c *raw) ask(line string) []string {
	c.t.Helper()
	c.send(strings.Split(line, " ")...)
	var replies []string
	for {
		s := c.next()
		replies = append(replies, s)
		if strings.HasPrefix(s, "!done") || strings.HasPrefix(s, "!fatal") {
			return replies
		}
	}
}

func (c *raw) want(line string, replies ...string) {
	c.t.Helper()
	if diff := cmp.Diff(replies, c.ask(line)); diff != "" {
		c.t.Errorf("%s (-want +got):\n%s", line, diff)
	}
}

// gone fails unless the router closes the connection.
func (c *raw) gone() {
	c.t.Helper()
	if s, err := readSentence(c.br, wide); err == nil {
		c.t.Errorf("got %q, want a closed connection", s.words)
	} else if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		c.t.Error("the connection stays open")
	}
}

// Ensure the exact bytes of a session, login to farewell, are those of a
// router.
func TestWire_Bytes(t *testing.T) {
	r := router(t, Options{Name: "gw"})
	c := dial(t, listening(t, r))
	send := "\x06/login\x0b=name=admin\x0a=password=\x06.tag=7\x00" +
		"\x16/system/identity/print\x06.tag=8\x00" +
		"\x05/quit\x00"
	want := "\x05!done\x06.tag=7\x00" +
		"\x03!re\x08=name=gw\x06.tag=8\x00\x05!done\x06.tag=8\x00" +
		"\x06!fatal\x1dsession terminated on request\x00"
	for i := range len(send) {
		if _, err := c.nc.Write([]byte{send[i]}); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, len(want))
	if _, err := readFull(c, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	c.gone()
}

func readFull(c *raw, b []byte) (int, error) {
	n := 0
	for n < len(b) {
		m, err := c.br.Read(b[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Ensure login takes the right password only, says so in the router's words,
// and that nothing but login is answered before it.
func TestLogin(t *testing.T) {
	r := router(t, Options{})
	if _, err := r.Add("/user", schema.Row{"name": "op", "password": "s3cret", "group": "read"}); err != nil {
		t.Fatal(err)
	}
	addr := listening(t, r)
	c := dial(t, addr)
	refused := []string{"!trap =message=invalid user name or password (6)", "!done"}
	c.want("/login =name=op =password=wrong", refused...)
	c.want("/login =name=nobody =password=", refused...)
	c.want("/login", refused...)
	c.want("/login =name=op =password=S3CRET .tag=1", "!trap =message=invalid user name or password (6) .tag=1", "!done .tag=1")
	c.want("/login =name=op =password=s3cret", "!done")
	if got, failed := r.Logins(), r.FailedLogins(); got != 1 || failed != 4 {
		t.Errorf("logins = %d, %d failed, want 1 and 4", got, failed)
	}
	logged(t, r, "system,info,account user op logged in from 127.0.0.1 via api")
	logged(t, r, "system,error,critical login failure for user op from 127.0.0.1 via api")

	c = dial(t, addr)
	c.want("/system/identity/print", "!fatal not logged in")
	c.gone()
}

// logged fails unless the log holds the row "topics message".
func logged(t testing.TB, r *Router, want string) {
	t.Helper()
	var lines []string
	for _, row := range r.Rows("/log") {
		lines = append(lines, row["topics"]+" "+row["message"])
	}
	if !slices.Contains(lines, want) {
		t.Errorf("log has no %q in:\n%s", want, strings.Join(lines, "\n"))
	}
}

// Ensure a client that has not logged in cannot send much.
func TestLogin_Limits(t *testing.T) {
	addr := listening(t, router(t, Options{}))
	t.Run("a long word", func(t *testing.T) {
		c := dial(t, addr)
		c.send("/login", "=name="+strings.Repeat("x", 5000))
		if got := c.next(); !strings.HasPrefix(got, "!fatal ") {
			t.Errorf("got %q", got)
		}
		c.gone()
	})
	t.Run("many words", func(t *testing.T) {
		c := dial(t, addr)
		c.send(slices.Repeat([]string{"=a=b"}, 100)...)
		if got := c.next(); !strings.HasPrefix(got, "!fatal ") {
			t.Errorf("got %q", got)
		}
		c.gone()
	})
	t.Run("many sentences", func(t *testing.T) {
		c := dial(t, addr)
		for range strangerSentences {
			c.ask("/login =name=admin =password=guess")
		}
		if got := c.ask("/login =name=admin =password="); !strings.HasPrefix(got[0], "!fatal ") {
			t.Errorf("got %q", got)
		}
		c.gone()
	})
	t.Run("a control byte", func(t *testing.T) {
		c := dial(t, addr)
		if _, err := c.nc.Write([]byte{0xFF}); err != nil {
			t.Fatal(err)
		}
		c.gone()
	})
}

// Ensure commands sent without waiting are all answered, in order, each under
// its own tag.
func TestWire_InFlight(t *testing.T) {
	r := router(t, Options{Latency: time.Millisecond})
	c := member(t, r)
	for _, tag := range []string{"a", "b", "c"} {
		c.send("/system/identity/print", ".tag="+tag)
	}
	var got []string
	for range 6 {
		got = append(got, c.next())
	}
	want := []string{
		"!re =name=MikroTik .tag=a", "!done .tag=a", "!re =name=MikroTik .tag=b", "!done .tag=b", "!re =name=MikroTik .tag=c", "!done .tag=c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ensure every class of mistake gets its own text and category.
func TestWire_Errors(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/ppp/secret/add =name=taken", "!done =ret=*1")
	for _, tt := range []struct{ line, trap string }{
		{"/xxx", "=category=0 =message=no such command"},
		{"/nowhere/print", "=category=0 =message=no such command prefix"},
		{"/ppp/secret/frobnicate", "=category=0 =message=no such command"},
		{"/ip/frobnicate", "=category=0 =message=no such command"},
		{"noslash", "=category=0 =message=no such command"},
		{"/ppp/secret/set =.id=*99 =comment=x", "=category=0 =message=no such item"},
		{"/ppp/secret/remove =.id=nobody", "=category=0 =message=no such item"},
		{"/ppp/secret/remove", "=message=missing value(s) of argument(s) numbers"},
		{"/ppp/secret/add =name=a =colour=red", "=message=unknown parameter"},
		{"/ppp/secret/add =name=a =last-caller-id=x", "=message=unknown parameter"},
		{"/ppp/secret/print =colour=", "=message=unknown parameter"},
		{"/ppp/secret/print stray", "=message=unknown parameter"},
		{"/ppp/secret/add =password=x", "=message=missing value(s) of argument(s) name"},
		{"/ip/pool/add", "=message=missing value(s) of argument(s) name ranges"},
		{"/ppp/secret/add =name=", "=category=1 =message=invalid value for argument name"},
		{"/ppp/secret/add =name=a =profile=gold", "=category=1 =message=input does not match any value of profile"},
		{"/ppp/secret/add =name=a =service=ssh", "=category=1 =message=input does not match any value of service"},
		{"/ppp/secret/add =name=a =service=p", "=category=1 =message=ambiguous value of service, more than one possible value matches input"},
		{"/ppp/secret/add =name=a =remote-address=10.0.0.300", "=category=1 =message=invalid value for argument remote-address"},
		{"/ppp/secret/add =name=a =remote-address=10.0.0.1,10.0.0.2", "=category=1 =message=invalid value for argument remote-address"},
		{"/ppp/secret/add =name=a =disabled=maybe", "=category=1 =message=input does not match any value of disabled"},
		{"/ppp/secret/add =name=taken", "=category=4 =message=failure: secret with the same name already exists"},
		{"/ip/ipsec/profile/add =name=default", "=category=4 =message=failure: already have such entry"},
		{"/interface/l2tp-server/server/set =max-mtu=3", "=category=1 =message=value of max-mtu out of range (64..65535)"},
		{"/ppp/profile/remove =numbers=default", "=category=4 =message=failure: not allowed to remove"},
		{"/ppp/secret/move =numbers=*1", "=category=0 =message=no such command"},
	} {
		c.want(tt.line+" .tag=9", "!trap "+tt.trap+" .tag=9", "!done .tag=9")
	}
	if n := len(r.Rows("/ppp/secret")); n != 1 {
		t.Errorf("%d secrets, want the one", n)
	}
}

// Ensure values too long for a router are refused and the session goes on.
func TestWire_LongValues(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	for _, n := range []int{maxValue + 1, memberLimits.word + 1, 3 << 20} {
		c.send("/ppp/secret/add", "=name=long", "=comment="+strings.Repeat("x", n))
		if got := c.next(); got != "!trap =category=4 =message=failure: contents too long" {
			t.Errorf("%d bytes: %q", n, got)
		}
		if got := c.next(); got != "!done" {
			t.Errorf("%d bytes: %q", n, got)
		}
	}
	comment := strings.Repeat("y", 0x4000)
	c.send("/ppp/secret/add", "=name=a", "=comment="+comment)
	c.next()
	if got := c.ask("/ppp/secret/print =.proplist=comment"); got[0] != "!re =comment="+comment {
		t.Errorf("a comment of %d bytes did not come back", len(comment))
	}
}

// Ensure !empty stands before !done when, and only when, print has no rows.
func TestPrint_Empty(t *testing.T) {
	c := member(t, router(t, Options{}))
	c.want("/ppp/active/print .tag=1", "!empty .tag=1", "!done .tag=1")
	c.want("/ppp/secret/getall", "!empty", "!done")
	c.want("/ppp/profile/print ?name=none =.proplist=name", "!empty", "!done")
	c.want("/ppp/active/print =count-only=", "!done =ret=0")
	c.want("/ppp/profile/print =.proplist=nothing", "!re", "!re", "!done")
	c.want("/ppp/profile/print =count-only=", "!done =ret=2")
}

// Ensure print answers what it is asked for, in the order it is asked.
func TestPrint(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/ip/pool/add =name=vpn =ranges=10.9.0.2-10.9.0.5,10.9.1.0/30", "!done =ret=*1")
	c.want("/ip/pool/print", "!re =.id=*1 =available=8 =name=vpn =ranges=10.9.0.2-10.9.0.5,10.9.1.0/30 =total=8 =used=0", "!done")
	c.want("/ip/pool/print =detail= =.proplist=ranges,.id,next-pool", "!re =ranges=10.9.0.2-10.9.0.5,10.9.1.0/30 =.id=*1", "!done")
	c.want("/ip/pool/print .proplist=name", "!re =name=vpn", "!done")
	c.want("/ppp/profile/print =.proplist=.id,name", "!re =.id=*0 =name=default", "!re =.id=*FFFFFFFE =name=default-encryption", "!done")
	c.want("/ppp/profile/print =.id=*0 =.proplist=name", "!re =name=default", "!done")
	c.want("/ppp/profile/print ?name=default ?.id=*FFFFFFFE ?#| =.proplist=name", "!re =name=default", "!re =name=default-encryption", "!done")
	c.want("/ppp/profile/get =.id=*0 =value-name=name", "!done =ret=default")
	c.want("/ppp/profile/get =.id=*7 =value-name=name", "!trap =category=0 =message=no such item", "!done")
	c.want("/ppp/profile/find", "!done =ret=*0;*FFFFFFFE")
	c.want("/system/identity/get =value-name=name", "!done =ret=MikroTik")
	c.want("/system/identity/print", "!re =name=MikroTik", "!done")
	c.want("/system/resource/print =.proplist=version,board-name", "!re =version=7.22.3 (stable) =board-name=RB5009UG+S+", "!done")
}

// Ensure listen reports additions, changes and removals until it is cancelled.
func TestListen(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.send("/ppp/secret/listen", "=.proplist=.id,name,comment", ".tag=L")
	c.want("/ppp/aaa/set =accounting=no .tag=x", "!done .tag=x") // listen has begun once a later command is answered
	id, err := r.Add("/ppp/secret", schema.Row{"name": "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.next(); got != "!re =.id=*1 =name=alice .tag=L" {
		t.Errorf("added: %q", got)
	}
	if err := r.Set("/ppp/secret", id, schema.Row{"comment": "hi"}); err != nil {
		t.Fatal(err)
	}
	if got := c.next(); got != "!re =.id=*1 =name=alice =comment=hi .tag=L" {
		t.Errorf("changed: %q", got)
	}
	if err := r.Remove("/ppp/secret", id); err != nil {
		t.Fatal(err)
	}
	if got := c.next(); got != "!re =.id=*1 =.dead=true .tag=L" {
		t.Errorf("removed: %q", got)
	}
	c.send("/cancel", "=tag=L", ".tag=C")
	var got []string
	for range 3 {
		got = append(got, c.next())
	}
	want := []string{"!trap =category=2 =message=interrupted .tag=L", "!done .tag=C", "!done .tag=L"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cancel (-want +got):\n%s", diff)
	}
}

// Ensure cancel without a tag ends everything that runs and nothing else.
func TestCancel_All(t *testing.T) {
	c := member(t, router(t, Options{}))
	c.send("/log/print", "=follow-only=", ".tag=1")
	c.send("/ppp/secret/listen", ".tag=2")
	c.send("/cancel")
	var got []string
	for range 5 {
		got = append(got, c.next())
	}
	want := []string{
		"!trap =category=2 =message=interrupted .tag=1", "!trap =category=2 =message=interrupted .tag=2",
		"!done", "!done .tag=1", "!done .tag=2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.want("/system/identity/print", "!re =name=MikroTik", "!done")
}

// Ensure TLS works, the fingerprint is that of the certificate seen, and a
// changed certificate is seen by the next connection.
func TestServeTLS(t *testing.T) {
	r := router(t, Options{})
	cert, print, err := Certificate("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.ServeTLS(l, cert) }()
	seen := func() string {
		nc, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		c := client(t, nc)
		c.want("/login =name=admin =password=", "!done")
		sum := sha256.Sum256(nc.ConnectionState().PeerCertificates[0].Raw)
		return "sha256:" + strings.ToUpper(hex.EncodeToString(sum[:]))
	}
	if got := seen(); got != print {
		t.Errorf("fingerprint = %s, want %s", got, print)
	}
	other, otherPrint, err := Certificate("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	r.SetCertificate(other)
	if got := seen(); got != otherPrint || got == print {
		t.Errorf("fingerprint = %s, want the new %s", got, otherPrint)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Errorf("ServeTLS: %v", err)
	}
}
