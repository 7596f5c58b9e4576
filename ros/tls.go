package ros

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// parsePin reads "sha256:HEX"; the digits may be upper case and separated by
// colons, as RouterOS and openssl print them.
func parsePin(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(s, "sha256:")
	if !ok {
		return nil, errors.New(`fingerprint is not of the form "sha256:HEX"`)
	}
	pin, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if err != nil || len(pin) != sha256.Size {
		return nil, errors.New("fingerprint is not 64 hexadecimal digits")
	}
	return pin, nil
}

// Fingerprint returns the SHA-256 fingerprint of a certificate in the form in
// which a router is pinned.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// clientTLS makes the TLS settings of a router. The library's own verification
// knows no pins, so it is replaced by verify, which never passes by default.
func clientTLS(r Router, pin []byte) *tls.Config {
	name := r.ServerName
	if name == "" {
		name, _, _ = net.SplitHostPort(r.Address)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         name,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection does it, see above
		VerifyConnection: func(state tls.ConnectionState) error {
			return verify(state.PeerCertificates, pin, r.CA, name)
		},
	}
}

// verify checks a chain against the pin and the CA, whichever are set; at least
// one must be.
func verify(chain []*x509.Certificate, pin []byte, ca *x509.CertPool, name string) error {
	if len(chain) == 0 || (pin == nil && ca == nil) {
		return fmt.Errorf("%w: nothing to verify it by", ErrCertificate)
	}
	leaf := chain[0]
	if pin != nil {
		if sum := sha256.Sum256(leaf.Raw); string(sum[:]) != string(pin) {
			return fmt.Errorf("%w: got %s", ErrCertificate, Fingerprint(leaf))
		}
	}
	if ca == nil {
		return nil
	}
	options := x509.VerifyOptions{Roots: ca, DNSName: name, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(options); err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return nil
}

// handshake makes a TLS connection over raw and returns it with the router's
// certificate. One that is not the expected one ends it at once: no farewell is
// sent that such a peer could hold up.
func handshake(ctx context.Context, raw net.Conn, config *tls.Config) (*tls.Conn, *x509.Certificate, error) {
	config = config.Clone()
	var verdict error
	expected := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if verdict = expected(state); verdict != nil {
			_ = raw.SetDeadline(time.Unix(1, 0))
		}
		return verdict
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		const noCertificate = tls.AlertError(40) // handshake_failure
		switch {
		case verdict != nil:
			return nil, nil, verdict
		case ctx.Err() != nil:
			return nil, nil, stopped(ctx)
		case errors.Is(err, noCertificate):
			return nil, nil, fmt.Errorf("%w: the router offers none (is one set for api-ssl?)", ErrCertificate)
		}
		return nil, nil, fmt.Errorf("%w: TLS handshake: %w", ErrUnreachable, err)
	}
	return conn, conn.ConnectionState().PeerCertificates[0], nil
}
