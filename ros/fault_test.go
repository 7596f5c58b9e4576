package ros_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros"
	"vpnbot/ros/schema"
)

const (
	password = "Kq7mPz4wTnB9rXcV2sHd"
	timeout  = 3 * time.Second
)

// vault opens every name to the same password.
type vault struct{}

func (vault) Open(context.Context, secret.Ref) (secret.Secret, error) {
	return secret.New(password), nil
}

func addStep() change.Step {
	return change.Step{
		ID: 1, Router: "r", Menu: "/ppp/secret", Action: schema.Add, Class: change.Twin,
		Match:   schema.Row{"name": "vpn-01"},
		After:   schema.Row{"name": "vpn-01", "service": "l2tp", "comment": "陳小明"},
		Secrets: map[string]secret.Ref{"password": "ref-1"},
	}
}

// faults are answers to one command that no client may trust. tag is the whole
// word that repeats the command's tag.
var faults = []struct {
	name   string
	answer func(tag string) string
	want   error // of a read
}{
	{"silence", func(string) string { return "" }, ros.ErrTimeout},
	{"half a sentence", func(string) string { return "\x05!re" }, ros.ErrTimeout},
	{"half a length", func(string) string { return "\xC0" }, ros.ErrTimeout},
	{"rows without end", func(tag string) string { return frame("!re", tag) }, ros.ErrTimeout},
	{"empty sentences", func(string) string { return "\x00\x00\x00" }, ros.ErrTimeout},
	{"trap without end", func(tag string) string { return frame("!trap", "=message=no such item", tag) }, ros.ErrTimeout},
	{"huge word, four bytes", func(string) string { return "\xEF\xFF\xFF\xFF" }, ros.ErrProtocol},
	{"huge word, five bytes", func(string) string { return "\xF0\xFF\xFF\xFF\xFF" }, ros.ErrProtocol},
	{"control byte", func(string) string { return "\xF8" }, ros.ErrProtocol},
	{"too many words", func(string) string { return strings.Repeat("\x02=a", 300) }, ros.ErrProtocol},
	{"garbage", func(string) string { return "HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat("\x00", 99) }, ros.ErrProtocol},
	{"word without sense", func(tag string) string { return frame("!re", "hello", tag) + frame("!done", tag) }, ros.ErrProtocol},
	{"unknown reply", func(tag string) string { return frame("!what", tag) }, ros.ErrProtocol},
	{"bare fatal", func(string) string { return frame("!fatal", "session terminated on request") }, ros.ErrUnreachable},
	{"fatal with message", func(string) string { return frame("!fatal", "=message=going down") }, ros.ErrUnreachable},
	{"another command's answer", func(string) string { return frame("!done", ".tag=77") }, ros.ErrProtocol},
	{"row of another command", func(tag string) string { return frame("!re", ".tag=77") + frame("!done", tag) }, ros.ErrProtocol},
	{"trap of another command", func(tag string) string {
		return frame("!trap", "=message=no such item", ".tag=77") + frame("!done", tag)
	}, ros.ErrProtocol},
	{"answer without a tag", func(string) string { return frame("!done") }, ros.ErrProtocol},
	{"bytes behind the answer", func(tag string) string { return frame("!done", tag) + frame("!re", tag) }, ros.ErrProtocol},
}

// Ensure a read ends with a plain reason within its time, whatever a router
// sends, and that the next one works on a new connection.
func TestSnapshot_Faults(t *testing.T) {
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{script: answering("/ppp/secret/print", tt.answer)}
				f := s.fleet(t, timeout)
				start := time.Now()
				_, err := f.Snapshot(t.Context(), "r", "/ppp/secret")
				if !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				if took := time.Since(start); took > timeout {
					t.Errorf("took %v, want at most %v", took, timeout)
				}
				if _, err := f.Snapshot(t.Context(), "r", "/ip/pool"); err != nil {
					t.Errorf("next read: %v", err)
				}
				if got := s.dials.Load(); got != 2 {
					t.Errorf("got %d connections, want 2: the first is in doubt", got)
				}
			})
		})
	}
}

// Ensure a write whose answer cannot be trusted has an unknown outcome and is
// sent once, also on a connection that worked before.
func TestExecute_Faults(t *testing.T) {
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				play := answering("/ppp/secret/add", tt.answer)
				s := &scripted{script: func(w *wire, words []string, tag string) bool {
					if words[0] == "/ppp/secret/add" {
						if sent++; sent == 1 {
							return polite(w, words, tag)
						}
					}
					return play(w, words, tag)
				}}
				f := s.fleet(t, timeout)
				if err := f.Execute(t.Context(), "r", 7, addStep(), vault{}); err != nil {
					t.Fatal(err)
				}
				err := f.Execute(t.Context(), "r", 7, addStep(), vault{})
				if !errors.Is(err, ros.ErrUnknownOutcome) || !errors.Is(err, tt.want) {
					t.Errorf("got %v, want an unknown outcome because of %v", err, tt.want)
				}
				step, ok := errors.AsType[*ros.StepError](err)
				if !ok || step.Step != 1 || step.Router != "r" || step.Menu != "/ppp/secret" {
					t.Errorf("got %+v, want the step named", step)
				}
				if sent != 2 {
					t.Errorf("sent %d times, want once for each call", sent)
				}
			})
		})
	}
}

