package schema

import (
	"math"
	"testing"
	"time"
)

// Ensure every kind has one form for values that mean the same, and that what
// does not parse is left as it is.
func TestAttr_Canonical(t *testing.T) {
	groups := []string{"ecp384", "modp2048", "modp1024"}
	for _, tt := range []struct {
		kind  Kind
		value string
		want  string
	}{
		{Text, " as is ", " as is "},
		{Enum, "l2tp", "l2tp"},
		{Bool, "yes", "true"},
		{Bool, "true", "true"},
		{Bool, "no", "false"},
		{Bool, "maybe", "maybe"},
		{Bool, "", ""},
		{Number, "0020", "20"},
		{Number, "0x1F", "31"},
		{Number, "18446744073709551615", "18446744073709551615"},
		{Number, "-5", "-5"},
		{Number, "-0", "0"},
		{Number, "unlimited", "unlimited"},
		{Number, "1_000", "1_000"},
		{Number, "", ""},
		{Duration, "300s", "5m"},
		{Duration, "00:05:00", "5m"},
		{Duration, "300", "5m"},
		{Duration, "none", "none"},
		{Address, "10.0.0.1", "10.0.0.1"},
		{Address, "2001:DB8::0:1", "2001:db8::1"},
		{Address, "pool1", "pool1"},
		{Prefix, "10.0.0.1", "10.0.0.1/32"},
		{Prefix, "10.0.0.1/24", "10.0.0.1/24"},
		{Prefix, "::1", "::1/128"},
		{Prefix, "gw.example", "gw.example"},
		{Ranges, "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"},
		{List, "8.8.8.8,1.1.1.1", "8.8.8.8,1.1.1.1"},
		{Set, "modp1024,ecp384", "ecp384,modp1024"},
		{Set, "zeta,modp2048,alpha,modp2048", "modp2048,alpha,zeta"},
		{Set, "", ""},
	} {
		a := Attr{Name: "x", Kind: tt.kind, Values: groups}
		got := a.Canonical(tt.value)
		if got != tt.want {
			t.Errorf("kind %d: Canonical(%q) = %q, want %q", tt.kind, tt.value, got, tt.want)
		}
		if again := a.Canonical(got); again != got {
			t.Errorf("kind %d: Canonical(%q) = %q, not stable", tt.kind, got, again)
		}
	}
}

// Ensure durations are read in every form that a router takes and written in
// the one that it prints.
func TestParseDuration(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string // as printed; empty: refused
	}{
		{"0s", "0s"},
		{"0", "0s"},
		{"1w2d3h4m5s", "1w2d3h4m5s"},
		{"90m", "1h30m"},
		{"7d", "1w"},
		{"86400", "1d"},
		{"00:00:10", "10s"},
		{"1d00:05:00", "1d5m"},
		{"100:00:00", "4d4h"},
		{"250ms", "250ms"},
		{"1s500us", "1s500us"},
		{"-5m", "-5m"},
		{"9223372036s", "15250w1d23h47m16s"},
		{"", ""},
		{"-", ""},
		{"m", ""},
		{"5x", ""},
		{"5 m", ""},
		{"1:2", ""},
		{"00:60:00", ""},
		{"00:00:60", ""},
		{"1:+2:3", ""},
		{"::", ""},
		{"-00:-1:00", ""},
		{"none", ""},
		{"9223372037s", ""},
		{"15250w15250w", ""},
		{"4294967295:00:00", ""},
		{"99999999999999999999s", ""},
	} {
		d, err := ParseDuration(tt.in)
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("ParseDuration(%q) = %v, want an error", tt.in, d)
		case tt.want != "" && (err != nil || FormatDuration(d) != tt.want):
			t.Errorf("ParseDuration(%q) = %s, %v, want %s", tt.in, FormatDuration(d), err, tt.want)
		}
	}
	if got := FormatDuration(math.MinInt64); got != "-15250w1d23h47m16s854ms775us808ns" {
		t.Errorf("the smallest duration prints as %s", got)
	}
}

// Ensure what is printed is read back as the same duration, and that nothing
// makes the reader panic.
func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"1w2d3h4m5s", "00:05:00", "1d00:05:00", "300", "-5m", "250ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		again, err := ParseDuration(FormatDuration(d))
		if err != nil || again != d {
			t.Errorf("%q is %v, printed %q, read as %v, %v", s, d, FormatDuration(d), again, err)
		}
	})
}

// Ensure the canonical form is a fixed point for any kind and value.
func FuzzAttr_Canonical(f *testing.F) {
	f.Add(uint8(Duration), "300s")
	f.Add(uint8(Set), "b,a,b")
	f.Add(uint8(Prefix), "10.0.0.1")
	f.Fuzz(func(t *testing.T, kind uint8, value string) {
		a := Attr{Kind: Kind(kind % uint8(List+1)), Values: []string{"b", "a"}}
		once := a.Canonical(value)
		if twice := a.Canonical(once); twice != once {
			t.Errorf("kind %d: %q → %q → %q", a.Kind, value, once, twice)
		}
	})
}

// Ensure a duration of whole seconds prints without smaller units.
func TestFormatDuration(t *testing.T) {
	if got := FormatDuration(26*time.Hour + 3*time.Second); got != "1d2h3s" {
		t.Errorf("got %s", got)
	}
}
