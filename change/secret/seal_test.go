package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vpnbot/change/secret"
)

func key(t testing.TB, fill byte) secret.Key {
	t.Helper()
	k, err := secret.NewKey(bytes.Repeat([]byte{fill}, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Ensure what is sealed opens to itself, after storage too, and differently each
// time.
func TestKey_Seal(t *testing.T) {
	k := key(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		b := k.Seal("ref", secret.New(text))
		doc, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var stored secret.Sealed
		if err := json.Unmarshal(doc, &stored); err != nil {
			t.Fatal(err)
		}
		got, err := k.Open(stored)
		if err != nil || got.Expose() != text {
			t.Fatalf("got another text, %v", err)
		}
		if len(text) > 3 && strings.Contains(string(doc), text) {
			t.Fatal("the box shows its content")
		}
	})
	a, b := k.Seal("ref", secret.New("x")), k.Seal("ref", secret.New("x"))
	if bytes.Equal(a.Nonce, b.Nonce) || bytes.Equal(a.Box, b.Box) {
		t.Error("two boxes are equal")
	}
}

// Ensure a box opens only whole, under its key and under its name.
func TestKey_Open(t *testing.T) {
	k := key(t, 1)
	good := k.Seal("ref", secret.New(planted))
	for name, c := range map[string]struct {
		edit func(*secret.Sealed)
		want error
	}{
		"another name":  {func(s *secret.Sealed) { s.Ref = "other" }, secret.ErrUnsealed},
		"another key":   {func(s *secret.Sealed) { s.KeyID = key(t, 2).ID() }, secret.ErrWrongKey},
		"changed box":   {func(s *secret.Sealed) { s.Box[3] ^= 1 }, secret.ErrUnsealed},
		"changed nonce": {func(s *secret.Sealed) { s.Nonce[3] ^= 1 }, secret.ErrUnsealed},
		"cut box":       {func(s *secret.Sealed) { s.Box = s.Box[:4] }, secret.ErrUnsealed},
		"cut nonce":     {func(s *secret.Sealed) { s.Nonce = s.Nonce[:4] }, secret.ErrUnsealed},
		"nothing":       {func(s *secret.Sealed) { s.Box, s.Nonce = nil, nil }, secret.ErrUnsealed},
	} {
		b := good
		b.Box, b.Nonce = bytes.Clone(good.Box), bytes.Clone(good.Nonce)
		c.edit(&b)
		got, err := k.Open(b)
		if !errors.Is(err, c.want) || !got.Empty() {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	// A key that claims the ID of another does not open its boxes.
	forged := key(t, 2).Seal("ref", secret.New(planted))
	forged.KeyID = k.ID()
	if _, err := k.Open(forged); !errors.Is(err, secret.ErrUnsealed) {
		t.Errorf("got %v, want ErrUnsealed", err)
	}
	if _, err := (secret.Key{}).Open(secret.Sealed{}); err == nil {
		t.Error("a key without key material opened something")
	}
}

// Ensure keys are 32 bytes, told apart, and not shown.
func TestNewKey(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := secret.NewKey(make([]byte, n)); !errors.Is(err, secret.ErrKeySize) {
			t.Errorf("%d bytes: got %v, want ErrKeySize", n, err)
		}
	}
	a, again, b := key(t, 0xAB), key(t, 0xAB), key(t, 0xAC)
	if a.ID() != again.ID() || a.ID() == b.ID() || len(a.ID()) != 8 {
		t.Errorf("got IDs %s, %s, %s", a.ID(), again.ID(), b.ID())
	}
	for _, verb := range []string{"%v", "%+v", "%s", "%#v", "%x", "%d"} {
		for _, v := range []any{a, &a} {
			if got, want := fmt.Sprintf(verb, v), "key "+a.ID(); got != want {
				t.Errorf("%s: got %s, want %s", verb, got, want)
			}
		}
	}
}

// Ensure equal marks mean equal secrets of one kind under one key.
func TestKey_Mark(t *testing.T) {
	k := key(t, 1)
	m := k.Mark("psk", secret.New("x"))
	if kind, digits, ok := strings.Cut(m, ":"); !ok || kind != "psk" || len(digits) != 8 {
		t.Errorf("got %q", m)
	}
	if k.Mark("psk", secret.New("x")) != m {
		t.Error("one secret, two marks")
	}
	for name, other := range map[string]string{
		"another secret": k.Mark("psk", secret.New("y")),
		"another kind":   strings.Replace(k.Mark("password", secret.New("x")), "password", "psk", 1),
		"another key":    key(t, 2).Mark("psk", secret.New("x")),
	} {
		if other == m {
			t.Errorf("%s has the same mark", name)
		}
	}
}