// Ensure a write that the connection took in part is known not to have happened,
// and one that it took whole is not known.
func TestExecute_CutOff(t *testing.T) {
	want := frame("/ppp/secret/add", "=comment=陳小明 [vpnbot 7.1]", "=name=vpn-01", "=service=l2tp",
		"=password="+password, ".tag=2")
	for n := range len(want) + 1 {
		synctest.Test(t, func(t *testing.T) {
			s := &scripted{script: func(w *wire, words []string, tag string) bool {
				polite(w, words, tag)
				got := make([]byte, n)
				if _, err := io.ReadFull(w.r, got); err != nil || string(got) != want[:n] {
					t.Errorf("got %q, %v, want %q", got, err, want[:n])
				}
				return false
			}}
			s.unbuffered = true
			err := s.fleet(t, timeout).Execute(t.Context(), "r", 7, addStep(), vault{})
			if got := errors.Is(err, ros.ErrUnknownOutcome); got != (n == len(want)) {
				t.Errorf("cut after %d of %d bytes: unknown %v (%v)", n, len(want), got, err)
			}
		})
	}
}

// Ensure a cancelled context ends a read and a write at once.
func TestCancel(t *testing.T) {
	silent := func(string) string { return "" }
	tests := []struct {
		name string
		call func(ctx context.Context, f *ros.Fleet) error
	}{
		{"/ppp/secret/print", func(ctx context.Context, f *ros.Fleet) error {
			_, err := f.Snapshot(ctx, "r", "/ppp/secret")
			return err
		}},
		{"/ppp/secret/add", func(ctx context.Context, f *ros.Fleet) error {
			return f.Execute(ctx, "r", 7, addStep(), vault{})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := (&scripted{script: answering(tt.name, silent)}).fleet(t, time.Hour)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				start := time.Now()
				err := tt.call(ctx, f)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want %v", err, context.Canceled)
				}
				if got, want := errors.Is(err, ros.ErrUnknownOutcome), tt.name == "/ppp/secret/add"; got != want {
					t.Errorf("unknown outcome: got %v, want %v", got, want)
				}
				if got := time.Since(start); got != time.Second {
					t.Errorf("took %v, want 1s", got)
				}
			})
		})
	}
}

// Ensure a caller's own deadline counts when it is shorter than the default.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := (&scripted{script: answering("/ip/pool/print", func(string) string { return "" })}).fleet(t, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := f.Snapshot(ctx, "r", "/ip/pool")
		if !errors.Is(err, ros.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, ros.ErrTimeout)
		}
	})
}

// Ensure Close ends calls under way, waits for them, and nothing works later.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := (&scripted{script: answering("/ip/pool/print", func(string) string { return "" })}).fleet(t, time.Hour)
		ended := make(chan error)
		go func() {
			_, err := f.Snapshot(t.Context(), "r", "/ip/pool")
			ended <- err
		}()
		synctest.Wait()
		go f.Close()
		if err := <-ended; !errors.Is(err, ros.ErrClosed) {
			t.Errorf("got %v, want %v", err, ros.ErrClosed)
		}
		if _, err := f.Snapshot(t.Context(), "r"); !errors.Is(err, ros.ErrClosed) {
			t.Errorf("got %v, want %v", err, ros.ErrClosed)
		}
		if got := f.Stats()[0].Open; got != 0 {
			t.Errorf("got %d open connections, want none", got)
		}
	})
}

