package watch

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"vpnbot/change"
)

// checkpointEvery is the longest time without a checkpoint while events come.
const checkpointEvery = 24 * time.Hour

// checkpoint signs the trail after every change that ended and once a day.
func (w *Watch) checkpoint(ctx context.Context, now time.Time) error {
	last, err := w.o.Notary.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("reading the last checkpoint: %w", err)
	}
	due, err := w.due(ctx, now, last)
	if err != nil || !due {
		return err
	}
	c, err := w.o.Notary.Sign(ctx, now)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	size := strconv.FormatUint(c.Size, 10)
	return w.commit(ctx, change.Move{
		Checkpoint: &c,
		Events: []change.Event{{
			At: now, Kind: change.EventCheckpoint, Actor: change.SystemPerson,
			Facts: map[string]string{"size": size},
		}},
		Notices: []change.Notice{{
			Key: "checkpoint:" + size, Kind: change.NoticeCheckpoint,
			Audience: change.Audience{Channel: change.ChannelAudit}, Number: int64(c.Size),
		}},
	}, nil)
}

// due tells whether a change has ended since the last checkpoint, or a day has
// passed. What the trail says behind the checkpoint counts, and no clock: an end
// may be committed while a checkpoint is being signed that carries a later time.
func (w *Watch) due(ctx context.Context, now time.Time, last change.Checkpoint) (bool, error) {
	if now.Sub(last.At) >= checkpointEvery {
		return true, nil
	}
	ends, err := w.o.Ledger.Events(ctx, change.EventFilter{After: last.Size, Limit: 1, Kinds: []change.EventKind{
		change.EventApplied, change.EventProven, change.EventCommitted, change.EventReverted, change.EventAttention, change.EventReleased,
	}})
	if err != nil {
		return false, fmt.Errorf("reading the trail: %w", err)
	}
	return len(ends) > 0, nil
}

// attest hands the last checkpoint to the witness until it has taken it.
func (w *Watch) attest(ctx context.Context, _ time.Time) error {
	if w.o.Witness == nil {
		return nil
	}
	last, err := w.o.Notary.Checkpoint(ctx)
	if err != nil || last.Size <= w.attested {
		return err
	}
	if err := w.o.Witness(ctx, last); err != nil {
		return fmt.Errorf("handing over checkpoint %d: %w", last.Size, err)
	}
	w.attested = last.Size
	return nil
}
