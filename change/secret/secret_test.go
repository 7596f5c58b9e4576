package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"vpnbot/change/secret"
)

const planted = "hunter2-Correct-Horse"

// Ensure no way of printing, logging or encoding shows a secret, alone or inside
// something else.
func TestSecret_Hidden(t *testing.T) {
	s := secret.New(planted)
	type holder struct {
		Name   string
		Secret secret.Secret
		secret secret.Secret
		Ptr    *secret.Secret
	}
	values := map[string]any{
		"secret": s, "pointer": &s, "struct": holder{"n", s, s, &s}, "pointer to struct": &holder{"n", s, s, &s},
		"slice": []secret.Secret{s}, "map": map[string]secret.Secret{"k": s}, "array": [1]secret.Secret{s},
		"error": fmt.Errorf("doing %v: %w", s, errors.New(s.String())), "any": any(s),
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%8.3v", "%T"} {
			check(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
		check(t, name+" Sprint", fmt.Sprint(v))
		b, _ := json.Marshal(v)
		check(t, name+" json", string(b))
		b, _ = xml.Marshal(v)
		check(t, name+" xml", string(b))
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			l := slog.New(h).With("with", v).WithGroup("g")
			l.Info("message", "value", v, slog.Group("group", "inner", v))
		}
		check(t, name+" slog", out.String())
	}
}

func check(t *testing.T, how, out string) {
	t.Helper()
	for _, form := range []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted), planted[:7], fmt.Sprintf("%d", []byte(planted))} {
		if strings.Contains(out, form) {
			t.Errorf("%s shows %s", how, out)
			return
		}
	}
}

// Ensure encoders refuse, so that a secret in a document is noticed.
func TestSecret_Marshal(t *testing.T) {
	if _, err := json.Marshal(secret.New(planted)); !errors.Is(err, secret.ErrMarshal) {
		t.Errorf("json: got %v, want ErrMarshal", err)
	}
	if _, err := secret.New(planted).MarshalText(); !errors.Is(err, secret.ErrMarshal) {
		t.Errorf("text: got %v, want ErrMarshal", err)
	}
	if s := secret.New(planted); s.Expose() != planted || s.Empty() || !(secret.Secret{}).Empty() {
		t.Error("a secret lost its text")
	}
}

// Ensure what is made is long, from the alphabet, never hexadecimal to RouterOS,
// and never the same twice.
func TestPassword(t *testing.T) {
	seen := make(map[string]bool)
	letters := make(map[rune]int)
	for range 2000 {
		for length, s := range map[int]string{20: secret.Password().Expose(), 44: secret.PSK().Expose()} {
			if len(s) != length || seen[s] || strings.HasPrefix(s, "0x") || strings.ContainsAny(s, "0Oo1Il") {
				t.Fatalf("got %q", s)
			}
			seen[s] = true
			for _, r := range s {
				letters[r]++
			}
		}
	}
	if len(letters) != 56 {
		t.Errorf("%d different letters, want 56", len(letters))
	}
	want := 2000 * 64 / 56
	for r, n := range letters {
		if n < want*8/10 || n > want*12/10 {
			t.Errorf("%c appears %d times, expected about %d", r, n, want)
		}
	}
	if a, b := secret.NewRef(), secret.NewRef(); a == b || len(a) != 24 {
		t.Error("names of secrets repeat")
	}
}
