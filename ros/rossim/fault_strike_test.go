package rossim

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros/schema"
)

// suffered is what a client sees of a command that a fault strikes.
type suffered struct {
	Taken  bool   // the router has taken the whole sentence from it
	Got    string // bytes of the answer
	Closed bool   // the connection ended; otherwise it is silent
	Rows   int    // rows that the command has left
}

// suffer adds a secret over a fresh connection that was struck by nothing so far,
// and waits nine and a half seconds for what comes.
func suffer(t *testing.T, r *Router, s Strike) suffered {
	t.Helper()
	c := bubbled(t, r, "admin")
	r.SetFaults(Faults{Strikes: []Strike{s}})
	if err := c.nc.SetDeadline(time.Now().Add(9500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	got := suffered{}
	_, err := c.nc.Write(appendSentence(nil, "/ppp/secret/add", "=name=a"))
	got.Taken = err == nil
	answer, err := io.ReadAll(c.br)
	got.Got = string(answer)
	ne, ok := errors.AsType[net.Error](err)
	got.Closed = !ok || !ne.Timeout()
	got.Rows = len(r.Rows("/ppp/secret"))
	same(t, "fired", r.Fired(s.Kind), 1)
	return got
}

// Ensure every fault does at every moment of a write what it says: what the
// client gets to see, and what is written. The table is the meaning of the words.
func TestStrike(t *testing.T) {
	const done, half, drips = "\x05!done\x07=ret=*1\x00", "\x05!done", "\x05!done\x07=r"
	const fatal, trap = "\x06!fatal\x08long ago\x00", "\x05!trap\x0b=category=4\x10=message=not now\x00\x05!done\x00"
	closed := func(got string, rows int) suffered { return suffered{true, got, true, rows} }
	silent := func(got string, rows int) suffered { return suffered{true, got, false, rows} }
	untaken := suffered{false, "", true, 0}
	for _, tt := range []struct {
		kind                                       FaultKind
		text                                       string
		inside, before, after, answering, answered suffered
	}{
		{FaultDrop, "", untaken, closed("", 0), closed("", 1), closed(half, 1), closed(done, 1)},
		{FaultReboot, "", untaken, closed("", 0), closed("", 1), closed(half, 1), closed(done, 1)},
		{FaultFatal, "long ago", closed(fatal, 0), closed(fatal, 0), closed(fatal, 1), closed(half+fatal, 1), closed(done+fatal, 1)},
		{FaultHalfOpen, "", silent("", 0), silent("", 0), silent("", 1), silent(half, 1), silent(done, 1)},
		{FaultGarbage, "@", silent("@", 0), silent("@", 0), silent("@", 1), silent(half+"@", 1), silent(done+"@", 1)},
		{
			FaultOversize, "", silent("\xF0\x7F\xFF\xFF\xFF", 0), silent("\xF0\x7F\xFF\xFF\xFF", 0), silent("\xF0\x7F\xFF\xFF\xFF", 1),
			silent(half+"\xF0\x7F\xFF\xFF\xFF", 1), silent(done+"\xF0\x7F\xFF\xFF\xFF", 1),
		},
		{FaultTrap, "not now", silent(trap, 0), silent(trap, 0), silent(trap, 1), silent(half+trap, 1), silent(done+trap, 1)},
		{FaultHang, "", suffered{false, "", false, 0}, silent("", 0), silent("", 1), silent(half, 1), silent(done, 1)},
		{FaultDrip, "", silent(drips, 1), silent(drips, 1), silent(drips, 1), silent(drips, 1), silent(drips, 1)},
		{FaultInstant, "", silent(done, 1), silent(done, 1), silent(done, 1), silent(done, 1), silent(done, 1)},
		{FaultCertificate, "", silent(done, 1), silent(done, 1), silent(done, 1), silent(done, 1), silent(done, 1)},
		{FaultClock, "", silent(done, 1), silent(done, 1), silent(done, 1), silent(done, 1), silent(done, 1)},
		{FaultAdministrator, "", silent(done, 1), silent(done, 1), silent(done, 1), silent(done, 1), silent(done, 1)},
	} {
		for when, want := range map[When]suffered{
			Inside: tt.inside, Before: tt.before, After: tt.after, Answering: tt.answering, Answered: tt.answered,
		} {
			t.Run(string(tt.kind)+" "+string(when), func(t *testing.T) {
				alone(t, Options{}, func(t *testing.T, r *Router) {
					same(t, "the client's view", suffer(t, r, Strike{Kind: tt.kind, At: when, Class: Writes, Text: tt.text}), want)
				})
			})
		}
	}
}

// Ensure a strike counts what it is about, on whatever connection it comes, and
// strikes as often as it says.
func TestStrike_Counts(t *testing.T) {
	const refused = "!trap =category=4 =message=failure: std failure: timeout (13)"
	lines := []string{
		"/ip/pool/add =name=p =ranges=10.9.0.2", "/ppp/secret/print", "/ppp/secret/add =name=a", "/ppp/secret/add =name=b",
		"/ppp/secret/add =name=c", "/system/identity/print", "/ppp/secret/remove =.id=c", "/ppp/secret/add =name=d",
	}
	for _, tt := range []struct {
		name   string
		strike Strike
		want   []int // which of the lines are refused
	}{
		{"every first", Strike{}, []int{0}},
		{"write", Strike{Class: Writes, Nth: 2}, []int{2}},
		{"writes", Strike{Class: Writes, Nth: 2, Times: 3}, []int{2, 3, 4}},
		{"writes from the third on", Strike{Class: Writes, Nth: 3, Times: Always}, []int{3, 4, 6, 7}},
		{"read", Strike{Class: Reads, Nth: 2}, []int{5}},
		{"menu", Strike{Menu: "/ppp/secret", Nth: 2, Times: 2}, []int{2, 3}},
		{"write in menu", Strike{Class: Writes, Menu: "/ppp/secret"}, []int{2}},
		{"user", Strike{User: "admin", Nth: 3}, []int{2}},
		{"other user", Strike{User: "nobody", Times: Always}, nil},
		{"logins", Strike{Class: Logins, Times: Always}, nil},
		{"connections", Strike{Class: Connections, Times: Always}, nil},
		{"too late", Strike{Nth: 9}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alone(t, Options{}, func(t *testing.T, r *Router) {
				clients := []*raw{bubbled(t, r, "admin"), bubbled(t, r, "admin")}
				tt.strike.Kind = FaultTrap
				r.SetFaults(Faults{Strikes: []Strike{tt.strike}})
				var got []int
				for i, line := range lines {
					if clients[i%2].ask(line)[0] == refused {
						got = append(got, i)
					}
				}
				same(t, "refused", got, tt.want)
				same(t, "fired", r.Fired(FaultTrap), len(tt.want))
				same(t, "others fired", r.Fired(FaultDrop, FaultHang), 0)
			})
		})
	}
}

// Ensure a command that hangs is executed and answered when the faults change,
// although its client may have gone long ago.
func TestStrike_Late(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		for i, stays := range []bool{true, false} {
			c := bubbled(t, r, "admin")
			r.SetFaults(AtWrite(1, FaultHang, Before))
			c.send("/ppp/secret/add", "=name="+string(rune('a'+i)))
			after(time.Hour)
			same(t, "rows before", len(r.Rows("/ppp/secret")), i)
			if !stays {
				_ = c.nc.Close()
			}
			r.SetFaults(Faults{})
			if stays {
				same(t, "answer", c.next(), "!done =ret=*1")
			}
			synctest.Wait()
			same(t, "rows after", len(r.Rows("/ppp/secret")), i+1)
		}
	})
}

