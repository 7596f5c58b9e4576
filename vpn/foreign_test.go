package vpn_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vpnbot/vpn"
)

// Ensure a site that somebody else runs has no routers, that one end of a tunnel is
// ours, and that nothing is planned for a tunnel to such a site but the end of its
// definition.
func TestForeign(t *testing.T) {
	in := narrow(redoWorld())
	in.Estate.Sites = slices.Clone(in.Estate.Sites)
	site := &in.Estate.Sites[1]
	problems := func(list []vpn.Problem) (said string) {
		for _, p := range list {
			said += p.Error() + "; "
		}
		return said
	}
	site.Foreign = true
	if got := problems(in.Estate.Problems()); !strings.Contains(got, "expected none here, or foreign: false") {
		t.Errorf("routers at a foreign site: %q", got)
	}
	site.Routers = nil
	if got := problems(in.Estate.Problems()); strings.Contains(got, "routers of this site") || strings.Contains(got, "expected at least one router") {
		t.Errorf("a foreign site without routers: %q", got)
	}
	if got := problems(in.Tunnel.Problems(in.Estate, nil, nil)); !strings.Contains(got, "expected no router") {
		t.Errorf("a router at the foreign end: %q", got)
	}
	there := in.Tunnel.In(in.Estate)
	if got := problems(there.Problems(in.Estate, nil, nil)); got != "" || there.Ends[1].Router != "" || in.Tunnel.Ends[1].Router == "" {
		t.Errorf("a tunnel to it: %q, router %q", got, there.Ends[1].Router)
	}
	refusal, ok := errors.AsType[*vpn.Refusal](there.Ours(in.Estate))
	if !ok || refusal.Text.ID != "plan.refuse.tunnel_foreign" || !there.Foreign(in.Estate) {
		t.Errorf("got %v, want it refused", refusal)
	}
	in.Tunnel = there
	plan := vpn.PlanForget(in)
	if !plan.Retires || len(plan.Steps) > 0 || plan.Phased() || !slices.Equal(plan.Routers, []string{"gw-hq"}) {
		t.Errorf("plan %+v", plan)
	}
	in.Estate.Sites[0].Foreign, in.Estate.Sites[0].Routers = true, nil
	if got := problems(in.Tunnel.In(in.Estate).Problems(in.Estate, nil, nil)); !strings.Contains(got, "one end that is ours") {
		t.Errorf("two foreign ends: %q", got)
	}
}
