package rossim

import (
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
		id := add(t, r, "/system/scheduler", schema.Row{
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
		id = one(t, r, "/system/scheduler")[schema.ID]
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
