//go:build !nodemo

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// needle is one form of one secret.
type needle struct {
	name, form string
	bytes      []byte
}

// hunt looks for planted secrets in every form in which they might come out.
type hunt []needle

// plant adds a secret. One shorter than eight bytes would be found by chance.
func (h *hunt) plant(name, secret string) {
	if len(secret) < 8 {
		panic("too short to look for: " + name)
	}
	all := forms(secret)
	for _, form := range append([]string{"raw"}, slices.Sorted(maps.Keys(all))...) {
		text := all[form]
		if !slices.ContainsFunc(*h, func(n needle) bool { return n.name == name && bytes.Equal(n.bytes, text) }) {
			*h = append(*h, needle{name, form, text})
		}
	}
}

// forms are the ways to write a secret.
func forms(s string) map[string][]byte {
	lower := hex.EncodeToString([]byte(s))
	var percent, escaped strings.Builder
	for _, b := range []byte(s) {
		fmt.Fprintf(&percent, "%%%02X", b)
	}
	units := utf16.Encode([]rune(s))
	for _, u := range units {
		fmt.Fprintf(&escaped, `\u%04x`, u)
	}
	f := map[string]string{
		"raw": s, "hex": lower, "HEX": strings.ToUpper(lower),
		"URL query": url.QueryEscape(s), "URL path": (&url.URL{Path: s}).EscapedPath(), "URL segment": url.PathEscape(s),
		"percent": percent.String(),
		"JSON":    inJSON(s, true), "JSON without HTML": inJSON(s, false), `\u`: escaped.String(),
		"Go": strings.Trim(strconv.Quote(s), `"`), "Go ASCII": strings.Trim(strconv.QuoteToASCII(s), `"`),
	}
	for shift := range 3 {
		f["base64 "+strconv.Itoa(shift)] = inBase64(base64.RawStdEncoding, s, shift)
		f["base64url "+strconv.Itoa(shift)] = inBase64(base64.RawURLEncoding, s, shift)
	}
	all := map[string][]byte{}
	for form, text := range f {
		all[form] = []byte(text)
	}
	for _, u := range units {
		all["UTF-16LE"] = binary.LittleEndian.AppendUint16(all["UTF-16LE"], u)
		all["UTF-16BE"] = binary.BigEndian.AppendUint16(all["UTF-16BE"], u)
	}
	return all
}

func inJSON(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(s); err != nil {
		return s
	}
	return strings.Trim(strings.TrimSpace(b.String()), `"`)
}

// inBase64 returns the letters that a secret has inside a longer text when it
// begins shift bytes behind a group of three: those that depend on nothing else.
func inBase64(e *base64.Encoding, s string, shift int) string {
	text := e.EncodeToString(append(make([]byte, shift), s...))
	from := (shift*8 + 5) / 6
	to := (shift + len(s)) * 8 / 6
	return text[from:to]
}

// in returns what is found, without the secrets themselves.
func (h hunt) in(data []byte) []string {
	var found []string
	for _, n := range h {
		if at := bytes.Index(data, n.bytes); at >= 0 {
			found = append(found, fmt.Sprintf("%s as %s at byte %d, behind %q", n.name, n.form, at, h.hide(data[max(0, at-60):at])))
		}
	}
	return found
}

// hide leaves out whole secrets.
func (h hunt) hide(b []byte) []byte {
	for _, n := range h {
		b = bytes.ReplaceAll(b, n.bytes, []byte("[…]"))
	}
	return b
}

// check fails for everything that is found.
func (h hunt) check(t *testing.T, where string, data []byte) {
	t.Helper()
	for _, f := range h.in(data) {
		t.Errorf("%s: %s", where, f)
	}
}

// without is the hunt for everything but what begins with one of prefixes.
func (h hunt) without(prefixes ...string) hunt {
	return slices.DeleteFunc(slices.Clone(h), func(n needle) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(n.name, p) })
	})
}

// Ensure the leak test's searcher finds a secret in each form, wherever in a text
// it stands, and finds nothing where there is none.
func TestLeak_Searcher(t *testing.T) {
	for name, secret := range map[string]string{
		"plain": "k7QmRt2xWb9pLc4V", "awkward": `A/b+c "d"\<&é王🦊=%`, "bytes": "\x00\x01\xfe\xff\x80wxyz123",
	} {
		var h hunt
		h.plant(name, secret)
		for before := range 4 {
			padded := strings.Repeat("~", before) + secret + "~ and more"
			for form, text := range writings(padded) {
				if got := h.in([]byte("noise " + text + " noise")); len(got) == 0 {
					t.Errorf("%s as %s, %d behind the start: not found", name, form, before)
				}
			}
		}
		for form, text := range writings(strings.Repeat("~!quite another text, just as long ~", 3)) {
			if got := h.in([]byte(text)); len(got) > 0 {
				t.Errorf("%s in another text as %s: %q", name, form, got)
			}
		}
	}
}

// writings writes a whole text in each form, by other means than forms does
// where there are any.
func writings(s string) map[string]string {
	w := map[string]string{
		"raw": s, "hex": fmt.Sprintf("%x", s), "HEX": fmt.Sprintf("%X", s),
		"query": url.Values{"v": {s}}.Encode(), "path": (&url.URL{Path: "/" + s}).EscapedPath(), "segment": url.PathEscape(s),
		"Go": fmt.Sprintf("%q", s), "Go ASCII": fmt.Sprintf("%+q", s),
		"base64": base64.StdEncoding.EncodeToString([]byte(s)), "base64url": base64.URLEncoding.EncodeToString([]byte(s)),
		"base64 raw": base64.RawStdEncoding.EncodeToString([]byte(s)), "base64url raw": base64.RawURLEncoding.EncodeToString([]byte(s)),
	}
	if !strings.ContainsRune(s, '\xff') { // what is no text cannot be written as one
		if b, err := json.Marshal(map[string]string{"v": s}); err == nil {
			w["JSON"] = string(b)
		}
		var le, be bytes.Buffer
		units := utf16.Encode([]rune(s))
		_ = binary.Write(&le, binary.LittleEndian, units)
		_ = binary.Write(&be, binary.BigEndian, units)
		w["UTF-16LE"], w["UTF-16BE"] = le.String(), be.String()
	}
	return w
}
