package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// KeySize is the length of a sealing key in bytes.
const KeySize = 32

// Errors of sealing and opening.
var (
	ErrKeySize   = errors.New("sealing key is not 32 bytes")
	ErrWrongKey  = errors.New("sealed under another key")
	ErrUnsealed  = errors.New("sealed value does not open")
	ErrDestroyed = errors.New("secret was destroyed")
)

// Ref names one sealed secret. It says nothing about its content.
type Ref string

// Sealed is an encrypted secret as the ledger keeps it. It opens only under the
// key with its KeyID and only under its own name.
type Sealed struct {
	Ref   Ref    `json:"ref"`
	KeyID string `json:"key"`
	Nonce []byte `json:"nonce"`
	Box   []byte `json:"box"`
}

// Key seals, opens and marks. It is made from 32 bytes that never enter the
// ledger.
type Key struct {
	id   string
	aead cipher.AEAD
	mac  []byte
}

// NewKey derives the sealing and the marking key from raw (HKDF-SHA-256, RFC
// 5869). It returns ErrKeySize when raw is not KeySize bytes.
func NewKey(raw []byte) (Key, error) {
	if len(raw) != KeySize {
		return Key{}, fmt.Errorf("%w: %d", ErrKeySize, len(raw))
	}
	var parts [3][]byte
	for i, info := range []string{"vpnbot seal v1", "vpnbot mark v1", "vpnbot key id v1"} {
		b, err := hkdf.Key(sha256.New, raw, nil, info, KeySize)
		if err != nil {
			return Key{}, fmt.Errorf("deriving keys: %w", err)
		}
		parts[i] = b
	}
	block, err := aes.NewCipher(parts[0])
	if err != nil {
		return Key{}, fmt.Errorf("preparing cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return Key{}, fmt.Errorf("preparing cipher: %w", err)
	}
	return Key{id: hex.EncodeToString(parts[2][:4]), aead: aead, mac: parts[1]}, nil
}

// ID tells keys apart without showing them.
func (k Key) ID() string { return k.id }

// String returns the key's ID.
func (k Key) String() string { return "key " + k.id }

// Format writes the key's ID for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// Seal encrypts s under the name ref.
func (k Key) Seal(ref Ref, s Secret) Sealed {
	nonce := make([]byte, k.aead.NonceSize())
	_, _ = rand.Read(nonce)
	box := k.aead.Seal(nil, nonce, []byte(s.plain()), []byte(ref))
	return Sealed{Ref: ref, KeyID: k.id, Nonce: nonce, Box: box}
}

// Open decrypts b. It returns ErrWrongKey or ErrUnsealed.
func (k Key) Open(b Sealed) (Secret, error) {
	if b.KeyID != k.id || k.aead == nil {
		return Secret{}, fmt.Errorf("%w: %s, have %s", ErrWrongKey, b.KeyID, k.id)
	}
	if len(b.Nonce) != k.aead.NonceSize() {
		return Secret{}, ErrUnsealed
	}
	text, err := k.aead.Open(nil, b.Nonce, b.Box, []byte(b.Ref))
	if err != nil {
		return Secret{}, ErrUnsealed
	}
	return New(string(text)), nil
}

// Mark returns the key mark of s, "psk:9f3a1c0d": equal secrets of one kind
// have equal marks, and the secret cannot be found from its mark.
func (k Key) Mark(kind string, s Secret) string {
	h := hmac.New(sha256.New, k.mac)
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(s.plain()))
	return kind + ":" + hex.EncodeToString(h.Sum(nil)[:4])
}
