package rossim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpnbot/ros/schema"
)

// bubbled is a client of the API inside a bubble.
func bubbled(t *testing.T, r *Router, name string) *raw {
	t.Helper()
	p := newPipes()
	go func() { _ = r.Serve(p) }()
	c := client(t, p.dial())
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	password := "pw"
	if name == "admin" {
		password = ""
	}
	c.want("/login =name="+name+" =password="+password, "!done")
	return c
}

// execute sends a script and returns the replies.
func (c *raw) execute(src string, more ...string) []string {
	c.t.Helper()
	c.send(append([]string{"/execute", "=script=" + src}, more...)...)
	var replies []string
	for {
		s := c.next()
		if replies = append(replies, s); strings.HasPrefix(s, "!done") {
			return replies
		}
	}
}

// slow adds two secrets with ten seconds between them.
const slow = `/ppp/secret/add name=a; :delay 10s; /ppp/secret/add name=b`

// Ensure a script that is sent begins at once, is answered at once, and goes on
// when the session ends, unless switched.
func TestExecute(t *testing.T) {
	for _, ends := range []bool{false, true} {
		t.Run(fmt.Sprint(ends), func(t *testing.T) {
			alone(t, Options{Scripting: Scripting{ExecuteEndsWithSession: ends}}, func(t *testing.T, r *Router) {
				c := bubbled(t, r, "admin")
				began := time.Now()
				same(t, "reply", c.execute(slow), []string{"!done =ret=*1"})
				same(t, "time taken", time.Since(began), time.Duration(0))
				synctest.Wait()
				same(t, "rows at once", column(r, "/ppp/secret", "name"), []string{"a"})
				job := one(t, r, "/system/script/job")
				same(t, "job", []string{job["type"], job["owner"], job["started"]}, []string{"command", "admin", "2000-01-01 00:00:00"})
				if err := c.nc.Close(); err != nil {
					t.Fatal(err)
				}
				after(10 * time.Second)
				same(t, "second row", len(r.Rows("/ppp/secret")) == 2, !ends)
				same(t, "jobs", len(r.Rows("/system/script/job")), 0)
				logged(t, r, "system,info ppp secret <a> added by api:admin@pipe")
			})
		})
	}
}

// Ensure a script needs read to begin and has the rights of whoever sent it.
func TestExecute_Rights(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		team(t, r)
		same(t, "without read", bubbled(t, r, "blind").execute(":log info x"), []string{noRights, "!done"})
		same(t, "with read", bubbled(t, r, "ro").execute(slow), []string{"!done =ret=*1"})
		synctest.Wait()
		same(t, "rows", len(r.Rows("/ppp/secret")), 0)
		logged(t, r, "script,error not enough permissions (9)")
		add(t, r, "/ppp/secret", schema.Row{"name": "a", "password": "hidden"})
		bubbled(t, r, "rw").execute(`:log info [/ppp/secret get a password]`)
		bubbled(t, r, "see").execute(`:log info [/ppp/secret get a password]`)
		synctest.Wait()
		same(t, "masked", lines(r, "script,info *****"), 1)
		same(t, "in clear", lines(r, "script,info hidden"), 1)
	})
}

// Ensure as-string waits for the end and tells why a script stopped, and that
// what is asked wrongly is refused.
func TestExecute_AsString(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		c := bubbled(t, r, "admin")
		began := time.Now()
		same(t, "reply", c.execute(slow, "=as-string="), []string{"!done =ret="})
		same(t, "time taken", time.Since(began), 10*time.Second)
		same(t, "stopped", c.execute(`:error "no luck"`, "=as-string="), []string{"!done =ret=no luck"})
		same(t, "in a bad form", c.execute(`:parse ":if ("`, "=as-string=yes"), []string{"!done =ret=syntax error (line 1 column 6)"})
		same(t, "in a good one", c.execute(`:parse ":log info x"`, "=as-string="), []string{"!done =ret="})
		same(t, "too long", c.execute(strings.Repeat("#", maxValue+1)), []string{"!trap =category=4 =message=failure: contents too long", "!done"})
		same(t, "other arguments", c.execute("", "=speed=1"), []string{"!trap =message=unknown parameter", "!done"})
		c.want("/execute", "!trap =message=missing value(s) of argument(s) script", "!done")
	})
}

