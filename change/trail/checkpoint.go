package trail

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"vpnbot/change"
)

// SeedSize is the length of a signing seed in bytes.
const SeedSize = ed25519.SeedSize

// Errors of checkpoints.
var (
	ErrSeed       = errors.New("signing seed is not 32 bytes, or the signer's name is not one word without '+'")
	ErrSignature  = errors.New("signature does not verify")
	ErrCheckpoint = errors.New("not a checkpoint")
)

// algorithm is the note format's number for Ed25519.
const algorithm = 1

// Signer signs checkpoints. Its key never enters the ledger.
type Signer struct {
	name string
	key  ed25519.PrivateKey
}

// NewSigner makes a Signer called name from a 32-byte Ed25519 seed. The name is
// the first line of every checkpoint.
func NewSigner(name string, seed []byte) (*Signer, error) {
	if len(seed) != SeedSize || name == "" || strings.ContainsAny(name, "+ \t\r\n") {
		return nil, ErrSeed
	}
	s := &Signer{name: name, key: ed25519.NewKeyFromSeed(seed)}
	if _, err := note.NewVerifier(s.VerifierKey()); err != nil {
		return nil, ErrSeed
	}
	return s, nil
}

// VerifierKey returns the public key as the note format writes it,
// "name+hash+base64". Whoever has it can check this signer's checkpoints.
func (s *Signer) VerifierKey() string {
	key, err := note.NewEd25519VerifierKey(s.name, s.public())
	if err != nil { // only for a key of another length
		return ""
	}
	return key
}

func (s *Signer) public() ed25519.PublicKey {
	return append(ed25519.PublicKey(nil), s.key[ed25519.SeedSize:]...)
}

// String returns the verifier key.
func (s *Signer) String() string { return s.VerifierKey() }

// Format writes the verifier key for every verb, and never the seed.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Sign states that the trail had head h at the time now.
func (s *Signer) Sign(now time.Time, h Head) (change.Checkpoint, error) {
	text := fmt.Sprintf("%s\n%d\n%s\nat %s\n", s.name, h.Size,
		base64.StdEncoding.EncodeToString(h.Hash[:]), now.UTC().Format(time.RFC3339Nano))
	b, err := note.Sign(&note.Note{Text: text}, noteSigner{s})
	if err != nil {
		return change.Checkpoint{}, fmt.Errorf("signing checkpoint: %w", err)
	}
	return change.Checkpoint{Size: h.Size, At: now.UTC(), Note: b}, nil
}

// noteSigner is the note package's view of a Signer.
type noteSigner struct{ s *Signer }

func (n noteSigner) Name() string { return n.s.name }

func (n noteSigner) KeyHash() uint32 {
	h := sha256.New()
	h.Write([]byte(n.s.name + "\n"))
	h.Write([]byte{algorithm})
	h.Write(n.s.public())
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func (n noteSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(n.s.key, msg), nil }

// Statement is what a checkpoint says.
type Statement struct {
	Name string    `json:"name"`
	Head Head      `json:"head"`
	At   time.Time `json:"at"`
}

// ReadCheckpoint reads a checkpoint without checking its signature: its word is
// worth what the place is worth that it was kept in.
func ReadCheckpoint(signed []byte) (Statement, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return Statement{}, fmt.Errorf("%w: no signature block", ErrCheckpoint)
	}
	return parse(text + "\n")
}

// OpenCheckpoint checks the signature of a checkpoint against a verifier key and
// reads it. It returns ErrSignature when the key did not sign these bytes.
func OpenCheckpoint(signed []byte, verifierKey string) (Statement, error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Statement{}, fmt.Errorf("reading verifier key: %w", err)
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Statement{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	s, err := parse(n.Text)
	if err != nil {
		return Statement{}, err
	}
	if s.Name != v.Name() {
		return Statement{}, fmt.Errorf("%w: it speaks for %q, signed by %q", ErrSignature, s.Name, v.Name())
	}
	return s, nil
}

// parse reads the text of a checkpoint: name, size, hash, time, one line each.
func parse(text string) (Statement, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 4 {
		return Statement{}, fmt.Errorf("%w: %d lines, expected 4", ErrCheckpoint, len(lines))
	}
	s := Statement{Name: lines[0]}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return Statement{}, fmt.Errorf("%w: size %q", ErrCheckpoint, lines[1])
	}
	hash, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(hash) != HashSize {
		return Statement{}, fmt.Errorf("%w: hash %q", ErrCheckpoint, lines[2])
	}
	at, ok := strings.CutPrefix(lines[3], "at ")
	if s.At, err = time.Parse(time.RFC3339Nano, at); err != nil || !ok {
		return Statement{}, fmt.Errorf("%w: time %q", ErrCheckpoint, lines[3])
	}
	s.Head = Head{Size: size, Hash: Hash(hash)}
	return s, nil
}

// Holds compares a checkpoint's statement with the trail: lookup returns the
// hash of the record with that number. The error wraps ErrBroken and names the
// size.
func (s Statement) Holds(lookup func(seq uint64) (Hash, bool)) error {
	if s.Head.Size == 0 {
		if s.Head.Hash != (Hash{}) {
			return fmt.Errorf("%w: checkpoint of an empty trail with a hash", ErrBroken)
		}
		return nil
	}
	have, ok := lookup(s.Head.Size)
	if !ok {
		return fmt.Errorf("%w: the checkpoint of %s counts %d events, the trail is shorter",
			ErrBroken, s.At.Format(time.RFC3339), s.Head.Size)
	}
	if have != s.Head.Hash {
		return &BreakError{Seq: s.Head.Size, Why: "it or one before it is not what the checkpoint of " +
			s.At.Format(time.RFC3339) + " was signed over"}
	}
	return nil
}
