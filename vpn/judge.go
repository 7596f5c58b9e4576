package vpn

import (
	"time"

	"vpnbot/change"
)

const established = "established"

// Judge joins what both routers say into one verdict. samples are those of each
// end of the definition, oldest first: the last is what the router says now, the
// others are to compare counters with (see Window). A sample with Err counts as
// the router's silence. at is the time of the question.
func Judge(want Expected, samples [2][]Half, at time.Time) Judged {
	return Judged{Tunnel: want.Tunnel, Verdict: Unknown, Reason: change.T("status.unknown.no_sample")}
}