// Ensure a script that is waited for holds up no command after it when it has a
// tag, and ends where its tag is cancelled; without one it does hold them up.
func TestExecute_Beside(t *testing.T) {
	for name, words := range map[string][]string{
		"execute": {"/execute", "=script=" + slow, "=as-string="},
		"run":     {"/system/script/run", "=number=slow"},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t, Options{}, func(t *testing.T, r *Router) {
				if _, err := r.Add("/system/script", schema.Row{"name": "slow", "source": slow}); err != nil {
					t.Fatal(err)
				}
				c := bubbled(t, r, "admin")
				began := time.Now()
				c.send(append(words, ".tag=s")...)
				c.send("/ip/pool/print", "=count-only=", ".tag=q")
				same(t, "beside it", c.next(), "!done =ret=0 .tag=q")
				synctest.Wait() // the script has come to its delay
				c.send("/cancel", "=tag=s", ".tag=c")
				same(t, "ended", []string{c.next(), c.next(), c.next()}, []string{
					"!trap =category=2 =message=interrupted .tag=s", "!done .tag=c", "!done .tag=s",
				})
				same(t, "time taken", time.Since(began), time.Duration(0))
				after(10 * time.Second)
				same(t, "rows", column(r, "/ppp/secret", "name"), []string{"a"})
				same(t, "jobs", len(r.Rows("/system/script/job")), 0)
				c.want("/cancel =tag=s .tag=c", "!done .tag=c")
				if err := r.Remove("/ppp/secret", "a"); err != nil {
					t.Fatal(err)
				}
				c.send(append(words, ".tag=s")...)
				if got := c.next(); !strings.HasPrefix(got, "!done") || !strings.HasSuffix(got, ".tag=s") {
					t.Errorf("ended by itself: %q", got)
				}
				c.want("/cancel =tag=s .tag=c", "!done .tag=c")
				same(t, "rows", column(r, "/ppp/secret", "name"), []string{"a", "b"})
			})
		})
	}
}

// Ensure /parse reads a script and runs nothing.
func TestParse(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want("/parse =value=/ppp/secret/add{", "!trap =category=3 =message=expected } (line 1 column 17)", "!done")
	c.want("/parse =value=/system/identity/set", "!done =ret=(code)")
	c.want("/parse", "!trap =message=missing value(s) of argument(s) value", "!done")
}

// Ensure a job that is removed, and every job at a reboot, goes no further.
func TestExecute_Ends(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, r *Router){
		"removed": func(t *testing.T, r *Router) {
			if err := r.Remove("/system/script/job", one(t, r, "/system/script/job")[schema.ID]); err != nil {
				t.Fatal(err)
			}
		},
		"reboot": func(_ *testing.T, r *Router) { r.Reboot() },
		"closed": func(t *testing.T, r *Router) {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t, Options{}, func(t *testing.T, r *Router) {
				bubbled(t, r, "admin").execute(slow)
				after(5 * time.Second)
				end(t, r)
				after(time.Hour)
				same(t, "rows", column(r, "/ppp/secret", "name"), []string{"a"})
				if name != "closed" {
					same(t, "jobs", len(r.Rows("/system/script/job")), 0)
				}
				same(t, "complaints", lines(r, "script,error"), 0)
			})
		})
	}
}

// Ensure the faults at a write strike /execute too: dropped before it nothing
// runs, dropped after it all of it does.
func TestExecute_Faults(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    Faults
		rows int
	}{
		{"dropped before", AtWrite(1, FaultDrop, Before), 0},
		{"dropped after", AtWrite(1, FaultDrop, After), 2},
		{"rebooted before", AtWrite(1, FaultReboot, Before), 0},
		{"rebooted after", AtWrite(1, FaultReboot, After), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alone(t, Options{}, func(t *testing.T, r *Router) {
				c := bubbled(t, r, "admin")
				r.SetFaults(tt.f)
				c.send("/execute", "=script="+slow)
				c.gone()
				after(time.Hour)
				same(t, "rows", len(r.Rows("/ppp/secret")), tt.rows)
				same(t, "fired", r.Fired(), 1)
			})
		})
	}
}

