package ros

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// menusPerSession is how many menus one session reads before somebody who waits is
// better served by a further one, whose login costs the router more than a few reads
// and stands in its log. What a status is made of is read over two.
const menusPerSession = 6

// Snapshot reads menus of a router, each with an explicit list of attributes
// and never a secret. A menu that the router does not have is absent from the
// result; one without rows is present and empty. The version is always read.
func (f *Fleet) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	return f.snapshot(ctx, router, readSessions, menus)
}

// Poll is a Snapshot for which nobody waits: it takes one session alone, so that
// reading hundreds of routers every minute costs each of them one login.
func (f *Fleet) Poll(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	return f.snapshot(ctx, router, 1, menus)
}

// snapshot reads menus over at most so many sessions.
func (f *Fleet) snapshot(ctx context.Context, router string, sessions int, menus []string) (change.Snapshot, error) {
	r, ctx, leave, err := f.enter(ctx, router)
	if err != nil {
		return change.Snapshot{}, err
	}
	defer leave()
	const resource = "/system/resource"
	paths := append([]string{resource}, slices.DeleteFunc(slices.Clone(menus), func(m string) bool { return m == resource })...)
	at := time.Now().UTC() // what is read was so then or later
	tables, err := readAll(ctx, r.read, sessions, paths)
	if err != nil {
		return change.Snapshot{}, fmt.Errorf("reading %s: %w", router, err)
	}
	snap := change.Snapshot{Router: router, At: at, Until: time.Now().UTC(), Menus: tables}
	if rows := tables[resource]; len(rows) > 0 {
		snap.Version = rows[0]["version"]
	}
	if snap.Version == "" {
		return change.Snapshot{}, fmt.Errorf("reading %s: %w: no version", router, ErrProtocol)
	}
	if last := r.version.Swap(&snap.Version); newer(snap.Version) && (last == nil || *last != snap.Version) {
		r.read.log.Warn("router runs a version newer than any known", "router", router, "version", snap.Version)
	}
	if !slices.Contains(menus, resource) {
		delete(tables, resource)
	}
	return snap, nil
}

// readAll reads the menus over as many sessions as are worth it, at most so many.
// The first failure ends all.
func readAll(ctx context.Context, p *pool, sessions int, paths []string) (map[string][]schema.Row, error) {
	paths = slices.Compact(slices.Sorted(slices.Values(paths)))
	for _, path := range paths {
		if _, ok := schema.Lookup(path); !ok {
			return nil, fmt.Errorf("%w: menu %s is not in the schema", ErrStep, path)
		}
	}
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &reading{pool: p, left: paths, tables: make(map[string][]schema.Row, len(paths))}
	sessions = min(sessions, (len(paths)+menusPerSession-1)/menusPerSession)
	var group sync.WaitGroup
	for k := range sessions {
		if k > 0 && !p.free() {
			break // the first reads what nobody helps with
		}
		group.Go(func() {
			path := ""
			if err := p.hold(ctx, func(s *session) error { return r.read(ctx, s, &path) }); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, stopped(ctx)
	}
	return r.tables, nil
}

// reading is the menus of one router that several sessions read, in order.
type reading struct {
	pool *pool

	mu     sync.Mutex // never held while waiting
	left   []string
	tables map[string][]schema.Row
}

// read reads path, unless it is empty, and then whatever is left. It keeps in path
// what it has begun, so that another session may begin it anew.
func (r *reading) read(ctx context.Context, s *session, path *string) error {
	for {
		if *path == "" {
			if *path = r.next(); *path == "" {
				return nil
			}
		}
		rows, err := r.pool.print(ctx, s, *path, nil)
		if trap, ok := errors.AsType[*TrapError](err); ok && trap.Kind == KindUnknownCommand {
			*path = ""
			continue
		}
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.tables[*path] = rows
		r.mu.Unlock()
		*path = ""
	}
}

// next takes a menu that nobody has begun; empty: there is none.
func (r *reading) next() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.left) == 0 {
		return ""
	}
	path := r.left[0]
	r.left = r.left[1:]
	return path
}

// print reads one menu: the named attributes, or all that are no secret. What
// was not asked for is thrown away, whatever the router sends.
func (p *pool) print(ctx context.Context, s *session, path string, names []string) ([]schema.Row, error) {
	menu, ok := schema.Lookup(path)
	if !ok {
		return nil, fmt.Errorf("%w: menu %s is not in the schema", ErrStep, path)
	}
	all := menu.Proplist()
	if names == nil {
		names = all
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("%w: attribute %s of %s is never read", ErrStep, name, path)
		}
	}
	words := []string{path + "/print", "=.proplist=" + strings.Join(names, ",")}
	if menu.Only != "" {
		words = append(words, menu.Only)
	}
	a, err := p.run(ctx, s, command{words: words})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	rows := a.rows[:0]
	for _, row := range a.rows {
		for name := range row {
			if !slices.Contains(names, name) {
				delete(row, name)
			}
		}
		if len(row) > 0 {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// run sends a command with the pool's timeout and counts it.
func (p *pool) run(ctx context.Context, s *session, c command) (answer, error) {
	c.timeout = p.timeout
	p.count.commands.Add(1)
	a, err := s.run(ctx, c)
	_, trapped := errors.AsType[*TrapError](err)
	switch {
	case err == nil || trapped:
		p.count.answered.Store(time.Now().UnixNano())
	case ctx.Err() == nil:
		p.count.errors.Add(1)
	}
	return a, err
}
