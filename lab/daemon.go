package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is charon-systemd: it keeps no pid file, so that several can run, and
// runs without systemd.
const program = "/usr/sbin/charon-systemd"

// startTimeout is how long a daemon may take until it answers.
const startTimeout = 30 * time.Second

// settings are a daemon's strongswan.conf.
//
// Sixteen threads are the least: with fewer, all of them wait in receivers and
// vici never answers. A dead peer is given up after 2.2 s and not 165 s, which
// is still long beside the milliseconds that a busy machine delays a packet.
// Several labs' attempts look like a flood from one address, so the protection
// against that is off. Aggressive mode with a key is what RouterOS has too.
const settings = `charon-systemd {
  load = random nonce openssl aes sha1 sha2 md5 hmac kdf ctr gcm chapoly curve25519 kernel-libipsec kernel-netlink socket-default vici
  threads = 16
  install_routes = yes
  dos_protection = no
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  retransmit_timeout = 0.5
  retransmit_tries = 2
  retransmit_base = 1.4
  half_open_timeout = 5
  plugins {
    vici { socket = unix://%s }
  }
  journal { default = -1 }
  filelog {
    stderr {
      default = 1
      ike = 2
      cfg = 2
      net = 0
      enc = 1
      flush_line = yes
    }
  }
}
`

// daemon is one running strongSwan.
type daemon struct {
	socket string
	cmd    *exec.Cmd
	ended  chan struct{}

	mu    sync.Mutex
	lines []string
	moved chan struct{} // closed and made anew when lines grow
	turn  int
}

// startDaemon runs a daemon in ns with its socket and settings in dir.
func startDaemon(ctx context.Context, ns *namespace, dir string) (*daemon, error) {
	d := &daemon{
		socket: filepath.Join(dir, "vici.sock"), ended: make(chan struct{}), moved: make(chan struct{}),
	}
	conf := filepath.Join(dir, "strongswan.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, settings, d.socket), 0o600); err != nil {
		return nil, err
	}
	d.cmd = exec.Command(program)
	d.cmd.Env = append(os.Environ(), "STRONGSWAN_CONF="+conf)
	log, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := ns.start(d.cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	go d.follow(log)
	if err := d.ready(ctx); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

// follow keeps what the daemon logs until it ends.
func (d *daemon) follow(log io.Reader) {
	defer close(d.ended)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		d.mu.Lock()
		d.lines = append(d.lines, lines.Text())
		close(d.moved)
		d.moved = make(chan struct{})
		d.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, log) // a line beyond the scanner's size
	_ = d.cmd.Wait()
}

// ready waits until the daemon answers.
func (d *daemon) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		_, err := d.call(ctx, "version", "", nil)
		if err == nil {
			return nil
		}
		select {
		case <-d.ended:
			return fmt.Errorf("%s ended: %s", program, strings.Join(d.since(0), "; "))
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", program, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop ends the daemon and waits for its end.
func (d *daemon) stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // its end shows below
	select {
	case <-d.ended:
		return nil
	case <-time.After(5 * time.Second):
	}
	if err := d.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("ending %s: %w", program, err)
	}
	<-d.ended
	return nil
}

func (d *daemon) call(ctx context.Context, command, event string, in message) ([]message, error) {
	return call(ctx, d.socket, command, event, in)
}

// mark forgets what was logged so far; since counts from there.
func (d *daemon) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = nil
}

// since returns the lines from number n on.
func (d *daemon) since(n int) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines[min(n, len(d.lines)):])
}

// await waits until a line contains one of texts, or ctx ends, and tells which
// of both it was.
func (d *daemon) await(ctx context.Context, texts ...string) bool {
	n := 0
	for {
		d.mu.Lock()
		fresh, moved := d.lines[min(n, len(d.lines)):], d.moved
		n = len(d.lines)
		d.mu.Unlock()
		if slices.ContainsFunc(fresh, func(line string) bool {
			return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(line, text) })
		}) {
			return true
		}
		select {
		case <-moved:
		case <-d.ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// loaded is one IKE SA that a daemon holds.
type heldSA struct {
	name, id string
	message
}

// held lists the daemon's IKE SAs, half-open ones too.
func (d *daemon) held(ctx context.Context) ([]heldSA, error) {
	events, err := d.call(ctx, "list-sas", "list-sa", nil)
	if err != nil {
		return nil, err
	}
	var sas []heldSA
	for _, e := range events {
		for _, p := range e {
			if m, ok := p.value.(message); ok {
				sas = append(sas, heldSA{p.key, m.text("uniqueid"), m})
			}
		}
	}
	return sas, nil
}

// clear ends every SA but those whose cookies are in keep, and forgets every
// connection and key.
func (d *daemon) clear(ctx context.Context, keep map[string]bool) error {
	sas, err := d.held(ctx)
	if err != nil {
		return err
	}
	for _, sa := range sas {
		if keep[sa.text("initiator-spi")] {
			continue
		}
		if err := d.terminate(ctx, "ike-id", sa.id, "-1"); err != nil {
			return err
		}
	}
	events, err := d.call(ctx, "list-conns", "list-conn", nil)
	if err != nil {
		return err
	}
	for _, e := range events {
		for _, p := range e {
			if _, err := d.call(ctx, "unload-conn", "", message{{"name", p.key}}); err != nil {
				return err
			}
		}
	}
	_, err = d.call(ctx, "clear-creds", "", nil)
	return err
}

// terminate ends an IKE or child SA, which may have ended by itself meanwhile. It
// waits so many milliseconds for the end, -1 for none.
func (d *daemon) terminate(ctx context.Context, kind, id, timeout string) error {
	_, err := d.call(ctx, "terminate", "", message{{kind, id}, {"force", "yes"}, {"timeout", timeout}})
	if errors.Is(err, errCommand) {
		return nil
	}
	return err
}

// load tells the daemon of a connection and its key.
func (d *daemon) load(ctx context.Context, c connection) error {
	if c.key != "" {
		if _, err := d.call(ctx, "load-shared", "", c.secret()); err != nil {
			return err
		}
	}
	_, err := d.call(ctx, "load-conn", "", c.message())
	return err
}

// catchUp returns when everything that the daemon has logged so far is here.
func (d *daemon) catchUp(ctx context.Context) error {
	d.mu.Lock()
	d.turn++
	name := fmt.Sprintf("turn-%d", d.turn)
	d.mu.Unlock()
	// There is no such SA: the command is refused, and logged before that.
	_, err := d.call(ctx, "terminate", "", message{{"ike", name}, {"timeout", "-1"}})
	if err != nil && !errors.Is(err, errCommand) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, viciTimeout)
	defer cancel()
	if !d.await(ctx, name) {
		return fmt.Errorf("%s logs no more", program)
	}
	return nil
}
