package ros_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"vpnbot/change"
	"vpnbot/ros"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
)

// variants are routers of every version, and one for each behaviour of tables
// that no source proves, taken the other way.
func variants() map[string]rossim.Options {
	all := map[string]rossim.Options{
		"secrets in clear":        {PrintMasks: "no"},
		"secrets masked":          {Profile: "7.17.2", PrintMasks: "yes"},
		"words of 7.23":           {Tables: rossim.Tables{Texts: "newest"}},
		"named parameters":        {Tables: rossim.Tables{Texts: "named"}},
		"numbers behind words":    {Profile: "6.49.7", Tables: rossim.Tables{Texts: "oldest"}},
		"what is in use dangles":  {Tables: rossim.Tables{InUseDangles: true}},
		"names by service":        {Tables: rossim.Tables{SecretPerService: true}},
		"an identity for each ID": {Tables: rossim.Tables{IdentityPerID: true}},
		"static rows in front":    {Tables: rossim.Tables{StaticFirst: true}},
		"part of a list":          {Tables: rossim.Tables{PartWay: true}},
		"strict property lists":   {Tables: rossim.Tables{StrictProplist: true}},
	}
	for _, version := range rossim.Profiles() {
		all[version] = rossim.Options{Profile: version}
	}
	return all
}

// lacking are the menus that a version does not have.
func lacking(version string) []string {
	switch version {
	case "6.49.7":
		return []string{"/safe-mode", "/system/device-mode"}
	case "7.17.2":
		return []string{"/safe-mode"}
	}
	return nil
}

// Ensure the client reads and writes alike on every version and whatever a
// router does where no source tells.
func TestVariants(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(variants())) {
		o := variants()[name]
		if o.Profile == "" {
			o.Profile = rossim.ProfileDefault
		}
		t.Run(name, func(t *testing.T) {
			f, s := simulated(t, o)
			variantReads(t, f, o.Profile)
			variantWrites(t, f, s)
		})
	}
}

func variantReads(t *testing.T, f *ros.Fleet, version string) {
	t.Helper()
	report, err := f.Check(t.Context(), "gw")
	if err != nil || !strings.HasPrefix(report.Version, version) || !report.Write.Known {
		t.Errorf("check: %+v, %v", report, err)
	}
	for _, path := range schema.Paths() {
		snap, err := f.Snapshot(t.Context(), "gw", path)
		if slices.Contains(lacking(version), path) {
			if err == nil && len(snap.Menus[path]) > 0 {
				t.Errorf("%s: got %v from a version that lacks it", path, snap.Menus[path])
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		menu, _ := schema.Lookup(path)
		for _, row := range snap.Menus[path] {
			for _, name := range menu.Secrets() {
				if _, leaked := row[name]; leaked {
					t.Errorf("%s has %s", path, name)
				}
			}
		}
	}
}

func variantWrites(t *testing.T, f *ros.Fleet, s *stand) {
	t.Helper()
	write := func(what string, request int64, step change.Step, want error) {
		t.Helper()
		if err := f.Execute(t.Context(), "gw", request, step, vault{}); !errors.Is(err, want) || (want == nil && err != nil) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
	write("an account", 7, add(), nil)
	if rows := accounts(t, f); len(rows) != 1 || !change.HasMark(rows[0]["comment"], 7, 1) || rows[0]["service"] != "l2tp" || rows[0]["profile"] != "default" {
		t.Errorf("got %v, want the account with its mark", rows)
	}
	write("the same again", 8, add(), ros.ErrRowExists)
	bad := add()
	bad.Match, bad.After = schema.Row{"name": "other"}, schema.Row{"name": "other", "profile": "no-such-profile"}
	if trap, ok := errors.AsType[*ros.TrapError](f.Execute(t.Context(), "gw", 7, bad, vault{})); !ok || trap.Kind != ros.KindValue {
		t.Errorf("an unknown profile: got %v", trap)
	}
	write("its end", 7, remove(), nil)
	write("its end again", 7, remove(), ros.ErrNoRow)

	if err := f.AddGuard(t.Context(), "gw", 42, guarded()); err != nil {
		t.Errorf("a guard: %v", err)
	}
	if row := guardRow(t, s); row["interval"] != "3m" || row["policy"] != "read,write" || row["disabled"] != "true" {
		t.Errorf("got the guard %v", row)
	}
	if err := f.RemoveGuard(t.Context(), "gw", 42); err != nil {
		t.Errorf("a guard's end: %v", err)
	}
}
