package store_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vpnbot/store/storetest"
)

// Ensure a destroyed secret's box is nowhere in the file once the ledger was
// opened again, free pages included, and that nothing else is lost.
func TestOpen_Wipes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := storetest.OpenAt(t, path)
	r := pending(t, s, "a")
	pending(t, s, "b")
	gone, err := s.Sealed(t.Context(), "ref-a")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.Sealed(t.Context(), "ref-b")
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Deny(start.Add(time.Hour), approver, "")
	commit(t, s, m, err)
	want, err := picture(t.Context(), s)
	if err == nil { // the secret of a is destroyed, and the picture says so
		t.Fatalf("got a picture without an error:\n%s", want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	holds := func(box []byte) bool {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(b, []byte(base64.StdEncoding.EncodeToString(box)))
	}
	if !holds(gone.Box) {
		t.Fatal("the box was overwritten before: this tests nothing")
	}
	again := storetest.OpenAt(t, path)
	if got, _ := picture(t.Context(), again); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if holds(gone.Box) {
		t.Error("the destroyed secret's box is still in the file")
	}
	if !holds(kept.Box) {
		t.Error("another secret's box is gone")
	}
}
