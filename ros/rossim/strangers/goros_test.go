package strangers

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-routeros/routeros/v3"
)

// asyncLatency is how long a router takes over a command for go-routeros in its
// asynchronous mode, which loses replies that come sooner than it has noted the
// tag that it has just sent.
const asyncLatency = 100 * time.Millisecond

// asyncTries is how often an asynchronous play may lose a reply all the same.
const asyncTries = 5

// asked is what a command has in reply: rows, or the trap's message.
type asked struct {
	rows []map[string]string
	ret  string
	trap string
}

// ask runs a command of go-routeros and sorts its reply.
func ask(ctx context.Context, c *routeros.Client, words ...string) (asked, error) {
	reply, err := c.RunArgsContext(ctx, words)
	if d, ok := errors.AsType[*routeros.DeviceError](err); ok {
		return asked{trap: d.Sentence.Map["message"]}, nil
	}
	if err != nil {
		return asked{}, fmt.Errorf("%s: %w", words[0], err)
	}
	a := asked{ret: reply.Done.Map["ret"]}
	for _, re := range reply.Re {
		a.rows = append(a.rows, re.Map)
	}
	return a, nil
}

// pinned trusts the one certificate that the router's line names.
func (r router) pinned() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // compared below
		VerifyConnection: func(s tls.ConnectionState) error {
			digest := sha256.Sum256(s.PeerCertificates[0].Raw)
			if got := "sha256:" + hex.EncodeToString(digest[:]); got != strings.ToLower(r.fingerprint) {
				return x509.CertificateInvalidError{Cert: s.PeerCertificates[0], Detail: got}
			}
			return nil
		},
	}
}

