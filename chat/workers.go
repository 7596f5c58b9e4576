package chat

import (
	"sync"

	"vpnbot/change"
)

// workers runs what people asked for: each person's wishes in their order, the
// wishes of different people side by side, at most as many as there are places.
type workers struct {
	mu     sync.Mutex // guards queues; never held while working
	queues map[change.SlackID][]func()
	places chan struct{}
	wg     sync.WaitGroup
}

func newWorkers(places int) *workers {
	return &workers{queues: map[change.SlackID][]func(){}, places: make(chan struct{}, places)}
}

// maxQueued bounds what one person can have waiting.
const maxQueued = 50

// add queues do for who. It tells whether there was room.
func (w *workers) add(who change.SlackID, do func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	queue, busy := w.queues[who]
	if len(queue) >= maxQueued {
		return false
	}
	w.queues[who] = append(queue, do)
	if !busy {
		w.wg.Go(func() { w.drain(who) })
	}
	return true
}

// drain works until who's queue is empty.
func (w *workers) drain(who change.SlackID) {
	for {
		w.mu.Lock()
		queue := w.queues[who]
		if len(queue) == 0 {
			delete(w.queues, who)
			w.mu.Unlock()
			return
		}
		do := queue[0]
		w.queues[who] = queue[1:]
		w.mu.Unlock()
		w.places <- struct{}{}
		do()
		<-w.places
	}
}

// wait returns when nothing is under way any more.
func (w *workers) wait() { w.wg.Wait() }
