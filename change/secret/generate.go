package secret

import (
	"crypto/rand"
	"encoding/hex"
)

// alphabet is ASCII letters and digits without look-alikes (0 O o, 1 I l): it
// needs no escaping in scripts, survives being read aloud, and a value made of
// it can never begin with "0x", which RouterOS would read as hexadecimal.
const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"

const (
	passwordLength = 20 // 20 x log2(56) = 116 bits
	pskLength      = 44 // 255 bits
)

// Password makes an account password: 20 characters.
func Password() Secret { return New(random(passwordLength)) }

// PSK makes a pre-shared key: 44 characters.
func PSK() Secret { return New(random(pskLength)) }

// NewRef makes a name for a secret that is about to be sealed.
func NewRef() Ref {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return Ref(hex.EncodeToString(b[:]))
}

// random draws n characters of the alphabet, each equally likely: bytes that
// would favour the first letters are thrown away.
func random(n int) string {
	const limit = 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	var buf [64]byte
	for len(out) < n {
		_, _ = rand.Read(buf[:]) // never fails since Go 1.24
		for _, b := range buf {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}
