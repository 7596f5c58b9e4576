//go:build !nodemo

package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"vpnbot/config"
	"vpnbot/ros/rossim"
	"vpnbot/ros/schema"
	"vpnbot/vpn"
)

type simCommand struct {
	Routers int           `default:"2" help:"How many (${default})."`
	Latency time.Duration `default:"0s" help:"Time that each command takes."`
	Profile string        `default:"7.22.3" placeholder:"VERSION,…" help:"RouterOS version (${default}); a router of its own as NAME=VERSION (6.49.7, 7.17.2, 7.22.3)."`
	Config  string        `placeholder:"FILE" help:"Serve the routers of this configuration at their addresses, with certificates that are kept in its state directory (sim)."`
}

// Run serves until a signal comes.
func (c simCommand) Run(env *environment) (err error) {
	if err := c.validate(); err != nil {
		return err
	}
	wanted, certificates, err := c.wanted()
	if err != nil {
		return err
	}
	profiles, err := c.profiles(wanted)
	if err != nil {
		return err
	}
	var sims []*simulated
	defer func() {
		for _, s := range sims {
			err = errors.Join(err, s.close())
		}
	}()
	for _, w := range wanted {
		s, err := c.start(w, profiles[w.Name], certificates)
		if err != nil {
			return fmt.Errorf("router %s: %w", w.Name, err)
		}
		sims = append(sims, s)
		adviseOnPin(env.stderr, w, s.fingerprint)
		fmt.Fprintln(env.stdout, s.line)
	}
	fmt.Fprintln(env.stdout, "ready")
	<-env.ctx.Done()
	return nil
}

func (c simCommand) validate() error {
	switch {
	case c.Routers < 1 || c.Routers > 1000:
		return usageError{errors.New("--routers: expected 1 to 1000")}
	case c.Latency < 0:
		return usageError{errors.New("--latency: expected 0 or more")}
	}
	return nil
}

// profiles reads --profile: the version of every router, or of one, NAME=VERSION.
func (c simCommand) profiles(routers []vpn.Router) (map[string]string, error) {
	all := rossim.ProfileDefault
	own := make(map[string]string)
	for word := range strings.SplitSeq(c.Profile, ",") {
		name, version, named := strings.Cut(word, "=")
		if !named {
			version, all = word, word
		}
		if !slices.Contains(rossim.Profiles(), version) {
			return nil, usageError{fmt.Errorf("--profile %s: expected %s", word, strings.Join(rossim.Profiles(), ", "))}
		}
		if named && !slices.ContainsFunc(routers, func(r vpn.Router) bool { return r.Name == name }) {
			return nil, usageError{fmt.Errorf("--profile %s: no router is called %s", word, name)}
		}
		if named {
			own[name] = version
		}
	}
	versions := make(map[string]string, len(routers))
	for _, r := range routers {
		versions[r.Name] = cmp.Or(own[r.Name], all)
	}
	return versions, nil
}

// wanted are the routers to play, and where their certificates are kept.
func (c simCommand) wanted() (routers []vpn.Router, certificates string, err error) {
	if c.Config == "" {
		for i := range c.Routers {
			routers = append(routers, vpn.Router{Name: fmt.Sprintf("sim%d", i+1)})
		}
		return routers, "", nil
	}
	cfg, err := config.Load(c.Config)
	if err != nil {
		if len(config.Errors(err)) == 0 {
			err = usageError{err}
		}
		return nil, "", err
	}
	for _, r := range cfg.Estate.Routers {
		if host, _, err := net.SplitHostPort(r.Address); err != nil || !loopback(host) {
			return nil, "", usageError{fmt.Errorf("router %s: expected a loopback address: a simulated router listens nowhere else", r.Name)}
		}
	}
	return cfg.Estate.Routers, filepath.Join(cfg.State, "sim"), nil
}

// simulated is one running router and the line that tells how to reach it.
type simulated struct {
	router      *rossim.Router
	serving     errgroup.Group
	line        string
	fingerprint string
}

func (s *simulated) close() error { return errors.Join(s.router.Close(), s.serving.Wait()) }

func (c simCommand) start(w vpn.Router, profile, certificates string) (_ *simulated, err error) {
	r, err := rossim.New(rossim.Options{Name: w.Name, Profile: profile, Latency: c.Latency})
	if err != nil {
		return nil, err
	}
	s := &simulated{router: r}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	password := rand.Text()
	if err := r.Set("/user", "admin", schema.Row{"password": password}); err != nil {
		return nil, err
	}
	if err := r.Load(map[string][]schema.Row{"/user/group": botGroups()}); err != nil {
		return nil, err
	}
	if err := errors.Join(addUser(r, w.Read, "vpnbot-ro"), addUser(r, w.Write, "vpnbot-rw")); err != nil {
		return nil, err
	}
	return s, s.listen(w, password, certificates)
}

// served is why a router stopped serving: not because it was closed, be it
// before it began.
func served(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// addUser adds a login of the configuration in the group that the RouterOS script
// in deploy would give it. The administrator keeps theirs.
func addUser(r *rossim.Router, l vpn.Login, group string) error {
	if l.User == "" {
		return nil
	}
	password, err := l.Password.Read()
	if err != nil {
		return usageError{err}
	}
	if l.User == "admin" {
		return r.Set("/user", "admin", schema.Row{"password": password.Expose()})
	}
	_, err = r.Add("/user", schema.Row{"name": l.User, "group": group, "password": password.Expose()})
	return err
}

// listen serves w's address, plain or over TLS as it says, and the other one at
// a free port.
func (s *simulated) listen(w vpn.Router, password, certificates string) error {
	plainAt, tlsAt := "127.0.0.1:0", "127.0.0.1:0"
	switch {
	case w.Plain:
		plainAt = w.Address
	case w.Address != "":
		tlsAt = w.Address
	}
	plain, err := net.Listen("tcp", plainAt)
	if err != nil {
		return err
	}
	s.serving.Go(func() error { return served(s.router.Serve(plain)) })
	cert, fingerprint, err := keptCertificate(certificates, s.router.Name())
	if err != nil {
		return err
	}
	s.fingerprint = fingerprint
	secure, err := net.Listen("tcp", tlsAt)
	if err != nil {
		return err
	}
	s.serving.Go(func() error { return served(s.router.ServeTLS(secure, cert)) })
	s.line = strings.Join([]string{
		s.router.Name(), plain.Addr().String(), "admin", password, secure.Addr().String(), fingerprint,
	}, " ")
	return nil
}
