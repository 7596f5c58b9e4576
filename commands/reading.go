package commands

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"vpnbot/change"
	"vpnbot/commands/text"
	"vpnbot/vpn"
)

// reading is what one router of a site answered.
type reading struct {
	site     string
	router   string
	snapshot change.Snapshot
	err      error
}

// visible returns the sites that the words and the caller's rights leave.
func (s *Service) visible(c *call) []vpn.Site {
	var list []vpn.Site
	for _, site := range s.o.Estate.Sites {
		if (c.site == "" || c.site == site.Name) && c.Actor.Person.May(change.Viewer, site.Name) {
			list = append(list, site)
		}
	}
	return list
}

// read asks every router of sites at once for menus. A router that does not
// answer is in the result with its error.
func (s *Service) read(ctx context.Context, sites []vpn.Site, menus ...string) []reading {
	var all []reading
	for _, site := range sites {
		for _, router := range site.Routers {
			all = append(all, reading{site: site.Name, router: router})
		}
	}
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i].snapshot, all[i].err = s.snapshot(ctx, all[i].router, menus...) })
	}
	wg.Wait()
	return all
}

// routerError names the router that an error is about.
type routerError struct {
	router string
	err    error
}

// Error names the cause; it names the router already.
func (e *routerError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *routerError) Unwrap() error { return e.err }

// Explain puts the router's name before what the cause says.
func (e *routerError) Explain() (sentence, hint change.Text) {
	why, hint, _ := text.Explain(e.err)
	return change.T("estate.silent", "router", e.router, "why", why), hint
}

// snapshot reads one router.
func (s *Service) snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error) {
	snapshot, err := s.o.Routers.Snapshot(ctx, router, menus...)
	if err == nil {
		return snapshot, nil
	}
	if _, _, known := text.Explain(err); !known {
		return snapshot, fmt.Errorf("reading router %s: %w", router, err)
	}
	return snapshot, &routerError{router, err}
}

// silent says which routers did not answer, and why.
func (s *Service) silent(ctx context.Context, readings []reading) ([]Part, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var parts []Part
	for _, r := range readings {
		if r.err == nil {
			continue
		}
		parts = append(parts, s.why(r.router, r.err))
	}
	return parts, nil
}

// why says why a router did not answer. err need not name it.
func (s *Service) why(router string, err error) Part {
	named, ok := errors.AsType[*routerError](err)
	if !ok {
		named = &routerError{router, err}
	}
	sentence, _ := named.Explain()
	if _, _, known := text.Explain(named.err); !known {
		s.o.Log.Error("reading router", "router", router, "reference", text.Reference(named.err), "err", named.err)
	}
	return Say(Warning, sentence)
}