// Ensure a script of /system/script runs with the caller's rights or its own, and
// the answer waits for its end.
func TestScript_Run(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		team(t, r)
		add(t, r, "/system/script", schema.Row{"name": "own", "source": slow, "policy": "read,write"})
		add(t, r, "/system/script", schema.Row{"name": "bad", "source": ":foreach"})
		add(t, r, "/system/script", schema.Row{"name": "broken", "source": "{"})
		same(t, "invalid", column(r, "/system/script", "invalid"), []string{"false", "false", "true"})
		c := bubbled(t, r, "ro")
		c.want("/system/script/run =number=own", noRights, "!done")
		c.want("/system/script/run =number=nobody", "!trap =category=0 =message=no such item", "!done")
		c.want("/system/script/run", "!trap =message=missing value(s) of argument(s) number", "!done")
		began := time.Now()
		c.want("/system/script/run =number=own =use-script-permissions=", "!done")
		same(t, "time taken", time.Since(began), 10*time.Second)
		same(t, "rows", len(r.Rows("/ppp/secret")), 2)
		same(t, "runs", r.Rows("/system/script")[0]["run-count"], "1")
		c = bubbled(t, r, "admin")
		c.want("/system/script/run =number=own", "!trap =category=3 =message=failure: secret with the same name already exists", "!done")
		c.want("/system/script/run =number=bad", "!trap =category=3 =message=missing value(s) of argument(s) counter, in, do", "!done")
		c.want("/system/script/add =name=mine =source=x =policy=read", "!done =ret=*4")
		same(t, "owner", r.Rows("/system/script")[3]["owner"], "admin")
	})
}

// Ensure the hook sees each write of a script on both sides, that a copy made
// there goes on as the script does, and that a reboot there ends it.
func TestFaults_OnScriptWrite(t *testing.T) {
	const src = `/ppp/secret/add name=a
:foreach i in=[/ppp/secret find] do={ :delay 1s; /ppp/secret set $i comment=[:len [/ppp/secret find]] }
:local n [:len [/log find]]; /ppp/secret/remove [find where name=nobody]
/ppp/secret/add name=b; :log info ("done " . $n)`
	alone(t, Options{}, func(t *testing.T, r *Router) {
		var seen []string
		var copies []*Router
		r.SetFaults(Faults{OnScriptWrite: func(n int, when When, menu string, action schema.Action) {
			c := r.Clone()
			seen = append(seen, fmt.Sprint(n, " ", when, " ", menu, " ", action, " ", len(c.Rows("/ppp/secret"))))
			copies = append(copies, c)
		}})
		bubbled(t, r, "admin").execute(src)
		after(500 * time.Millisecond)
		asleep := r.Clone() // in the middle of a delay
		after(500 * time.Millisecond)
		same(t, "hook", seen, []string{
			"1 before /ppp/secret add 0", "1 after /ppp/secret add 1", "2 before /ppp/secret set 1", "2 after /ppp/secret set 1",
			"3 before /ppp/secret add 1", "3 after /ppp/secret add 2",
		})
		after(time.Minute)
		want := r.Rows("/ppp/secret")
		same(t, "rows", []string{want[0]["comment"], want[1]["name"]}, []string{"1", "b"})
		for i, c := range append(copies, asleep) {
			same(t, fmt.Sprint("rows of copy ", i), c.Rows("/ppp/secret"), want)
			same(t, fmt.Sprint("log of copy ", i), column(c, "/log", "message"), column(r, "/log", "message"))
			same(t, fmt.Sprint("times of copy ", i), column(c, "/log", "time"), column(r, "/log", "time"))
			same(t, fmt.Sprint("jobs of copy ", i), len(c.Rows("/system/script/job")), 0)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	for when, want := range map[When][]string{Before: {"a"}, After: {"a", "b"}} {
		alone(t, Options{}, func(t *testing.T, r *Router) {
			r.SetFaults(Faults{OnScriptWrite: func(n int, at When, _ string, _ schema.Action) {
				if n == 2 && at == when {
					r.Reboot()
				}
			}})
			bubbled(t, r, "admin").execute(`/ppp/secret/add name=a; /ppp/secret/add name=b; /ppp/secret/add name=c`)
			after(time.Minute)
			same(t, "rows after a reboot "+string(when), column(r, "/ppp/secret", "name"), want)
			same(t, "complaints", lines(r, "script,error"), 0)
		})
	}
}

// Ensure a copy has the schedules of the original and their future, and neither
// moves the other's.
func TestClone_Schedules(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		add(t, r, "/system/scheduler", schema.Row{"name": "a", "start-time": "startup", "interval": "1m"})
		after(90 * time.Second)
		c := r.Clone()
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		if err := r.Set("/system/scheduler", "a", schema.Row{"disabled": "yes"}); err != nil {
			t.Fatal(err)
		}
		after(29 * time.Second)
		same(t, "runs of the copy", runs(t, c), "1")
		after(time.Second)
		same(t, "runs of the copy, one interval later", runs(t, c), "2")
		same(t, "runs of the original", runs(t, r), "1")
	})
}

// Ensure history tells who did what, hides what would do it once more unless
// asked, holds no secret unless switched, and ends with the boot.
func TestHistory(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		alone(t, Options{Scripting: Scripting{HistoryKeepsSecrets: keeps}}, func(t *testing.T, r *Router) {
			team(t, r)
			after(time.Second)
			c := bubbled(t, r, "rw")
			c.want("/ppp/secret/add =name=a =password=planted", "!done =ret=*1")
			c.want("/ppp/secret/set =.id=a =password=other =comment=x", "!done")
			c.want("/ppp/secret/remove =.id=a", "!done")
			rows := r.Rows("/system/history")
			rows = rows[len(rows)-3:]
			for i, want := range []string{"ppp secret <a> added", "ppp secret <a> changed", "ppp secret <a> removed"} {
				same(t, "row", []string{rows[i]["action"], rows[i]["by"], rows[i]["time"]}, []string{want, "rw", "2000-01-01 00:00:01"})
			}
			secret := map[bool]string{false: "*****", true: "other"}[keeps]
			same(t, "redo", rows[1]["redo"], "/ppp secret set *1 comment=x password="+secret)
			if !strings.HasPrefix(rows[1]["undo"], "/ppp secret set *1 !comment password=") {
				t.Errorf("undo %q", rows[1]["undo"])
			}
			same(t, "undo of an add", rows[0]["undo"], "/ppp secret remove *1")
			if got := strings.Contains(fmt.Sprint(rows), "planted"); got != keeps {
				t.Errorf("the secret is there = %v, want %v: %v", got, keeps, rows)
			}
			c = bubbled(t, r, "see")
			shown := c.ask("/system/history/print =.proplist=redo =show-sensitive=")
			masked := c.ask("/system/history/print =.proplist=redo")
			if slices.Equal(shown, masked) || !slices.Contains(masked, "!re =redo=*****") {
				t.Errorf("shown %q, masked %q", shown, masked)
			}
			for i := range 200 {
				add(t, r, "/ppp/secret", schema.Row{"name": fmt.Sprint(i)})
			}
			same(t, "rows kept", len(r.Rows("/system/history")), historyRows)
			r.Reboot()
			same(t, "rows after a boot", len(r.Rows("/system/history")), 0)
		})
	}
}

