package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"vpnbot/ros/schema"
)

// site is one end of the lab: a router with its daemon, and a host behind it.
type site struct {
	router, host *namespace
	daemon       *daemon
	lines        map[*namespace][]string // what is configured there now
	translation  string                  // what is between the two ends now
}

// Lab is two routers on one wire, each with a host behind it, and a daemon on
// each router. It plays one attempt at a time.
type Lab struct {
	dir   string
	mine  *os.File      // locked while this lab lives
	lock  chan struct{} // held over an attempt
	sites [2]*site      // the initiator's, the responder's
	// keeps are the cookies of phase 1s that stay up from one attempt to the next.
	// It is nil in a lab in which each attempt begins with nothing.
	keeps map[string]bool
}

// packages are Debian's, for all that a lab runs.
const packages = "charon-systemd libcharon-extra-plugins libstrongswan-extra-plugins libstrongswan-standard-plugins nftables iproute2"

// Missing says why no lab can run here, nil when one can.
func Missing() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	tun, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the TUN device: %w", err)
	}
	tun.Close()
	for _, p := range []string{program, "ip", "nft"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%w; it takes apt-get install --no-install-recommends %s", err, packages)
		}
	}
	return nil
}

// Start builds a lab; Close takes it down. All that outlives a killed process is
// the lab's directory, which holds no secret and which the next Start removes.
func Start(ctx context.Context) (*Lab, error) {
	dir, mine, err := claim()
	if err != nil {
		return nil, fmt.Errorf("building the lab: %w", err)
	}
	l := &Lab{dir: dir, mine: mine, lock: make(chan struct{}, 1)}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("building the lab: %w", err), l.Close())
	}
	return l, nil
}

func (l *Lab) build(ctx context.Context) error {
	for i := range l.sites {
		s, err := newSite()
		l.sites[i] = s
		if err != nil {
			return err
		}
	}
	a, b := l.sites[0].router, l.sites[1].router
	if err := a.ip("link add wan type veth peer name wan netns "+b.path(), "link set wan up"); err != nil {
		return err
	}
	if err := b.ip("link set wan up"); err != nil {
		return err
	}
	for i, s := range l.sites {
		dir := filepath.Join(l.dir, string(rune('a'+i)))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		d, err := startDaemon(ctx, s.router, dir)
		if err != nil {
			return err
		}
		s.daemon = d
	}
	return nil
}

// newSite makes a router that forwards and a host behind it. What it returns
// beside an error is to be closed too.
func newSite() (*site, error) {
	s := &site{lines: map[*namespace][]string{}}
	for _, ns := range []**namespace{&s.router, &s.host} {
		n, err := newNamespace()
		if err != nil {
			return s, err
		}
		*ns = n
	}
	for name, value := range map[string]string{
		"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/default/rp_filter": "0",
	} {
		if err := s.router.sysctl(name, value); err != nil {
			return s, err
		}
	}
	err := s.router.ip("link add lan type veth peer name lan netns "+s.host.path(),
		"link set lan up", "addr add "+gateway+"/32 dev lan")
	if err != nil {
		return s, err
	}
	// An interface loses its routes with its last address.
	return s, s.host.ip("link set lan up", "addr add "+behindGateway+"/32 dev lan")
}

// gateway is the address of each router on its own side, behindGateway the one
// that its host always has.
const gateway, behindGateway = "169.254.77.1", "169.254.77.2"

// Close stops the daemons and takes everything down.
func (l *Lab) Close() error {
	l.lock <- struct{}{}
	var errs []error
	for _, s := range l.sites {
		if s == nil {
			continue
		}
		if s.daemon != nil {
			errs = append(errs, s.daemon.stop())
		}
		for _, ns := range []*namespace{s.router, s.host} {
			if ns != nil {
				ns.close()
			}
		}
	}
	errs = append(errs, os.RemoveAll(l.dir))
	l.mine.Close()
	return errors.Join(errs...)
}

// hold takes the lab for one attempt.
func (l *Lab) hold(ctx context.Context) (release func(), err error) {
	select {
	case l.lock <- struct{}{}:
		return func() { <-l.lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var _ interface {
	Negotiate(context.Context, schema.Attempt) (schema.Outcome, error)
} = (*Lab)(nil)
