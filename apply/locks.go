package apply

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Lock is one locked router.
type Lock struct {
	Router  string    `json:"router"`
	Request int64     `json:"request"`
	Since   time.Time `json:"since"`
}

// locks holds one lock per router. A lock is a channel of one token, so that
// waiting for it can be given up.
type locks struct {
	mu     sync.Mutex // guards the maps; never held while waiting
	tokens map[string]chan struct{}
	held   map[string]Lock
}

func newLocks() *locks {
	return &locks{tokens: map[string]chan struct{}{}, held: map[string]Lock{}}
}

func (l *locks) token(router string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.tokens[router]
	if !ok {
		t = make(chan struct{}, 1)
		l.tokens[router] = t
	}
	return t
}

// acquire locks the routers in the given order, which must be the same
// everywhere, and returns how to unlock them.
func (l *locks) acquire(ctx context.Context, routers []string, request int64) (func(), error) {
	var taken []string
	release := func() {
		for _, router := range taken {
			l.mu.Lock()
			delete(l.held, router)
			l.mu.Unlock()
			<-l.token(router)
		}
	}
	for _, router := range routers {
		select {
		case l.token(router) <- struct{}{}:
		case <-ctx.Done():
			release()
			return nil, ctx.Err()
		}
		taken = append(taken, router)
		l.mu.Lock()
		l.held[router] = Lock{Router: router, Request: request, Since: time.Now()}
		l.mu.Unlock()
	}
	return release, nil
}

func (l *locks) list() []Lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Lock, 0, len(l.held))
	for _, k := range l.held {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b Lock) int { return strings.Compare(a.Router, b.Router) })
	return list
}
