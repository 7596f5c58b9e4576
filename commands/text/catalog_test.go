package text

import (
	"testing"
)

func newCatalog(t *testing.T) *Catalog {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Ensure the embedded files fit together: New checks IDs and arguments.
func TestNew(t *testing.T) {
	c := newCatalog(t)
	if got := len(c.IDs()); got < 200 {
		t.Errorf("got %d messages, want the whole catalog", got)
	}
}