// Ensure answers take the time that the faults give them, the same in every run.
func TestFaults_Time(t *testing.T) {
	const latency = 20 * time.Millisecond
	times := func(t *testing.T, f Faults) []time.Duration {
		var took []time.Duration
		alone(t, Options{Latency: latency}, func(t *testing.T, r *Router) {
			c := bubbled(t, r, "admin")
			r.SetFaults(f)
			for range 4 {
				start := time.Now()
				c.want("/system/identity/print", "!re =name=MikroTik", "!done")
				took = append(took, time.Since(start))
			}
		})
		return took
	}
	const answer = 20 + 7 // bytes
	same(t, "latency", times(t, Faults{Latency: latency}), slices.Repeat([]time.Duration{2 * latency}, 4))
	same(t, "instant", times(t, Faults{Strikes: []Strike{{Kind: FaultInstant, Nth: 2, Times: 2}}}), []time.Duration{latency, 0, 0, latency})
	drip := Strike{Kind: FaultDrip, By: time.Minute, Nth: 4}
	same(t, "drip", times(t, Faults{Strikes: []Strike{drip}})[3], latency+answer*time.Minute)
	one, again, other := times(t, Faults{Jitter: latency}), times(t, Faults{Jitter: latency}), times(t, Faults{Jitter: latency, Seed: 1})
	same(t, "jitter, again", one, again)
	if slices.Equal(one, other) {
		t.Errorf("jitter of another seed: %v, want it to differ", other)
	}
	for _, d := range append(one, other...) {
		if d < latency || d > 2*latency {
			t.Errorf("jitter: %v, want %v to %v", d, latency, 2*latency)
		}
	}
	if slices.Equal(one, slices.Repeat(one[:1], 4)) {
		t.Errorf("jitter: %v, want different ones", one)
	}
}

