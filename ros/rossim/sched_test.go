package rossim

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vpnbot/ros/schema"
)

// alone makes a router in a bubble and closes it there.
func alone(t *testing.T, o Options, do func(t *testing.T, r *Router)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		do(t, r)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// after lets d pass and what is due then end.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// runs is how often the only schedule has run.
func runs(t testing.TB, r *Router) string {
	t.Helper()
	return one(t, r, "/system/scheduler")["run-count"]
}

// Ensure a schedule that begins with the boot runs one interval after it was
// added and after every boot, and not while it is off.
func TestSchedule_Startup(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		after(7 * time.Second)
		add(t, r, "/system/scheduler", schema.Row{
			"name": "guard", "start-time": "startup", "interval": "5m", "policy": "read,write", "on-event": `:log warning "ran"`,
		})
		row := one(t, r, "/system/scheduler")
		same(t, "owner", row["owner"], "admin")
		same(t, "policy", row["policy"], "read,write")
		same(t, "next run", row["next-run"], r.Now().Add(5*time.Minute).UTC().Format(time.DateTime))
		after(5*time.Minute - time.Second)
		same(t, "runs before", runs(t, r), "0")
		after(time.Second)
		same(t, "runs after one interval", runs(t, r), "1")
		same(t, "lines", lines(r, "script,warning ran"), 1)
		after(10 * time.Minute)
		same(t, "runs after three", runs(t, r), "3")
		after(time.Minute)
		r.Reboot()
		after(5*time.Minute - time.Second)
		same(t, "runs before an interval since the boot", runs(t, r), "3")
		after(time.Second)
		same(t, "runs then", runs(t, r), "4")
		id := one(t, r, "/system/scheduler")[schema.ID]
		if err := r.Set("/system/scheduler", id, schema.Row{"disabled": "yes"}); err != nil {
			t.Fatal(err)
		}
		if next, ok := one(t, r, "/system/scheduler")["next-run"]; ok {
			t.Errorf("disabled, next run %q", next)
		}
		after(time.Hour)
		same(t, "runs while off", runs(t, r), "4")
		if err := r.Set("/system/scheduler", id, schema.Row{"disabled": "no"}); err != nil {
			t.Fatal(err)
		}
		after(5*time.Minute - time.Second)
		same(t, "runs before an interval since it is on", runs(t, r), "4")
		after(time.Second)
		same(t, "runs then", runs(t, r), "5")
		if err := r.Remove("/system/scheduler", id); err != nil {
			t.Fatal(err)
		}
		after(time.Hour)
		same(t, "lines at the end", lines(r, "script,warning ran"), 2) // the boot emptied the log
	})
}

// Ensure each way of counting the first interval does as it says.
func TestSchedule_StartupFrom(t *testing.T) {
	for _, tt := range []struct {
		from  string
		first time.Duration // of a schedule added at 0:10 and enabled at 0:40, since the boot
	}{{"", 100 * time.Second}, {"enabled", 100 * time.Second}, {"added", 70 * time.Second}, {"boot", 63 * time.Second}} {
		t.Run(tt.from, func(t *testing.T) {
			alone(t, Options{Scripting: Scripting{StartupFrom: tt.from}}, func(t *testing.T, r *Router) {
				after(10 * time.Second)
				id := add(t, r, "/system/scheduler", schema.Row{"name": "a", "start-time": "startup", "interval": "1m", "disabled": "yes"})
				after(30 * time.Second)
				if err := r.Set("/system/scheduler", id, schema.Row{"disabled": "no"}); err != nil {
					t.Fatal(err)
				}
				after(tt.first - 41*time.Second)
				same(t, "runs before", runs(t, r), "0")
				after(time.Second)
				same(t, "runs", runs(t, r), "1")
				if err := r.Set("/system/scheduler", id, schema.Row{"comment": "x", "on-event": ":log info x"}); err != nil {
					t.Fatal(err)
				}
				after(time.Minute)
				same(t, "runs, as other changes begin nothing anew", runs(t, r), "2")
			})
		})
	}
	if _, err := New(Options{Scripting: Scripting{StartupFrom: "yesterday"}}); err == nil {
		t.Error("an unknown word is taken")
	}
}

