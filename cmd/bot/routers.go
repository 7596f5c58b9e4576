package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"vpnbot/apply"
	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/config"
	"vpnbot/ros"
	"vpnbot/store"
	"vpnbot/vpn"
)

// newFleet makes the client of every router that the configuration names.
func newFleet(cfg *config.Config, o options) (*ros.Fleet, error) {
	var routers []ros.Router
	for _, r := range cfg.Estate.Routers {
		router, err := connection(r)
		if err != nil {
			return nil, usageError{fmt.Errorf("router %s: %w", r.Name, err)}
		}
		routers = append(routers, router)
	}
	return ros.New(ros.Options{Routers: routers, Dial: o.dialRouter, Log: o.log})
}

func connection(r vpn.Router) (ros.Router, error) {
	read, err := login(r.Read)
	if err != nil {
		return ros.Router{}, fmt.Errorf("reading login: %w", err)
	}
	write, err := login(r.Write)
	if err != nil {
		return ros.Router{}, fmt.Errorf("writing login: %w", err)
	}
	ca, err := authority(r.CAFile)
	return ros.Router{
		Name: r.Name, Address: r.Address, Fingerprint: r.Fingerprint, CA: ca, ServerName: r.ServerName,
		Read: read, Write: write, Plain: r.Plain,
	}, err
}

func login(l vpn.Login) (ros.Login, error) {
	password, err := l.Password.Read()
	return ros.Login{User: l.User, Password: password}, err
}

func authority(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: expected certificates in PEM", file)
	}
	return pool, nil
}

// writers are the routers as apply sees them: a write whose answer is missing is
// unknown to it, whatever the reason.
type writers struct {
	*ros.Fleet
	vault vault
}

// Execute writes one step. A router that could not be reached is looked at again
// like one whose answer got lost: that the write did not happen is then seen.
func (w writers) Execute(ctx context.Context, router string, request int64, step change.Step) error {
	return unsure(w.Fleet.Execute(ctx, router, request, step, w.vault))
}

// AddGuard adds a guard, switched off.
func (w writers) AddGuard(ctx context.Context, router string, request int64, plan change.Plan) error {
	return unsure(w.Fleet.AddGuard(ctx, router, request, plan))
}

// RemoveGuard takes a guard away.
func (w writers) RemoveGuard(ctx context.Context, router string, request int64) error {
	return unsure(w.Fleet.RemoveGuard(ctx, router, request))
}

// RunScript hands a script to its router.
func (w writers) RunScript(ctx context.Context, s change.Script) error {
	return unsure(w.Fleet.RunScript(ctx, s))
}

// Drop removes one phase 1.
func (w writers) Drop(ctx context.Context, router string, old change.Phase1) error {
	return unsure(w.Fleet.Drop(ctx, router, old))
}

// Forget removes translated connections.
func (w writers) Forget(ctx context.Context, router string, between []change.Selectors) error {
	return unsure(w.Fleet.Forget(ctx, router, between))
}

// unsure marks the failures after which a write may have happened, and those that
// waiting does not mend.
func unsure(err error) error {
	for _, open := range []error{ros.ErrUnknownOutcome, ros.ErrUnreachable, ros.ErrTimeout, ros.ErrClosed} {
		if errors.Is(err, open) {
			return fmt.Errorf("%w: %w", apply.ErrUnknown, err)
		}
	}
	if errors.Is(err, ros.ErrPermission) {
		return fmt.Errorf("%w: %w", apply.ErrNoRight, err)
	}
	return err
}

// vault opens what the ledger keeps sealed. Only ros is given it.
type vault struct {
	ledger *store.Store
	key    secret.Key
}

// Open returns the secret that ref names.
func (v vault) Open(ctx context.Context, ref secret.Ref) (secret.Secret, error) {
	sealed, err := v.ledger.Sealed(ctx, ref)
	if err != nil {
		return secret.Secret{}, fmt.Errorf("reading sealed secret: %w", err)
	}
	return v.key.Open(sealed)
}

// writeLogins are the names under which the bot writes, by router.
func writeLogins(e vpn.Estate) map[string]string {
	names := map[string]string{}
	for _, r := range e.Routers {
		names[r.Name] = r.Write.User
	}
	return names
}
