package apply

import (
	"context"
	"sync"
	"time"

	"vpnbot/change"
)

// logsTime bounds how long routers are asked for their logs.
const logsTime = 30 * time.Second

// keepLogs reads, after the end of the work, what its routers wrote down from the
// first write on, and keeps it with the request. It comes after that end is recorded,
// so that nobody waits for it and nothing fails with it; a bot that dies in between
// keeps nothing. It tells whether it took time, in which the request may have gone on.
func (j *job) keepLogs(ctx context.Context) bool {
	if j.e.o.Logs == nil || j.ended.IsZero() || ctx.Err() != nil {
		return false
	}
	journal, err := j.e.o.Ledger.Journal(ctx, j.r.ID)
	from, begun := change.FirstWrite(journal)
	if err == nil && !begun {
		return false
	}
	if err == nil {
		_, err = j.e.o.Ledger.Commit(ctx, j.r.Logged(time.Now(), j.readLogs(ctx, from)))
	}
	if err != nil && ctx.Err() == nil {
		j.e.o.Log.Warn("keeping the routers' logs", "request", j.r.Number, "err", err)
	}
	return true
}

// readLogs asks all routers of the plan at once.
func (j *job) readLogs(ctx context.Context, from time.Time) []change.RouterLog {
	ctx, cancel := context.WithTimeout(ctx, logsTime)
	defer cancel()
	routers := routersOf(j.r)
	logs := make([]change.RouterLog, len(routers))
	var group sync.WaitGroup
	for i, router := range routers {
		group.Go(func() { logs[i] = j.e.o.Logs(ctx, j.r, router, from, j.ended) })
	}
	group.Wait()
	return logs
}