// Ensure a schedule that begins with the boot and has no interval runs once,
// three seconds after each boot.
func TestSchedule_Once(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		after(time.Minute)
		add(t, r, "/system/scheduler", schema.Row{"name": "a", "start-time": "startup"})
		after(time.Hour)
		same(t, "runs before a boot", runs(t, r), "0")
		r.Reboot()
		after(2 * time.Second)
		same(t, "runs after two seconds", runs(t, r), "0")
		after(time.Second)
		same(t, "runs after three", runs(t, r), "1")
		after(time.Hour)
		same(t, "runs after an hour", runs(t, r), "1")
	})
}

// Ensure schedules by the clock follow the clock when it jumps, and those that
// begin with the boot do not.
func TestSchedule_Clock(t *testing.T) {
	// The bubble begins at midnight of 2000-01-01.
	noon := schema.Row{"name": "a", "start-date": "2000-01-01", "start-time": "12:00"}
	hourly := schema.Row{"name": "a", "interval": "1h"}
	startup := schema.Row{"name": "a", "start-time": "startup", "interval": "1h"}
	for _, tt := range []struct {
		name  string
		skips bool
		row   schema.Row
		jump  time.Duration // after 30 minutes
		wait  time.Duration // from there
		want  string
	}{
		{"one shot", false, noon, 0, 11*time.Hour + 29*time.Minute, "0"},
		{"one shot at noon", false, noon, 0, 11*time.Hour + 30*time.Minute, "1"},
		{"one shot once", false, noon, 0, 100 * time.Hour, "1"},
		{"one shot jumped over", false, noon, 20 * time.Hour, 0, "1"},
		{"one shot jumped over, switched", true, noon, 20 * time.Hour, 100 * time.Hour, "0"},
		{"one shot early", false, noon, 11 * time.Hour, 30 * time.Minute, "1"},
		{"one shot late", false, noon, -5 * time.Hour, 16 * time.Hour, "0"},
		{"one shot late, after all", false, noon, -5 * time.Hour, 17 * time.Hour, "1"},
		{"in the past", false, schema.Row{"name": "a", "start-date": "Dec/31/1999", "start-time": "12:00:00"}, 0, 100 * time.Hour, "0"},
		{"from its creation", false, hourly, 0, 30 * time.Minute, "1"},
		{"jumped over", false, hourly, 5*time.Hour + 10*time.Minute, 0, "1"},
		{"jumped over, next", false, hourly, 5*time.Hour + 10*time.Minute, 20 * time.Minute, "2"},
		{"jumped over, switched", true, hourly, 5*time.Hour + 10*time.Minute, 19 * time.Minute, "0"},
		{"put back", false, hourly, -10 * time.Hour, 9 * time.Hour, "0"},
		{"startup", false, startup, 50 * time.Hour, 29 * time.Minute, "0"},
		{"startup, on time", false, startup, 50 * time.Hour, 30 * time.Minute, "1"},
		{"startup, put back", false, startup, -50 * time.Hour, 30 * time.Minute, "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alone(t, Options{Scripting: Scripting{JumpSkips: tt.skips}}, func(t *testing.T, r *Router) {
				add(t, r, "/system/scheduler", tt.row)
				after(30 * time.Minute)
				if tt.jump != 0 {
					r.SetClock(r.Now().Add(tt.jump))
				}
				after(tt.wait)
				same(t, "runs", runs(t, r), tt.want)
			})
		})
	}
}

