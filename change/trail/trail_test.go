package trail_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vpnbot/change"
	"vpnbot/change/trail"
)

var update = flag.Bool("update", false, "write golden files anew")

var at = time.Date(2026, 3, 2, 9, 0, 0, 123456789, time.UTC)

func sample(i int) change.Event {
	return change.Event{
		At: at.Add(time.Duration(i) * time.Second), Kind: change.EventRefused, Actor: "olga",
		Slack: &change.SlackID{Team: "T1", User: "U1"}, Request: int64(i), Site: "hq",
		Facts: map[string]string{"why": fmt.Sprint("reason ", i), "<b>": "鳳山 & \u2028"},
	}
}

// chain stores n events after each other.
func chain(t testing.TB, n int) ([]trail.Stored, trail.Head) {
	t.Helper()
	var out []trail.Stored
	var h trail.Head
	for i := range n {
		body, err := trail.Encode(sample(i))
		if err != nil {
			t.Fatal(err)
		}
		var data []byte
		h, data = h.Next(body)
		out = append(out, trail.Stored{Seq: h.Size, Data: data})
	}
	return out, h
}

func sequence(stored []trail.Stored) iter.Seq2[trail.Stored, error] {
	return func(yield func(trail.Stored, error) bool) {
		for _, s := range stored {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// Ensure a trail verifies and gives back its events with their places.
func TestVerify(t *testing.T) {
	stored, want := chain(t, 20)
	var prev trail.Hash
	n := 0
	head, err := trail.Verify(sequence(stored), func(r trail.Record) error {
		if r.Seq != uint64(n+1) || r.Prev != prev {
			t.Errorf("record %d: got place %d after %s", n+1, r.Seq, r.Prev)
		}
		if d := cmp.Diff(sample(n), r.Event); d != "" {
			t.Errorf("record %d: %s", n+1, d)
		}
		prev, n = r.Hash, n+1
		return nil
	})
	if err != nil || head != want || n != 20 {
		t.Errorf("got %v, %v after %d records, want %v", head, err, n, want)
	}
	if head, err := trail.Verify(sequence(nil), nil); err != nil || head != (trail.Head{}) {
		t.Errorf("empty trail: got %v, %v", head, err)
	}
}

// Ensure every change of every byte, and every record that goes, comes or swaps,
// is found at the record where it begins.
func TestVerify_Tampered(t *testing.T) {
	whole, _ := chain(t, 6)
	damaged := func(edit func([]trail.Stored) []trail.Stored) error {
		c := make([]trail.Stored, len(whole))
		for i, s := range whole {
			c[i] = trail.Stored{Seq: s.Seq, Data: bytes.Clone(s.Data)}
		}
		_, err := trail.Verify(sequence(edit(c)), nil)
		return err
	}
	expect := func(what string, seq uint64, edit func([]trail.Stored) []trail.Stored) {
		t.Helper()
		err := damaged(edit)
		be, ok := errors.AsType[*trail.BreakError](err)
		if !ok || !errors.Is(err, trail.ErrBroken) || be.Seq != seq {
			t.Errorf("%s: got %v, want a break at event %d", what, err, seq)
		}
	}
	for i := range whole {
		for pos := range whole[i].Data {
			expect(fmt.Sprint("byte ", pos), uint64(i+1), func(s []trail.Stored) []trail.Stored {
				s[i].Data[pos] ^= 0x10
				return s
			})
		}
	}
	expect("first gone", 1, func(s []trail.Stored) []trail.Stored { return s[1:] })
	expect("one gone", 3, func(s []trail.Stored) []trail.Stored { return slices.Delete(s, 2, 3) })
	expect("one twice", 4, func(s []trail.Stored) []trail.Stored { return slices.Insert(s, 3, s[2]) })
	expect("renumbered after a deletion", 3, func(s []trail.Stored) []trail.Stored {
		s = slices.Delete(s, 2, 3)
		for i := range s {
			s[i].Seq = uint64(i + 1)
		}
		return s
	})
	expect("swapped", 2, func(s []trail.Stored) []trail.Stored {
		s[1].Data, s[2].Data = s[2].Data, s[1].Data
		return s
	})
	expect("cut record", 5, func(s []trail.Stored) []trail.Stored {
		s[4].Data = s[4].Data[:10]
		return s
	})
	if err := damaged(func(s []trail.Stored) []trail.Stored { return s[:4] }); err != nil {
		t.Errorf("a shorter trail is found by a checkpoint only: got %v", err)
	}
}

// Ensure errors of the reader and of the visitor end the walk.
func TestVerify_Errors(t *testing.T) {
	stored, _ := chain(t, 3)
	stop := errors.New("stop")
	if _, err := trail.Verify(sequence(stored), func(trail.Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the visitor's error", err)
	}
	failing := func(yield func(trail.Stored, error) bool) {
		_ = yield(stored[0], nil) && yield(trail.Stored{}, stop)
	}
	if h, err := trail.Verify(failing, nil); !errors.Is(err, stop) || h.Size != 1 {
		t.Errorf("got %v, %v, want the reader's error after one", h, err)
	}
}

// Ensure the encoding and the hash stay what they are: old trails must verify.
func TestEncode_Golden(t *testing.T) {
	stored, head := chain(t, 3)
	var b strings.Builder
	for _, s := range stored {
		hash, body, err := trail.Split(s.Data)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d %s %s\n", s.Seq, hash, body)
	}
	fmt.Fprintf(&b, "head %d %s\n", head.Size, head.Hash)
	name := filepath.Join("testdata", "chain.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Ensure whatever is encoded decodes to itself, times in UTC.
func TestEncode_RoundTrip(t *testing.T) {
	zone := time.FixedZone("Taipei", 8*3600)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		e := change.Event{
			At:      at.Add(time.Duration(rapid.Int64Range(0, 1<<50).Draw(t, "at"))).In(zone),
			Kind:    change.EventKind(text.Draw(t, "kind")),
			Actor:   change.PersonID(text.Draw(t, "actor")),
			Request: rapid.Int64().Draw(t, "request"),
			Draft:   text.Draw(t, "draft"),
			Facts:   rapid.MapOf(text, text).Draw(t, "facts"),
		}
		body, err := trail.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := trail.Decode(body)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		again, err := trail.Encode(back)
		if err != nil || !bytes.Equal(again, body) || !back.At.Equal(e.At) || back.At.Location() != time.UTC {
			t.Fatalf("got %q, %v, want %q", again, err, body)
		}
	})
}

// Ensure there is one encoding of an event and no other.
func TestDecode_Strict(t *testing.T) {
	body, err := trail.Encode(change.Event{At: at, Kind: "k", Actor: "a"})
	if err != nil {
		t.Fatal(err)
	}
	good := string(body)
	for _, bad := range []string{
		"", "null", "{}", "[]", good + " ", " " + good, good + good,
		strings.Replace(good, `{`, `{"more":1,`, 1),
		strings.Replace(good, `"kind"`, `"Kind"`, 1),
		strings.Replace(good, `"kind":"k"`, `"kind":"x","kind":"k"`, 1),
		strings.Replace(good, `"kind":"k","actor":"a"`, `"actor":"a","kind":"k"`, 1),
		strings.Replace(good, `"k"`, `"\u006b"`, 1),
		strings.Replace(good, `09:00`, `17:00`, 1)[:10],
		strings.Replace(good, `123456789Z`, `123456789+00:00`, 1),
		strings.Replace(good, `09:00:00.123456789Z`, `17:00:00.123456789+08:00`, 1),
		strings.TrimSuffix(good, "}") + `,"request":0}`,
	} {
		if _, err := trail.Decode([]byte(bad)); !errors.Is(err, trail.ErrEncoding) {
			t.Errorf("%s: got %v, want ErrEncoding", bad, err)
		}
	}
	if _, err := trail.Decode(body); err != nil {
		t.Errorf("%s: %v", body, err)
	}
}

// Ensure what cannot be encoded is an error.
func TestEncode_Refused(t *testing.T) {
	if _, err := trail.Encode(change.Event{At: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("a year of five digits was encoded")
	}
}

// Ensure a hash reads what it writes.
func TestHash_Text(t *testing.T) {
	_, head := chain(t, 1)
	b, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	var back trail.Head
	if err := json.Unmarshal(b, &back); err != nil || back != head {
		t.Errorf("got %v, %v, want %v", back, err, head)
	}
	for _, bad := range []string{`"00"`, `"zz"`, `1`} {
		if err := json.Unmarshal([]byte(bad), &back.Hash); err == nil {
			t.Errorf("%s was read as a hash", bad)
		}
	}
}

// FuzzDecode looks for bytes that decode and are not canonical.
func FuzzDecode(f *testing.F) {
	for i := range 3 {
		body, err := trail.Encode(sample(i))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"at":"2026-03-02T09:00:00Z","kind":"\ufffd","actor":"a"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := trail.Decode(body)
		if err != nil {
			return
		}
		again, err := trail.Encode(e)
		if err != nil || !bytes.Equal(again, body) {
			t.Errorf("%q decodes, and encodes to %q (%v)", body, again, err)
		}
	})
}

// FuzzSplit looks for stored bytes on which reading a record panics.
func FuzzSplit(f *testing.F) {
	stored, _ := chain(f, 1)
	f.Add(uint64(1), stored[0].Data)
	f.Fuzz(func(t *testing.T, seq uint64, data []byte) {
		r, err := trail.Head{}.Append(trail.Stored{Seq: seq, Data: data})
		if err == nil && (r.Seq != 1 || r.Prev != (trail.Hash{})) {
			t.Errorf("got %+v as the first record", r)
		}
	})
}
