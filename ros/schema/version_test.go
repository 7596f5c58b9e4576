package schema

import "testing"

// Ensure versions are compared number by number and the channel does not count.
func TestVersion_Compare(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"7.9", "7.24", -1},
		{"6.49.21", "6.49.3", 1},
		{"7.22.3 (stable)", "7.22.3", 0},
		{"7.18", "7.18.0", 0},
		{"7.24rc1", "7.24", 0},
		{"7.1", "6.49.21 (long-term)", 1},
	} {
		a, errA := ParseVersion(tt.a)
		b, errB := ParseVersion(tt.b)
		if errA != nil || errB != nil {
			t.Fatalf("%v, %v", errA, errB)
		}
		if got := a.Compare(b); got != tt.want {
			t.Errorf("%s against %s = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// Ensure the parts of a version are read and written, and nonsense is refused.
func TestParseVersion(t *testing.T) {
	v, err := ParseVersion("7.18.2 (stable)")
	if want := (Version{7, 18, 2, "stable"}); err != nil || v != want {
		t.Errorf("got %+v, %v, want %+v", v, err, want)
	}
	for _, tt := range []struct{ in, want string }{{"7.22.3", "7.22.3"}, {"6.49", "6.49"}, {"7.18.0 (testing)", "7.18"}} {
		if v, err := ParseVersion(tt.in); err != nil || v.String() != tt.want {
			t.Errorf("%s is written %s, %v, want %s", tt.in, v, err, tt.want)
		}
	}
	for _, in := range []string{"", "stable", "7.", "7.x", "-7.1", "v7.1"} {
		if v, err := ParseVersion(in); err == nil {
			t.Errorf("ParseVersion(%q) = %v, want an error", in, v)
		}
	}
}
