package vpn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Ensure what people type becomes one form, and what fits nothing a refusal that
// repeats no word of it.
func TestReadSetting(t *testing.T) {
	tests := []struct{ typed, want, refused, hint string }{
		{typed: "exchange=ike2", want: "exchange=ike2"},
		{typed: "Exchange-Mode=IKE2", want: "exchange=ike2"},
		{typed: "dh=modp2048,ecp384", want: "profile.dh-groups=ecp384,modp2048"},
		{typed: "dh-groups=ecp384、ecp384", want: "profile.dh-groups=ecp384"},
		{typed: "profile.lifetime=24h", want: "profile.lifetime=1d"},
		{typed: "dpd=off", want: "profile.dpd-interval=disable-dpd"},
		{typed: "nat-t=是", want: "profile.nat-traversal=true"},
		{typed: "pfs=none", want: "proposal.pfs-group=none"},
		{typed: "HQ.networks=192.168.77.0/24，192.168.78.0/24", want: "HQ.prefixes=192.168.77.0/24,192.168.78.0/24"},
		{typed: "總公司.role=respond", want: "總公司.role=respond"},
		{typed: "hq.id=auto", want: "hq.id="},
		{typed: "hq.probes=none", want: "hq.probes="},
		{typed: "note=兩個 字", want: "note=兩個 字"},
		{typed: "exchange", refused: "set_pair"},
		{typed: "=ike2", refused: "set_pair"},
		{typed: "psk=hunter2", refused: "set_secret"},
		{typed: "金鑰", refused: "set_secret"},
		{typed: "exchagne=ike2", refused: "set_key_near", hint: "exchange"},
		{typed: "hq.prefixs=10.0.0.0/8", refused: "set_key_near", hint: "prefixes"},
		{typed: "hunter2hunter2=x", refused: "set_key"},
		{typed: "lifetime=8h", refused: "set_which", hint: "profile.lifetime"},
		{typed: "role=respond", refused: "set_end", hint: "SITE.role"},
		{typed: "exchange=ike", refused: "set_near", hint: "ike2"},
		{typed: "exchange=hunter2", refused: "set_value", hint: "ike2, main, aggressive"},
		{typed: "exchange=ike2,main", refused: "set_value"},
		{typed: "profile.hash=", refused: "set_value"},
		{typed: "profile.lifetime=5s", refused: "set_form", hint: "1d"},
		{typed: "hq.prefixes=192.168.77.1/24", refused: "set_form"},
		{typed: "hq.prefixes=none", refused: "set_form"},
		{typed: "dpd-maximum-failures=0", refused: "set_form"},
		{typed: "hq.id=hunter2", refused: "set_form"},
	}
	for _, tt := range tests {
		got, err := vpn.ReadSetting(tt.typed)
		r, refused := errors.AsType[*vpn.Refusal](err)
		switch {
		case !refused && tt.refused != "", refused && r.Text.ID != "plan.refuse."+tt.refused:
			t.Errorf("%s: got %v, want %s", tt.typed, err, tt.refused)
		case !refused && got.Key+"="+got.Value != tt.want:
			t.Errorf("%s: got %+v, want %s", tt.typed, got, tt.want)
		case refused && !strings.Contains(argsOf(r.Hint), tt.hint):
			t.Errorf("%s: got hint %v, want %s in it", tt.typed, r.Hint, tt.hint)
		case refused && strings.Contains(argsOf(r.Text)+argsOf(r.Hint), "hunter2"):
			t.Errorf("%s: repeated in %v %v", tt.typed, r.Text, r.Hint)
		}
	}
}

func argsOf(text change.Text) string {
	var all []string
	for _, v := range text.Args {
		all = append(all, v.Str)
	}
	return strings.Join(all, " ")
}