// Ensure faults strike connections before TLS and login begin.
func TestStrike_Connections(t *testing.T) {
	for _, tt := range []struct {
		kind FaultKind
		want string
		ends bool
	}{
		{FaultDrop, "", true},
		{FaultReboot, "", true},
		{FaultHang, "", false},
		{FaultHalfOpen, "", false},
		{FaultGarbage, garbageText, false},
		{FaultOversize, oversizeLength, false},
		{FaultFatal, "\x06!fatal\x1dsession terminated on request\x00", true},
	} {
		for _, secure := range []bool{false, true} {
			alone(t, Options{}, func(t *testing.T, r *Router) {
				p := newPipes()
				if secure {
					cert, _, err := Certificate("127.0.0.1")
					if err != nil {
						t.Fatal(err)
					}
					go func() { _ = r.ServeTLS(p, cert) }()
				} else {
					go func() { _ = r.Serve(p) }()
				}
				r.SetFaults(Faults{Strikes: []Strike{{Kind: tt.kind, Class: Connections}}})
				nc := p.dial()
				_ = nc.SetDeadline(time.Now().Add(time.Second)) // refused where the router was faster
				got, err := io.ReadAll(nc)
				_ = nc.Close()
				same(t, "bytes", string(got), tt.want)
				ne, ok := errors.AsType[net.Error](err)
				same(t, "ends", !ok || !ne.Timeout(), tt.ends)
				same(t, "fired", r.Fired(tt.kind), 1)
			})
		}
	}
}

// Ensure the faults that strike the router itself do.
func TestStrike_Router(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		cert, pin, err := Certificate("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		began := r.Now()
		r.SetFaults(Faults{Strikes: []Strike{
			{Kind: FaultClock, Class: Writes, By: -48 * time.Hour},
			{Kind: FaultCertificate, Class: Writes, Certificate: cert},
			{Kind: FaultAdministrator, At: Inside, Class: Writes, User: "admin", Do: func(r *Router) {
				_, err := r.Add("/ppp/secret", schema.Row{"name": "first"})
				same(t, "error", err, nil)
			}},
		}})
		c := bubbled(t, r, "admin")
		c.want("/ppp/secret/add =name=second", "!done =ret=*2")
		same(t, "rows", column(r, "/ppp/secret", "name"), []string{"first", "second"})
		same(t, "clock", r.Now().Sub(began), -48*time.Hour)
		same(t, "pin", Fingerprint(r.cert.Certificate[0]), pin)
		same(t, "fired", r.Fired(), 3)
	})
}
