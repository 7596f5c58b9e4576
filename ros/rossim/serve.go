package rossim

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// closeWait is how long Close waits before it names what hangs.
const closeWait = 5 * time.Second

// Serve answers the API in the clear on l until Close, then returns nil. It
// owns l.
func (r *Router) Serve(l net.Listener) error { return r.serve(l, "api") }

// ServeTLS answers the API over TLS on l until Close, then returns nil. It owns
// l. The certificate is the router's: SetCertificate replaces it.
func (r *Router) ServeTLS(l net.Listener, cert tls.Certificate) error {
	r.SetCertificate(cert)
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.cert, nil
		},
	}
	return r.serve(tls.NewListener(l, config), "api-ssl")
}

func (r *Router) serve(l net.Listener, service string) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return errors.Join(net.ErrClosed, l.Close())
	}
	r.lis = append(r.lis, l)
	r.wg.Add(1)
	r.mu.Unlock()
	defer r.wg.Done()
	for {
		nc, err := l.Accept()
		if err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.closed {
				return nil
			}
			return fmt.Errorf("accepting on %s: %w", service, err)
		}
		if c := r.admit(nc, service); c != nil {
			go c.run()
		} else {
			_ = nc.Close() // nothing to do about a client that is turned away
		}
	}
}

// admit registers a connection, or returns nil when the router does not want
// it: closed, refused by a fault, by the service's addresses or session limit.
func (r *Router) admit(nc net.Conn, service string) *conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	if r.faults.Refuse {
		r.fired[FaultRefuse]++
		return nil
	}
	from := host(nc.RemoteAddr())
	if !r.serviceAdmits(service, from) {
		return nil
	}
	r.lastID++
	c := newConn(r, nc, r.lastID, service, from)
	r.conns[c.id] = c
	r.wg.Add(1)
	return c
}

func (r *Router) serviceAdmits(service, from string) bool {
	for _, rec := range r.st.tables["/ip/service"] {
		if rec.name() != service {
			continue
		}
		open := 0
		for _, c := range r.conns {
			if c.service == service {
				open++
			}
		}
		most, err := strconv.Atoi(rec.vals["max-sessions"])
		return rec.vals["disabled"] != "true" && within(rec.vals["address"], from) && (err != nil || open < most)
	}
	return true
}

func host(a net.Addr) string {
	if a == nil {
		return "unknown"
	}
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return h
}

// takeConns returns every open connection. Callers hold r.mu and close them
// without it.
func (r *Router) takeConns() []*conn { return slices.Collect(maps.Values(r.conns)) }

// orphans returns the connections whose row in /user/active was removed, and
// ends the scripts whose job was.
// Callers hold r.mu.
func (r *Router) orphans(done []touched) []*conn {
	var gone []*conn
	for _, t := range done {
		if t.verb == "removed" && t.rec.home.path == jobMenu {
			r.st.endTasks(func(o *task) bool { return o.row == t.rec.serial })
		}
		if t.verb == "removed" && t.rec.conn != 0 && r.conns[t.rec.conn] != nil {
			gone = append(gone, r.conns[t.rec.conn])
		}
	}
	return gone
}

// Close stops listening, closes every connection and waits until all
// goroutines have ended. What has not ended after five seconds is named in the
// error.
func (r *Router) Close() error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.done)
		r.disarm()
		for _, t := range r.st.tasks { // they stay in the state, for a copy
			if t.cancel != nil {
				t.cancel()
			}
		}
	}
	lis, conns := r.lis, r.takeConns()
	r.lis = nil
	r.mu.Unlock()
	var errs []error
	for _, l := range lis {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("closing listener: %w", err))
		}
	}
	for _, c := range conns {
		c.close()
	}
	ended := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(ended)
	}()
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		errs = append(errs, fmt.Errorf("closing router: still running after %s: %s", closeWait, r.stuck()))
	}
	return errors.Join(errs...)
}

func (r *Router) stuck() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, c := range r.conns {
		names = append(names, fmt.Sprintf("%s from %s (%s)", c.service, c.from, c.nc.RemoteAddr()))
	}
	if len(names) == 0 {
		return "a listener"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
