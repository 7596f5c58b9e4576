package strangers

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Where Debian's package has Ansible and the collection.
const (
	playbook   = "/usr/bin/ansible-playbook"
	collection = "/usr/lib/python3/dist-packages/ansible_collections/community/routeros"
)

// recap is the line in which Ansible counts what its tasks did.
var recap = regexp.MustCompile(`(?m)^localhost\s+: ok=([1-9]\d*)\s+changed=\d+\s+unreachable=0\s+failed=0\s+skipped=0\s+rescued=0\s+ignored=0`)

// Ensure Ansible's modules bring menus to what is wanted, find nothing to change
// when they are asked again, and are refused what RouterOS refuses.
func TestAnsible(t *testing.T) {
	if testing.Short() {
		t.Skip("sixty Python programs, one after the other")
	}
	needPython(t, "librouteros")
	for _, part := range []string{playbook, collection} {
		if _, err := os.Stat(part); err != nil {
			missing(t, part)
		}
	}
	r := simulate(t, "7.17.2")
	watchScripts(t)
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), scriptLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, playbook, "--connection", "local", "--inventory", "localhost,", "playbook.yml")
	cmd.Dir = "testdata"
	cmd.Env = append(r.environment(t),
		"ROUTER_CERTIFICATE="+r.certificate(t, dir),
		"HOME="+dir, "ANSIBLE_HOME="+dir, "ANSIBLE_LOCAL_TEMP="+dir, "ANSIBLE_REMOTE_TMP="+dir,
		"ANSIBLE_PYTHON_INTERPRETER="+python, "ANSIBLE_PIPELINING=true", "ANSIBLE_NOCOLOR=true", "ANSIBLE_RETRY_FILES_ENABLED=false")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ansible-playbook: %v\n%s", err, out)
	}
	if !recap.Match(out) {
		t.Errorf("ansible-playbook tells of no end without failures and skips:\n%s", out)
	}
}

// certificate writes the router's certificate, compared by its fingerprint, into
// a file.
func (r router) certificate(t *testing.T, dir string) string {
	t.Helper()
	c, err := tls.Dial("tcp", r.secure, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // compared below
	if err != nil {
		t.Fatal(err)
	}
	raw := c.ConnectionState().PeerCertificates[0].Raw
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(raw)
	if got := "sha256:" + hex.EncodeToString(digest[:]); got != strings.ToLower(r.fingerprint) {
		t.Fatalf("certificate %s, want %s", got, r.fingerprint)
	}
	path := filepath.Join(dir, "router.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