// Ensure go-routeros, one command at a time, finds what RouterOS would answer,
// over TLS and in the clear.
func TestGoRouteros(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			r := simulate(t, version)
			_, err := routeros.DialContext(t.Context(), r.plain, r.user, "not "+r.password)
			if d, ok := errors.AsType[*routeros.DeviceError](err); !ok || d.Sentence.Map["message"] != "invalid user name or password (6)" {
				t.Errorf("wrong password: %v", err)
			}
			c, err := routeros.DialTLSContext(t.Context(), r.secure, r.user, r.password, r.pinned())
			if err != nil {
				t.Fatal(err)
			}
			accounts(t, func(words ...string) (asked, error) { return ask(t.Context(), c, words...) })
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Ensure go-routeros finds the same in its asynchronous mode, commands of many
// goroutines in flight on one connection.
func TestGoRouteros_Async(t *testing.T) {
	r := simulate(t, "7.22.3", "--latency", asyncLatency.String())
	lost(t, func(ctx context.Context) error {
		c, err := routeros.DialContext(ctx, r.plain, r.user, r.password)
		if err != nil {
			return err
		}
		failed := c.AsyncContext(ctx)
		var wg sync.WaitGroup
		replies, errs := make([]asked, 24), make([]error, 24)
		for i := range replies {
			words := []string{"/ppp/profile/print", fmt.Sprintf("?.id=*%d", i%3)} // one in three is there
			if i%4 == 3 {
				words = []string{fmt.Sprintf("/ppp/profile/frobnicate%d", i)}
			}
			wg.Go(func() { replies[i], errs[i] = ask(ctx, c, words...) })
		}
		wg.Wait()
		if err := errors.Join(append(errs, c.Close())...); err != nil {
			return err
		}
		if err := <-failed; err != nil {
			return err
		}
		for i, a := range replies {
			switch {
			case i%4 == 3 && !strings.HasPrefix(a.trap, "no such command"):
				t.Errorf("command %d: %+v, want a trap", i, a)
			case i%4 != 3 && i%3 == 0 && (len(a.rows) != 1 || a.rows[0]["name"] != "default"):
				t.Errorf("command %d: %+v, want one row", i, a)
			case i%4 != 3 && i%3 != 0 && (len(a.rows) != 0 || a.trap != ""):
				t.Errorf("command %d: %+v, want no row", i, a)
			}
		}
		return nil
	})
}

// Ensure go-routeros hears of changes until it cancels.
func TestGoRouteros_Listen(t *testing.T) {
	r := simulate(t, "7.22.3", "--latency", asyncLatency.String())
	lost(t, func(ctx context.Context) error {
		c, err := routeros.DialContext(ctx, r.plain, r.user, r.password)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }() // what is heard counts
		changer, err := routeros.DialContext(ctx, r.plain, r.user, r.password)
		if err != nil {
			return err
		}
		defer func() { _ = changer.Close() }() // what is heard counts
		heard, err := c.ListenArgsQueueContext(ctx, []string{"/ip/pool/listen"}, 16)
		if err != nil {
			return err
		}
		if _, err := ask(ctx, c, "/ip/pool/print"); err != nil { // listen is under way then: it was sent first
			return err
		}
		added, err := ask(ctx, changer, "/ip/pool/add", "=name=heard", "=ranges=10.0.0.1")
		if err != nil {
			return err
		}
		if _, err := ask(ctx, changer, "/ip/pool/remove", "=.id="+added.ret); err != nil {
			return err
		}
		var got []string
		for range 2 {
			select {
			case s := <-heard.Chan():
				got = append(got, s.Map[".id"]+" "+s.Map["name"]+" "+s.Map[".dead"])
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if want := []string{added.ret + " heard ", added.ret + "  true"}; !slices.Equal(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
		if _, err := heard.CancelContext(ctx); err != nil {
			return err
		}
		for range heard.Chan() { // until the end
		}
		if heard.Err() != nil || heard.Done.Map["message"] != "interrupted" {
			t.Errorf("ended with %v, %v, want interrupted", heard.Done, heard.Err())
		}
		return nil
	})
}

// lost plays until no reply is lost.
func lost(t *testing.T, play func(context.Context) error) {
	t.Helper()
	for range asyncTries {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := play(ctx)
		cancel()
		if err == nil {
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		t.Logf("a reply was lost: %v", err)
	}
	t.Fatalf("a reply was lost in each of %d plays", asyncTries)
}

// accounts adds, reads, changes and removes accounts.
func accounts(t *testing.T, ask func(words ...string) (asked, error)) {
	t.Helper()
	must := func(words ...string) asked {
		t.Helper()
		a, err := ask(words...)
		if err != nil || a.trap != "" {
			t.Fatalf("%q: %q, %v", words, a.trap, err)
		}
		return a
	}
	refused := func(want string, words ...string) {
		t.Helper()
		if a, err := ask(words...); err != nil || !strings.HasPrefix(a.trap, want) {
			t.Errorf("%q: %+v, %v; want %q", words, a, err, want)
		}
	}
	if a := must("/ppp/secret/print"); len(a.rows) != 0 {
		t.Errorf("accounts at first: %v", a.rows)
	}
	id := must("/ppp/secret/add", "=name=user1", "=password=pw", "=service=l2tp").ret
	must("/ppp/secret/set", "=.id="+id, "=comment=set", "=disabled=yes")
	a := must("/ppp/secret/print", "?name=user1", "=.proplist=.id,name,service,profile,disabled,comment,nosuch")
	want := map[string]string{".id": id, "name": "user1", "service": "l2tp", "profile": "default", "disabled": "true", "comment": "set"}
	if len(a.rows) != 1 || fmt.Sprint(a.rows[0]) != fmt.Sprint(want) {
		t.Errorf("account: %v, want %v", a.rows, want)
	}
	refused("failure: secret with the same name already exists", "/ppp/secret/add", "=name=user1")
	refused("input does not match any value of profile", "/ppp/secret/set", "=.id="+id, "=profile=nosuch")
	refused("unknown parameter", "/ppp/secret/set", "=.id="+id, "=frob=1")
	refused("no such command", "/ppp/secret/frobnicate")
	refused("no such command", "/xxx")
	must("/ppp/secret/remove", "=.id="+id)
	refused("no such item", "/ppp/secret/remove", "=.id="+id)
}

// Ensure the tests that go-routeros brings for a live router hold before the
// simulator, all but one about DNS, which is not simulated.
func TestGoRouteros_Own(t *testing.T) {
	tests := []string{"TestRunSync", "TestRunAsync", "TestRunError", "TestInvalidLogin"}
	r := simulate(t, "7.22.3", "--latency", asyncLatency.String())
	for try := range asyncTries {
		cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "^("+strings.Join(tests, "|")+")$", "github.com/go-routeros/routeros/v3")
		cmd.Env = append(cmd.Environ(), "ROUTEROS_TEST_ADDRESS="+r.plain, "ROUTEROS_TEST_USERNAME="+r.user, "ROUTEROS_TEST_PASSWORD="+r.password)
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), context.DeadlineExceeded.Error()) && try < asyncTries-1 {
			t.Log("a reply was lost")
			continue
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, name := range tests {
			if !strings.Contains(string(out), "--- PASS: "+name+" ") {
				t.Errorf("%s was not passed:\n%s", name, out)
			}
		}
		return
	}
}
