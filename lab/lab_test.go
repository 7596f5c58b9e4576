package lab_test

import (
	"context"
	"net/netip"
	"os"
	"testing"
	"time"

	"vpnbot/lab"
	"vpnbot/ros/schema"
)

// start starts a lab for one test. Where none can run the test is skipped, and
// fails when VPNBOT_LAB says that it must run.
func start(t *testing.T) *lab.Lab {
	t.Helper()
	if err := lab.Missing(); err != nil {
		if os.Getenv("VPNBOT_LAB") != "" {
			t.Fatalf("no lab: %v", err)
		}
		t.Skipf("NO LAB HERE, nothing is checked against real daemons: %v", err)
	}
	l, err := lab.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// sites is an attempt between two routers that agree.
func sites() schema.Attempt {
	party := func(name, own, other, src, dst string) schema.Party {
		return schema.Party{
			Name:  name,
			Local: netip.MustParseAddr(own), Seen: netip.MustParseAddr(own),
			Keys: map[string]string{"*3": "correct horse"},
			Rows: map[string][]schema.Row{
				"/ip/ipsec/profile": {{
					".id": "*1", "name": "site", "enc-algorithm": "aes-256,aes-128", "hash-algorithm": "sha256",
					"dh-group": "modp2048,modp1024",
				}},
				"/ip/ipsec/peer":     {{".id": "*2", "name": "site", "address": other + "/32", "profile": "site", "exchange-mode": "main"}},
				"/ip/ipsec/identity": {{".id": "*3", "peer": "site"}},
				"/ip/ipsec/proposal": {{
					".id": "*4", "name": "site", "enc-algorithms": "aes-256-cbc,aes-128-cbc", "auth-algorithms": "sha256",
					"pfs-group": "modp2048",
				}},
				"/ip/ipsec/policy": {{
					".id": "*5", "peer": "site", "tunnel": "true", "src-address": src, "dst-address": dst,
					"proposal": "site",
				}},
			},
		}
	}
	return schema.Attempt{
		Initiator: party("hq", "203.0.113.5", "198.51.100.7", "192.168.77.0/24", "192.168.10.0/24"),
		Responder: party("fengshan", "198.51.100.7", "203.0.113.5", "192.168.10.0/24", "192.168.77.0/24"),
		Peer:      "*2",
	}
}

// Ensure that two routers which agree come up by the daemons' judgement and
// carry packets.
func TestLab_Negotiate(t *testing.T) {
	l := start(t)
	a := sites()
	out, err := l.Negotiate(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if out.Verdict != schema.Agree {
		t.Fatalf("got %+v, want agreement", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := l.Ping(ctx, out.Phase2[0].Source, out.Phase2[0].Destination); err != nil {
		t.Error(err)
	}
	t.Logf("%+v %+v", out.Phase1, out.Phase2)
}
