package trail_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"vpnbot/change/trail"
)

func signer(t testing.TB, name string, seed byte) *trail.Signer {
	t.Helper()
	s, err := trail.NewSigner(name, bytes.Repeat([]byte{seed}, trail.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Ensure a checkpoint opens under its key and says what was signed.
func TestOpenCheckpoint(t *testing.T) {
	s := signer(t, "vpnbot.example", 7)
	_, head := chain(t, 5)
	c, err := s.Sign(at, head)
	if err != nil {
		t.Fatal(err)
	}
	if c.Size != 5 || !c.At.Equal(at) {
		t.Errorf("got size %d at %v", c.Size, c.At)
	}
	want := trail.Statement{Name: "vpnbot.example", Head: head, At: at}
	for what, got := range map[string]func() (trail.Statement, error){
		"opened": func() (trail.Statement, error) { return trail.OpenCheckpoint(c.Note, s.VerifierKey()) },
		"read":   func() (trail.Statement, error) { return trail.ReadCheckpoint(c.Note) },
	} {
		if st, err := got(); err != nil || st != want {
			t.Errorf("%s: got %+v, %v, want %+v", what, st, err, want)
		}
	}
	// Any tool that knows the note format can check it.
	v, err := note.NewVerifier(s.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(c.Note, note.VerifierList(v))
	if err != nil || !strings.HasPrefix(n.Text, "vpnbot.example\n5\n") {
		t.Errorf("got %+v, %v", n, err)
	}
}

// Ensure no byte of a checkpoint can change, and no other key will do.
func TestOpenCheckpoint_Forged(t *testing.T) {
	s := signer(t, "vpnbot.example", 7)
	_, head := chain(t, 5)
	c, err := s.Sign(at, head)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Note {
		forged := bytes.Clone(c.Note)
		forged[i] ^= 1
		if st, err := trail.OpenCheckpoint(forged, s.VerifierKey()); err == nil {
			t.Errorf("byte %d changed: opened as %+v", i, st)
		}
	}
	for _, other := range []*trail.Signer{signer(t, "vpnbot.example", 8), signer(t, "other.example", 7)} {
		if _, err := trail.OpenCheckpoint(c.Note, other.VerifierKey()); !errors.Is(err, trail.ErrSignature) {
			t.Errorf("under %s: got %v, want ErrSignature", other, err)
		}
	}
	if _, err := trail.OpenCheckpoint(c.Note, "nonsense"); err == nil {
		t.Error("opened under nonsense")
	}
}

// Ensure a signature over something else is no checkpoint.
func TestOpenCheckpoint_Malformed(t *testing.T) {
	good := "vpnbot.example\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nat 2026-03-02T09:00:00Z\n"
	for _, text := range []string{
		"", "hello\n", good + "more\n",
		strings.Replace(good, "\n5\n", "\n05\n", 1),
		strings.Replace(good, "\n5\n", "\n-5\n", 1),
		strings.Replace(good, "=", "", 1),
		strings.Replace(good, "AAA=", "=", 1),
		strings.Replace(good, "at ", "", 1),
		strings.Replace(good, "Z\n", "\n", 1),
	} {
		if _, err := trail.ReadCheckpoint([]byte(text + "\n— x y\n")); !errors.Is(err, trail.ErrCheckpoint) {
			t.Errorf("%q: got %v, want ErrCheckpoint", text, err)
		}
	}
	if _, err := trail.ReadCheckpoint([]byte(good + "\n— x y\n")); err != nil {
		t.Errorf("%q: %v", good, err)
	}
	if _, err := trail.ReadCheckpoint([]byte(good)); !errors.Is(err, trail.ErrCheckpoint) {
		t.Errorf("without signature: got %v", err)
	}
}

// Ensure a checkpoint holds for its trail, grown or not, and for no other.
func TestStatement_Holds(t *testing.T) {
	s := signer(t, "vpnbot.example", 7)
	stored, _ := chain(t, 9)
	hashes := func(n int) func(uint64) (trail.Hash, bool) {
		return func(seq uint64) (trail.Hash, bool) {
			if seq == 0 || seq > uint64(n) {
				return trail.Hash{}, false
			}
			h, _, err := trail.Split(stored[seq-1].Data)
			return h, err == nil
		}
	}
	_, head := chain(t, 5)
	c, err := s.Sign(at, head)
	if err != nil {
		t.Fatal(err)
	}
	st, err := trail.OpenCheckpoint(c.Note, s.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{5, 9} {
		if err := st.Holds(hashes(n)); err != nil {
			t.Errorf("trail of %d: %v", n, err)
		}
	}
	if err := st.Holds(hashes(4)); !errors.Is(err, trail.ErrBroken) {
		t.Errorf("shorter trail: got %v, want ErrBroken", err)
	}
	stored[4].Data[0] ^= 1
	if be, ok := errors.AsType[*trail.BreakError](st.Holds(hashes(9))); !ok || be.Seq != 5 {
		t.Errorf("other trail: got %v, want a break at event 5", st.Holds(hashes(9)))
	}
	empty := trail.Statement{}
	if err := empty.Holds(hashes(9)); err != nil {
		t.Errorf("checkpoint of an empty trail: %v", err)
	}
	empty.Head.Hash[0] = 1
	if err := empty.Holds(hashes(9)); !errors.Is(err, trail.ErrBroken) {
		t.Errorf("empty trail with a hash: got %v", err)
	}
}

// Ensure bad seeds and names are refused, and a signer never prints its key.
func TestNewSigner(t *testing.T) {
	seed := bytes.Repeat([]byte{0xAB}, trail.SeedSize)
	for _, name := range []string{"", "a b", "a+b", "a\nb", "a\u00a0b"} {
		if _, err := trail.NewSigner(name, seed); !errors.Is(err, trail.ErrSeed) {
			t.Errorf("name %q: got %v, want ErrSeed", name, err)
		}
	}
	if _, err := trail.NewSigner("a", seed[1:]); !errors.Is(err, trail.ErrSeed) {
		t.Errorf("short seed: got %v, want ErrSeed", err)
	}
	s := signer(t, "a", 0xAB)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if out := fmt.Sprintf(verb, s); strings.Contains(strings.ToLower(out), "abab") || strings.Contains(out, "171") {
			t.Errorf("%s prints %s", verb, out)
		}
	}
}