// Ensure copies made anywhere in a script end as the original does, whatever the
// script is.
func TestClone_Scripts(t *testing.T) {
	for seed := range uint64(12) {
		alone(t, Options{}, func(t *testing.T, r *Router) {
			src := randomScript(rand.New(rand.NewPCG(seed, 1)))
			var copies []*Router
			r.SetFaults(Faults{OnScriptWrite: func(int, When, string, schema.Action) { copies = append(copies, r.Clone()) }})
			add(t, r, "/system/scheduler", schema.Row{"name": "a", "start-time": "00:00:20", "on-event": src})
			after(5 * time.Minute)
			for i, c := range copies {
				for _, path := range []string{"/ppp/secret", "/log", "/system/scheduler", "/system/script/job", "/system/history"} {
					if diff := cmp.Diff(r.Rows(path), c.Rows(path)); diff != "" {
						t.Errorf("seed %d, copy %d, %s (-original +copy):\n%s\n%s", seed, i, path, diff, src)
					}
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
			if len(copies) == 0 {
				t.Errorf("seed %d writes nothing: %s", seed, src)
			}
		})
	}
}

// randomScript writes, reads, waits and stumbles.
func randomScript(dice *rand.Rand) string {
	statements := []string{
		"/ppp/secret/add name=NAME", "/ppp/secret/set [find where name=NAME] comment=[:len [/log find]]", ":delay SECONDSs",
		"/ppp/secret/remove [find where name!=NAME]", ":do { /ppp/secret/add name=NAME; :delay 700ms; :error oops } on-error={ :log info \"caught\" }",
		":foreach s in=[/ppp/secret find] do={ :delay 300ms; /ppp/secret/disable $s }", ":log info [:len [/ppp/secret find where disabled]]",
		":if ([:len [/ppp/secret find]] > 3) do={ /ppp/secret/set NAME name=OTHER } else={ /ppp/secret/add name=OTHER }",
	}
	lines := []string{"/ppp/secret/add name=z" + fmt.Sprint(dice.Uint64())}
	for range 4 + dice.IntN(8) {
		s := statements[dice.IntN(len(statements))]
		if dice.IntN(3) > 0 { // mostly go on after a refusal
			s = ":do { " + s + " } on-error={ :log error \"refused\" }"
		}
		name := func() string { return string(rune('a' + dice.IntN(4))) }
		lines = append(lines, strings.NewReplacer("NAME", name(), "OTHER", name(), "SECONDS", fmt.Sprint(1+dice.IntN(3))).Replace(s))
	}
	return strings.Join(lines, "\n")
}
