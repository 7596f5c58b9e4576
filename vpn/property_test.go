package vpn_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/vpn"
)

type refType = secret.Ref

func drawAccount(t *rapid.T) vpn.AddAccount {
	in := office()
	a := in.Intent.Account
	a.Name = rapid.StringMatching(`[A-Za-z0-9]([A-Za-z0-9._-]{0,12}[A-Za-z0-9_-])?`).Draw(t, "name")
	a.Note = rapid.StringMatching(`[ -~鳳山]{0,40}`).Draw(t, "note")
	if rapid.Bool().Draw(t, "fixed") {
		a.Address = fmt.Sprintf("%s.%d", rapid.SampledFrom([]string{"10.77.0", "192.168.77", "203.0.113", "172.16.0"}).Draw(t, "net"), rapid.IntRange(0, 255).Draw(t, "host"))
	}
	return in
}

// A plan is the same each time, holds no secret, survives the ledger's encoding
// unchanged, and once its row stands on the router it matches there and a second
// plan is refused.
func TestPlanAddAccount_Properties(t *testing.T) {
	key, err := secret.NewKey(bytes.Repeat([]byte{7}, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := drawAccount(t)
		password := secret.Password()
		in.Password, in.Mark = secret.NewRef(), key.Mark("password", password)
		plan, err := vpn.PlanAddAccount(in)
		if err != nil {
			if _, ok := errors.AsType[*vpn.Refusal](err); !ok {
				t.Fatalf("neither plan nor refusal: %v", err)
			}
			return
		}
		digest := mustDigest(t, plan)
		again, err := vpn.PlanAddAccount(in)
		if err != nil || mustDigest(t, again) != digest {
			t.Fatalf("second planning differs: %v", err)
		}
		encoded, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(encoded, []byte(password.Expose())) {
			t.Fatal("the password is in the plan")
		}
		var stored change.Plan
		if err := json.Unmarshal(encoded, &stored); err != nil || mustDigest(t, stored) != digest {
			t.Fatalf("digest differs after storing: %v", err)
		}
		checkAddress(t, in)
		applyAndPlanAgain(t, in, stored)
	})
}

// checkAddress: a granted address is nobody's, and in no range.
func checkAddress(t *rapid.T, in vpn.AddAccount) {
	if in.Intent.Account.Address == "" {
		return
	}
	ip := netip.MustParseAddr(in.Intent.Account.Address)
	last := ip.As4()[3]
	switch {
	case in.Site.Contains(ip) && last >= 100 && last <= 199:
		t.Fatalf("granted %s of the DHCP range", ip)
	case netip.MustParsePrefix("10.77.0.0/24").Contains(ip) && last >= 10 && last <= 99:
		t.Fatalf("granted %s of the pool", ip)
	case netip.MustParsePrefix("172.16.0.0/24").Contains(ip):
		t.Fatalf("granted %s, which is nowhere near", ip)
	}
}

func applyAndPlanAgain(t *rapid.T, in vpn.AddAccount, plan change.Plan) {
	step := plan.Steps[0]
	row := step.After.Clone()
	row[".id"], row["disabled"], row["caller-id"], row["limit-bytes-in"] = "*9", "false", "", "0"
	row["comment"] = change.Mark(row["comment"], 42, step.ID)
	menu := &in.Snapshot.Menus
	(*menu)[step.Menu] = append((*menu)[step.Menu], row)
	_, err := vpn.PlanAddAccount(in)
	refusal, ok := errors.AsType[*vpn.Refusal](err)
	if !ok || refusal.Text.ID != "plan.refuse.exists" {
		t.Fatalf("second plan: %v", err)
	}
}

func mustDigest(t *rapid.T, p change.Plan) string {
	d, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}