// Ensure a trap is a definite failure on a connection that stays, and that of
// several traps the first decides and all are told.
func TestExecute_Traps(t *testing.T) {
	tests := []struct {
		name    string
		traps   [][]string
		want    error
		kind    ros.Kind
		message string
	}{
		{
			"exists",
			[][]string{{"=message=failure: secret with the same name already exists"}},
			ros.ErrRowExists, ros.KindExists, "failure: secret with the same name already exists",
		},
		{
			"permission",
			[][]string{{"=message=not enough permissions (9)"}},
			ros.ErrPermission, ros.KindPermission, "not enough permissions (9)",
		},
		{
			"flagged",
			[][]string{{"=category=4", "=message=failure: configuration flagged, check all router configuration"}},
			ros.ErrFlagged, ros.KindFlagged, "failure: configuration flagged, check all router configuration",
		},
		{
			"two",
			[][]string{{"=category=1", "=message=invalid value for argument service"}, {"=message=no such item"}},
			nil, ros.KindValue, "invalid value for argument service; no such item",
		},
		{
			"secret repeated",
			[][]string{{"=message=invalid value for argument password: " + password}},
			nil, ros.KindValue, "invalid value for argument password: [secret]",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &scripted{script: answering("/ppp/secret/add", func(tag string) string {
				var b strings.Builder
				for _, words := range tt.traps {
					b.WriteString(frame(append([]string{"!trap", tag}, words...)...))
				}
				return b.String() + frame("!done", tag)
			})}
			f := s.fleet(t, timeout)
			for range 2 {
				err := f.Execute(t.Context(), "r", 7, addStep(), vault{})
				trap, ok := errors.AsType[*ros.TrapError](err)
				if !ok || trap.Kind != tt.kind || trap.Message != tt.message {
					t.Fatalf("got %v (%+v), want %v %q", err, trap, tt.kind, tt.message)
				}
				if errors.Is(err, ros.ErrUnknownOutcome) {
					t.Errorf("got %v, want a definite failure", err)
				}
				if tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if strings.Contains(err.Error(), password) {
					t.Error("the error shows the password")
				}
			}
			if got := s.dials.Load(); got != 1 {
				t.Errorf("got %d connections, want 1", got)
			}
		})
	}
}

// Ensure an interrupted write counts as one of unknown outcome.
func TestExecute_Interrupted(t *testing.T) {
	for _, message := range []string{"interrupted", "failure: std failure: timeout (13)"} {
		f := (&scripted{script: answering("/ppp/secret/add", func(tag string) string {
			return frame("!trap", "=message="+message, tag) + frame("!done", tag)
		})}).fleet(t, timeout)
		if err := f.Execute(t.Context(), "r", 7, addStep(), vault{}); !errors.Is(err, ros.ErrUnknownOutcome) {
			t.Errorf("%s: got %v, want %v", message, err, ros.ErrUnknownOutcome)
		}
	}
}

// Ensure login failures are told apart from each other and show no password.
func TestLogin_Faults(t *testing.T) {
	tests := []struct {
		name, answer string
		want         error
	}{
		{"refused", frame("!trap", "=message=invalid user name or password (6)") + frame("!done"), ros.ErrLogin},
		{"refused and hung up", frame("!trap", "=message=cannot log in: read-only-password"), ros.ErrLogin},
		{"fatal", frame("!fatal", "too many sessions"), ros.ErrUnreachable},
		{"silence", "\x03", ros.ErrTimeout},
		{"garbage", "SSH-2.0-ROSSSH\r\n" + strings.Repeat("A", 200), ros.ErrProtocol},
		{"challenge of old versions", frame("!done", "=ret="+strings.Repeat("0f", 16)), nil},
		{"challenge that is no hex", frame("!done", "=ret=zz"), ros.ErrProtocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{login: tt.answer, script: polite}
				_, err := s.fleet(t, timeout).Snapshot(t.Context(), "r")
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if err == nil {
					return
				}
				if strings.Contains(err.Error(), "password") && !strings.Contains(err.Error(), "user name or password") {
					t.Errorf("the error shows the password: %v", err)
				}
				if strings.Contains(err.Error(), "%!") {
					t.Errorf("got %q, want a clean text", err)
				}
			})
		})
	}
}

// Ensure a menu that a version lacks is absent, not an error, and one without
// rows is present.
func TestSnapshot_MissingMenu(t *testing.T) {
	for _, message := range []string{"no such command prefix", "no such command or directory (device-mode)"} {
		f := (&scripted{script: answering("/system/device-mode/print", func(tag string) string {
			return frame("!trap", "=category=0", "=message="+message, tag) + frame("!done", tag)
		})}).fleet(t, timeout)
		snap, err := f.Snapshot(t.Context(), "r", "/system/device-mode", "/ip/pool")
		if err != nil {
			t.Fatal(err)
		}
		if _, has := snap.Menus["/system/device-mode"]; has {
			t.Error("got a device mode, want none")
		}
		if rows := snap.Menus["/ip/pool"]; rows == nil {
			t.Error("got no pools, want an empty list")
		}
	}
}

// Ensure values that nobody asked for are thrown away, secrets above all.
func TestSnapshot_Unasked(t *testing.T) {
	f := (&scripted{script: answering("/ppp/secret/print", func(tag string) string {
		return frame("!re", "=.id=*1", "=name=a", "=password=x", "=.about=b", tag) + frame("!empty", tag) + frame("!done", tag)
	})}).fleet(t, timeout)
	snap, err := f.Snapshot(t.Context(), "r", "/ppp/secret")
	if err != nil {
		t.Fatal(err)
	}
	want := []schema.Row{{".id": "*1", "name": "a"}}
	if diff := cmp.Diff(want, snap.Menus["/ppp/secret"]); diff != "" {
		t.Error(diff)
	}
}
