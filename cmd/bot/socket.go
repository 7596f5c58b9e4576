package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// maxOrder bounds what the socket reads.
const maxOrder = 4 << 20

// errNotRunning tells that no process serves the state directory.
var errNotRunning = errors.New("no bot is running on this state directory")

func socketPath(state string) string { return filepath.Join(state, "vpnbot.sock") }

// listenSocket makes the socket, for our user alone. The caller holds the
// ledger's lock, so a socket that lies there already is a dead one.
func listenSocket(state string) (net.Listener, error) {
	path := socketPath(state)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing an old socket: %w", err)
	}
	old := unix.Umask(0o177)
	l, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listening for other commands: %w", err)
	}
	return l, nil
}

// serveSocket answers the commands of the same user until ctx ends.
func (s *system) serveSocket(ctx context.Context) error {
	server := &http.Server{
		Handler: http.HandlerFunc(s.serveOrder), ReadHeaderTimeout: 5 * time.Second,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(peers{s.socket}) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving other commands: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(stop)
}

// peers is a listener that turns other users away.
type peers struct{ net.Listener }

// Accept returns the next connection of our user or of root.
func (p peers) Accept() (net.Conn, error) {
	for {
		conn, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, ok := peer(conn); ok && (uid == os.Getuid() || uid == 0) {
			return conn, nil
		}
		_ = conn.Close()
	}
}

// peer is the user at the other end, as the kernel says.
func peer(conn net.Conn) (int, bool) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil || credErr != nil {
		return 0, false
	}
	return int(cred.Uid), true
}

func (s *system) serveOrder(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&o); err != nil {
		http.Error(w, "unreadable order", http.StatusBadRequest)
		return
	}
	o.UID = os.Getuid() // peers let nobody else in but root
	_ = json.NewEncoder(w).Encode(s.perform(r.Context(), o))
}

// askRunning has the process that holds the ledger carry o out. It returns
// errNotRunning when there is none.
func askRunning(ctx context.Context, state string, o order) (outcome, error) {
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socketPath(state))
		},
	}}
	defer client.CloseIdleConnections()
	body, err := json.Marshal(o)
	if err != nil {
		return outcome{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://vpnbot/", bytes.NewReader(body))
	if err != nil {
		return outcome{}, err
	}
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
			return outcome{}, errNotRunning
		}
		return outcome{}, fmt.Errorf("asking the running bot: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var res outcome
	if err := json.NewDecoder(resp.Body).Decode(&res); err != nil {
		return outcome{}, fmt.Errorf("reading the running bot's answer: %w", err)
	}
	return res, nil
}
