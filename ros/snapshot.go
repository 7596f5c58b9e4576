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

// menusPerSession is how many menus one session reads before a further one is worth
// its login, which costs the router more than a few reads and stands in its log.
// What a status is made of fits into one.
const menusPerSession = 8

// Snapshot reads menus of a router, each with an explicit list of attributes
// and never a secret. A menu that the router does not have is absent from the
// result; one without rows is present and empty. The version is always read.
func (f *Fleet) Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	r, ctx, leave, err := f.enter(ctx, router)
	if err != nil {
		return change.Snapshot{}, err
	}
	defer leave()
	const resource = "/system/resource"
	paths := append([]string{resource}, slices.DeleteFunc(slices.Clone(menus), func(m string) bool { return m == resource })...)
	at := time.Now().UTC() // what is read was so then or later
	tables, err := readAll(ctx, r.read, paths)
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

// readAll reads the menus over as many sessions as are worth it. The first
// failure ends all.
func readAll(ctx context.Context, p *pool, paths []string) (map[string][]schema.Row, error) {
	paths = slices.Compact(slices.Sorted(slices.Values(paths)))
	for _, path := range paths {
		if _, ok := schema.Lookup(path); !ok {
			return nil, fmt.Errorf("%w: menu %s is not in the schema", ErrStep, path)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	tables := make(map[string][]schema.Row, len(paths))
	var group sync.WaitGroup
	workers := min(cap(p.slots), (len(paths)+menusPerSession-1)/menusPerSession)
	for part := range slices.Chunk(paths, (len(paths)+workers-1)/workers) {
		group.Go(func() {
			err := p.use(ctx, func(s *session) error {
				for _, path := range part {
					rows, err := p.print(ctx, s, path, nil)
					if trap, ok := errors.AsType[*TrapError](err); ok && trap.Kind == KindUnknownCommand {
						continue
					}
					if err != nil {
						return err
					}
					mu.Lock()
					tables[path] = rows
					mu.Unlock()
				}
				return nil
			})
			if err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, stopped(ctx)
	}
	return tables, nil
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
	a, err := p.run(ctx, s, command{words: []string{path + "/print", "=.proplist=" + strings.Join(names, ",")}})
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
