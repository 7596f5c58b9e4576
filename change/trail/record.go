package trail

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"vpnbot/change"
)

// HashSize is the length of a Hash in bytes.
const HashSize = sha256.Size

// domain separates the hash of a record from every other use of SHA-256.
const domain = "vpnbot event v1\n"

// ErrEncoding is returned for bytes that are not the canonical encoding of an
// event.
var ErrEncoding = errors.New("not a canonical event")

// Hash is the hash of one record. The zero Hash stands before the first.
type Hash [HashSize]byte

// String returns h in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes h in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != HashSize {
		return fmt.Errorf("hash %q: expected %d hexadecimal digits", text, 2*HashSize)
	}
	copy(h[:], b)
	return nil
}

// Head is a trail's size and the hash of its last record. The zero Head is that
// of an empty trail.
type Head struct {
	Size uint64 `json:"size"`
	Hash Hash   `json:"hash"`
}

// Record is one event in its place.
type Record struct {
	Seq   uint64       `json:"seq"`
	Prev  Hash         `json:"prev"`
	Hash  Hash         `json:"hash"`
	Event change.Event `json:"event"`
}

// Next returns the stored form of the record that body, an encoded event, makes
// after h, and the head that it leads to. The stored form is the record's hash
// followed by body.
func (h Head) Next(body []byte) (Head, []byte) {
	n := Head{Size: h.Size + 1, Hash: h.hashNext(body)}
	stored := make([]byte, 0, HashSize+len(body))
	return n, append(append(stored, n.Hash[:]...), body...)
}

func (h Head) hashNext(body []byte) Hash {
	d := sha256.New()
	d.Write([]byte(domain))
	d.Write(h.Hash[:])
	var seq [8]byte
	binary.BigEndian.PutUint64(seq[:], h.Size+1)
	d.Write(seq[:])
	d.Write(body)
	return Hash(d.Sum(nil))
}

// Encode returns the one encoding of e. Times are written in UTC; text that is
// not UTF-8 gets replacement characters.
func Encode(e change.Event) ([]byte, error) {
	e.At = e.At.UTC()
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding event: %w", err)
	}
	if !bytes.Contains(b, []byte(`\ufffd`)) {
		return b, nil
	}
	// The encoder escapes a replacement that it makes and leaves one that was
	// there before: only the second encoding is stable.
	var again change.Event
	if err := json.Unmarshal(b, &again); err != nil {
		return nil, fmt.Errorf("encoding event: %w", err)
	}
	if b, err = json.Marshal(again); err != nil {
		return nil, fmt.Errorf("encoding event: %w", err)
	}
	return b, nil
}

// Decode reads an event. It returns ErrEncoding for every input that Encode
// would not have written: there is one encoding of an event and no other.
func Decode(body []byte) (change.Event, error) {
	var e change.Event
	if err := json.Unmarshal(body, &e); err != nil {
		return change.Event{}, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	again, err := Encode(e)
	if err != nil {
		return change.Event{}, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	if !bytes.Equal(again, body) {
		return change.Event{}, ErrEncoding
	}
	return e, nil
}

// Split takes a stored record apart: its hash and the encoded event.
func Split(stored []byte) (Hash, []byte, error) {
	if len(stored) < HashSize {
		return Hash{}, nil, fmt.Errorf("%w: %d bytes", ErrEncoding, len(stored))
	}
	return Hash(stored[:HashSize]), stored[HashSize:], nil
}