// Ensure a schedule that names a script runs it, unless that asks for more than
// the schedule has.
func TestSchedule_Named(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		script := add(t, r, "/system/script", schema.Row{"name": "hello", "source": ":log info hi", "policy": "read"})
		add(t, r, "/system/scheduler", schema.Row{"name": "a", "interval": "1m", "on-event": "hello", "policy": "read,write"})
		after(time.Minute)
		same(t, "lines", lines(r, "script,info hi"), 1)
		row := one(t, r, "/system/script")
		same(t, "script's runs", row["run-count"], "1")
		same(t, "last", row["last-started"], "2000-01-01 00:01:00")
		if err := r.Set("/system/script", script, schema.Row{"policy": "read,reboot"}); err != nil {
			t.Fatal(err)
		}
		after(time.Minute)
		same(t, "lines of a script with more rights", lines(r, "script,info hi"), 1)
		logged(t, r, "script,error not enough permissions (9)")
		logged(t, r, "script,error executing script a from scheduler failed, please check it manually")
		if err := r.Set("/system/script", script, schema.Row{"dont-require-permissions": "yes"}); err != nil {
			t.Fatal(err)
		}
		after(time.Minute)
		same(t, "lines of one that requires none", lines(r, "script,info hi"), 2)
	})
}

// Ensure a script may do what its schedule's policies allow and nothing else,
// and that no entry has more rights than whoever writes it.
func TestSchedule_Rights(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		team(t, r)
		c := bubbled(t, r, "rw")
		c.want("/system/scheduler/add =name=most =policy=read,reboot", noRights, "!done")
		c.want("/system/scheduler/add =name=most =policy=read,api", "!trap =category=1 =message=input does not match any value of policy", "!done")
		c.want("/system/scheduler/add =name=a =interval=1m =on-event=/ppp/secret/add{name=x}", "!done =ret=*1")
		row := one(t, r, "/system/scheduler")
		same(t, "policy", row["policy"], "read,write,test")
		same(t, "owner", row["owner"], "rw")
		for _, tt := range []struct {
			policy, src, line string
		}{
			{"read", "/ppp/secret/add name=x", "script,error not enough permissions (9)"},
			{"write", ":log info [:len [/ppp/secret find]]", "script,error not enough permissions (9)"},
			{"read,write", "/user/set rw group=full", "script,error not enough permissions (9)"},
			{"read,write", "/ppp/secret/add name=x service=none", "script,error input does not match any value of service"},
			{"read,write", "/ppp/secret/add name=x speed=1", "script,error unknown parameter"},
			{"read,write", "/ppp/nothing/add name=x", "script,error no such command prefix"},
			{"read,write", "/ppp/active/add name=x", "script,error no such command"},
			{"read,write", ":log info x\n/tool fetch", "script,error bad command name (line 2 column 1)"},
		} {
			if err := r.Set("/system/scheduler", "a", schema.Row{"policy": tt.policy, "on-event": tt.src}); err != nil {
				t.Fatal(err)
			}
			after(time.Minute)
			logged(t, r, tt.line)
			logged(t, r, "script,error executing script a from scheduler failed, please check it manually")
			same(t, tt.src, len(r.Rows("/ppp/secret")), 0)
			if groups := column(r, "/user", "group"); !slices.Contains(groups, "rw") {
				t.Errorf("%s: groups %q", tt.src, groups)
			}
		}
		if err := r.Set("/system/scheduler", "a", schema.Row{"policy": "read,write", "on-event": "/ppp/secret/add name=x password=pw"}); err != nil {
			t.Fatal(err)
		}
		after(time.Minute)
		logged(t, r, "system,info ppp secret <x> added by scheduler:rw@a")
	})
}

// Ensure the log echoes what a new schedule will run.
func TestSchedule_Logged(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	c.want(`/system/scheduler/add =name=g =start-time=startup =interval=300s =policy=read,write =on-event=:log"x$y"`, "!done =ret=*1")
	logged(t, r, `system,info new script scheduled by api:admin@127.0.0.1 (*1 = /system scheduler add disabled=false interval=5m name=g `+
		`on-event=":log\"x\$y\"" policy=read,write start-time=startup)`)
	c.want("/system/scheduler/set =.id=g =comment=x", "!done")
	logged(t, r, "system,info changed scheduled script settings by api:admin@127.0.0.1")
	c.want("/system/scheduler/remove =.id=g", "!done")
	logged(t, r, "system,info script removed from scheduler by api:admin@127.0.0.1")
}