// Ensure every setting is read back as it was made, and shows as a difference and
// as nothing else.
func TestTunnel_With(t *testing.T) {
	before := narrow(redoWorld()).Tunnel
	tests := map[string][]string{ // typed: differences
		"exchange=main":                                    {"exchange: ike2 → main"},
		"profile.lifetime=24h":                             nil,
		"profile.encryption=aes-128":                       {"profile.encryption: aes-256 → aes-128"},
		"proposal.encryption=aes-256-gcm":                  {"proposal.encryption: aes-256-cbc → aes-256-gcm", "proposal.auth: sha256 → "},
		"hash=sha512 nat-traversal=no":                     {"profile.hash: sha256 → sha512", "profile.nat-traversal: true → false"},
		"hq.prefixes=192.168.78.0/24":                      {"hq.prefixes: 192.168.77.0/24 → 192.168.78.0/24"},
		"fengshan.id=fqdn:a.example hq.probes=none note=x": {"note:  → x", "fengshan.id:  → fqdn:a.example", "hq.probes: 192.168.77.31 → "},
		"profile.dpd-interval=30s dpd-maximum-failures=2":  {"profile.dpd-interval: 8s → 30s", "profile.dpd-maximum-failures: 4 → 2"},
	}
	for typed, want := range tests {
		next, err := before.With(settings(t, typed), false)
		if err != nil {
			t.Errorf("%s: %s", typed, explain(err))
			continue
		}
		var got []string
		for _, d := range before.Differences(next) {
			got = append(got, d.Key+": "+d.Was+" → "+d.Is)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", typed, diff)
		}
	}
	for typed, want := range map[string]string{
		"taichung.role=both": "set_site", "exchange=ike2 exchange=main": "set_twice", "hq.router=gw-2": "set_fixed",
	} {
		_, err := before.With(settings(t, typed), false)
		if r, ok := errors.AsType[*vpn.Refusal](err); !ok || r.Text.ID != "plan.refuse."+want {
			t.Errorf("%s: got %v, want %s", typed, err, want)
		}
	}
	if next, err := before.With(settings(t, "hq.wan=ether9"), true); err != nil || next.Ends[0].WAN != "ether9" || before.Ends[0].WAN != "ether1" {
		t.Errorf("a new tunnel: got %+v, %v", next.Ends[0], err)
	}
}

// settings reads what stands between blanks.
func settings(t failer, typed string) []change.Setting {
	t.Helper()
	var list []change.Setting
	for word := range strings.FieldsSeq(typed) {
		s, err := vpn.ReadSetting(word)
		if err != nil {
			t.Fatal(word + ": " + explain(err))
		}
		list = append(list, s)
	}
	return list
}

// Ensure the notes' values are graded, and that what is suggested is sound.
func TestTunnel_Graded(t *testing.T) {
	notes := narrow(redoWorld()).Tunnel
	if text, weak := notes.Graded(); weak {
		t.Errorf("the defaults are called weak: %v", text)
	}
	notes, err := notes.With(settings(t, "exchange=main dh=modp1024 profile.encryption=3des,aes-128 hash=sha1 dpd=5m auth=sha1 pfs=none"), false)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := notes.Graded()
	command := text.Args["command"].Str
	better, err := notes.With(settings(t, strings.TrimPrefix(command, "/vpn tunnel set hq-fengshan ")), false)
	if err != nil {
		t.Fatal(err)
	}
	if text, weak := better.Graded(); weak {
		t.Errorf("after %s: %v", command, text)
	}
	if n := len(notes.Weaknesses()); n != 7 {
		t.Errorf("got %d weaknesses, want 7: %+v", n, notes.Weaknesses())
	}
}

// Ensure reading what a setting says again gives the same setting.
func TestReadSetting_Stable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom([]string{"exchange", "dh", "profile.lifetime", "dpd", "hq.prefixes", "hq.id", "note", "proposal.encryption", "psk"}).Draw(t, "key")
		s, err := vpn.ReadSetting(key + "=" + rapid.String().Draw(t, "value"))
		if err != nil {
			if _, ok := errors.AsType[*vpn.Refusal](err); !ok {
				t.Fatalf("no refusal: %v", err)
			}
			return
		}
		again, err := vpn.ReadSetting(s.Key + "=" + s.Value)
		if s.Value == "" {
			return // left empty by a word
		}
		if err != nil || again != s {
			t.Fatalf("got %+v, %v, want %+v", again, err, s)
		}
	})
}
