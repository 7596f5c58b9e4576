//go:build guest && !nodemo

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Ensure a computer that proposes what an untouched Windows does gets in to a server
// that the bot set up, as long as the bot means it to: RouterOS's own default firewall
// before, "dialin setup" and "adduser", then "disable", "rotate l2tp", "dialin set" and
// "deluser", at every stage the router's rows as strongSwan, xl2tpd, pppd and nft play
// them under a stock kernel. That takes QEMU, minutes and root, so it is
// built when it is asked for ("make lab-l2tp").
func TestGuest(t *testing.T) {
	var files map[string]string
	synctest.Test(t, func(t *testing.T) { files = guestFiles(t) })
	cache := os.Getenv("VPNBOT_GUEST")
	if cache == "" {
		t.Fatal("VPNBOT_GUEST names no directory for the guest's kernel")
	}
	dir := t.TempDir()
	for _, script := range []string{"boot.sh", "guest.sh"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "lab", "testdata", "dialin", script))
		if err != nil {
			t.Fatal(err)
		}
		files[script] = string(b)
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil { //nolint:gosec // scripts run
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 35*time.Minute)
	defer cancel()
	var out bytes.Buffer
	boot := exec.CommandContext(ctx, filepath.Join(dir, "boot.sh"), cache, dir)
	boot.Stdout = io.MultiWriter(&out, t.Output())
	boot.Stderr = boot.Stdout
	if err := boot.Run(); err != nil {
		t.Errorf("running the guest: %v", err)
	}
	said := map[string]bool{}
	for scanner := bufio.NewScanner(&out); scanner.Scan(); {
		word, _, _ := strings.Cut(strings.TrimSpace(scanner.Text()), " ")
		said[word] = true
	}
	for _, want := range []string{
		"KEPT-OUT-BEFORE", "IPSEC-UP", "KEPT-OUT-WITHOUT-RULE", "CLEAR-TEXT-HEARD-WITHOUT-POLICY", "CLEAR-TEXT-REFUSED",
		"ADDRESS", "LAN-REACHED", "LARGE-REACHED", "DNS-LET-IN", "WRONG-PASSWORD-REFUSED", "DISABLED-SESSION-ENDED", "DISABLED-REFUSED",
		"OLD-KEY-REFUSED", "NEW-KEY-ADDRESS", "OLD-COMPUTER-REFUSED", "OLD-COMPUTER-ADDRESS", "DELETED-SESSION-ENDED", "DELETED-REFUSED",
	} {
		if !said[want] {
			t.Errorf("the guest never said %s", want)
		}
	}
}
