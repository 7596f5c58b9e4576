package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpnbot/change"
)

// resume has another request go on in the direction that people have approved.
// What that request then does is told as its own.
func (j *job) resume(ctx context.Context) error {
	intent := j.r.Plan.Intent
	other, err := j.e.o.Ledger.RequestByNumber(ctx, intent.Resume)
	if err != nil && !errors.Is(err, change.ErrNotFound) {
		return fmt.Errorf("reading request %d: %w", intent.Resume, err)
	}
	switch {
	case other.State == change.NeedsAttention:
		m, err := other.Resume(time.Now(), intent.Towards, change.Actor{Person: change.Person{ID: j.r.Requester}, Slack: j.r.Slack})
		if err != nil {
			return err
		}
		if _, err := j.e.o.Ledger.Commit(ctx, m); err != nil {
			return fmt.Errorf("recording %s: %w", m.Events[0].Kind, err)
		}
	case other.Resumed != "" && other.Decided == intent.Towards: // by an earlier process
	default:
		m, err := j.r.Fail(time.Now(), change.T("apply.resume.gone", "other", intent.Resume))
		return j.commit(ctx, m, err)
	}
	m, err := j.r.Complete(time.Now(), false, nil, nil)
	return j.commit(ctx, m, err)
}
