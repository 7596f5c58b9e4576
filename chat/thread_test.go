package chat

import (
	"testing"
	"time"

	"vpnbot/change"
	"vpnbot/chat/slacksim"
)

// tellLogs asks for what the routers wrote down to be told.
func (r *rig) tellLogs(request string) {
	r.t.Helper()
	r.commit(change.Move{Notices: []change.Notice{{Key: "logs:" + request, Kind: change.NoticeLogs, Audience: r.approvals(), Request: request}}})
}

// Ensure what the routers wrote down stands below the request's card, once, also when
// Slack took it without saying so, and by itself where there is no card.
func TestOutbox_Thread(t *testing.T) {
	bubble(t, workspace(), func(t *testing.T, r *rig) {
		r.tell(r.approvals(), change.NoticeCard, "card:r1")
		r.drained()
		card := r.sim.Messages("UAPP", "CAPP")[0]
		r.sim.FailNext("chat.postMessage", slacksim.Fault{Kind: slacksim.FaultUnknown})
		r.tellLogs("r1")
		r.tellLogs("r2")
		r.drained()
		time.Sleep(time.Minute)
		threads := map[string]string{}
		for _, m := range r.sim.Messages("UAPP", "CAPP")[1:] {
			threads[m.Text] += m.ThreadTS + ";"
		}
		if got, want := threads["logs:r1"], card.TS+";"; got != want {
			t.Errorf("logs of r1 stand below %q, want %q", got, want)
		}
		if got, want := threads["logs:r2"], ";"; got != want {
			t.Errorf("logs of r2, which has no card, stand below %q, want %q", got, want)
		}
	})
}