// Ensure start-time and start-date are checked and written in one form.
func TestSchedule_Values(t *testing.T) {
	r := router(t, Options{})
	c := member(t, r)
	for _, bad := range []string{"start-time=25:00:00", "start-time=soon", "start-date=2025-13-01", "start-date=tomorrow", "interval=x"} {
		if got := c.ask("/system/scheduler/add =name=a =" + bad); got[0] == "!done" {
			t.Errorf("%s is taken", bad)
		}
	}
	c.want("/system/scheduler/add =name=a =start-time=9:05 =start-date=feb/01/2030", "!done =ret=*1")
	row := one(t, r, "/system/scheduler")
	same(t, "start", row["start-date"]+" "+row["start-time"], "2030-02-01 09:05:00")
	same(t, "next run", row["next-run"], "2030-02-01 09:05:00")
}

// Ensure mode home has no scheduler, and that a flagged router lets entries be
// disabled and removed only.
func TestDeviceMode(t *testing.T) {
	const (
		home    = "failure: not allowed by device-mode"
		flagged = "failure: configuration flagged, check all router configuration for unauthorized changes and update device-mode"
	)
	for _, tt := range []struct {
		name, want string
		mode       schema.Row
		path       string
		row        schema.Row
	}{
		{"home", home, schema.Row{"mode": "home", "scheduler": "false"}, "/system/scheduler", schema.Row{"name": "a", "interval": "1m"}},
		{"no ipsec", home, schema.Row{"ipsec": "no"}, "/ip/ipsec/peer", schema.Row{"name": "a"}},
		{"flagged scheduler", flagged, schema.Row{"flagged": "true"}, "/system/scheduler", schema.Row{"name": "a", "interval": "1m"}},
		{"flagged peer", flagged, schema.Row{"flagged": "true"}, "/ip/ipsec/peer", schema.Row{"name": "a"}},
		{"flagged proposal", flagged, schema.Row{"flagged": "true"}, "/ip/ipsec/proposal", schema.Row{"name": "a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alone(t, Options{}, func(t *testing.T, r *Router) {
				add(t, r, tt.path, tt.row)
				if err := r.Force("/system/device-mode", "", tt.mode); err != nil {
					t.Fatal(err)
				}
				c := bubbled(t, r, "admin")
				trap := "!trap =category=4 =message=" + tt.want
				c.want(tt.path+"/add =name=b", trap, "!done")
				c.want(tt.path+"/disable =.id=a", "!done")
				c.want(tt.path+"/enable =.id=a", trap, "!done")
				c.want(tt.path+"/set =.id=a =disabled=no", trap, "!done")
				c.want(tt.path+"/set =.id=a =disabled=false", trap, "!done")
				c.want(tt.path+"/set =.id=a =comment=x", "!done")
				c.want(tt.path+"/remove =.id=a", "!done")
			})
		})
	}
}

// Ensure entries that are there do not run while the mode forbids the scheduler,
// and do on a flagged router.
func TestDeviceMode_Runs(t *testing.T) {
	alone(t, Options{}, func(t *testing.T, r *Router) {
		add(t, r, "/system/scheduler", schema.Row{"name": "a", "start-time": "startup", "interval": "1m"})
		for _, tt := range []struct {
			mode schema.Row
			want string
		}{
			{schema.Row{"scheduler": "false"}, "0"},
			{schema.Row{"scheduler": "true", "flagged": "true"}, "1"},
		} {
			if err := r.Force("/system/device-mode", "", tt.mode); err != nil {
				t.Fatal(err)
			}
			after(time.Minute)
			same(t, "runs", runs(t, r), tt.want)
		}
	})
}
