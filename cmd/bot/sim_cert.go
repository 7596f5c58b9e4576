//go:build !nodemo

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vpnbot/ros/rossim"
	"vpnbot/vpn"
)

// keptCertificate returns the certificate of a simulated router and its
// fingerprint. In dir, when there is one, it is kept, so that a configuration can
// pin it once.
func keptCertificate(dir, router string) (tls.Certificate, string, error) {
	if dir == "" {
		return rossim.Certificate("127.0.0.1", "localhost")
	}
	path := filepath.Join(dir, router+".pem")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeCertificate(path)
	}
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("reading the kept certificate: %w", err)
	}
	cert, err := tls.X509KeyPair(text, text)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("reading the kept certificate %s: %w", path, err)
	}
	return cert, rossim.Fingerprint(cert.Certificate[0]), nil
}

func makeCertificate(path string) (tls.Certificate, string, error) {
	cert, fingerprint, err := rossim.Certificate("127.0.0.1", "localhost")
	if err != nil {
		return cert, "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return cert, "", fmt.Errorf("keeping the certificate: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return cert, "", fmt.Errorf("keeping the certificate: %w", err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return cert, "", fmt.Errorf("keeping the certificate: %w", err)
	}
	return cert, fingerprint, nil
}

// adviseOnPin says what to write into the configuration when it would refuse the
// simulated router.
func adviseOnPin(w io.Writer, r vpn.Router, fingerprint string) {
	pin := strings.ToLower(fingerprint)
	if r.Address == "" || r.Plain || r.Fingerprint == pin {
		return
	}
	fmt.Fprintf(w, "router %s: the configuration trusts another certificate; to reach this router write\n    tls: {fingerprint: %s}\n", r.Name, pin)
}
