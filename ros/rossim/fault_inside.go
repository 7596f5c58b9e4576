package rossim

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// errStruck ends the reading of a connection that a fault has struck inside a
// sentence.
var errStruck = errors.New("struck by a fault")

// tap is where sentences come from. As long as a fault waits for the inside of
// one, it takes the first word byte by byte, so that the rest has not left the
// client when the fault strikes.
type tap struct {
	c      *conn
	head   []byte // of the sentence that is arriving, while it is looked at
	looked bool   // it has been looked at, or came too fast for that
}

// next says that the sentence before is complete. What has come in with it
// already is struck when it is whole.
func (t *tap) next(buffered int) {
	t.head, t.looked = t.head[:0], buffered > 0
}

// Read implements io.Reader.
func (t *tap) Read(p []byte) (int, error) {
	if t.looked || len(p) == 0 {
		return t.c.nc.Read(p)
	}
	if len(t.head) > 0 && !t.c.r.insides() {
		t.looked = true
		return t.c.nc.Read(p)
	}
	n, err := t.c.nc.Read(p[:1])
	t.c.greeted.Store(true)
	t.head = append(t.head, p[:n]...)
	if len(t.head) == 1 && t.head[0] == 0 {
		t.head = t.head[:0] // a sentence without words is none
	}
	word, whole := firstWord(t.head)
	if t.looked = whole || len(t.head) > strangerLimits.word; whole && !t.c.inside(word) {
		return 0, errStruck
	}
	return n, err
}

// firstWord returns the first word of what has come of a sentence, if it has
// come whole.
func firstWord(head []byte) (string, bool) {
	br := bufio.NewReader(bytes.NewReader(head))
	n, err := readLength(br)
	if err != nil || n > uint32(br.Buffered()) {
		return "", false
	}
	word := make([]byte, n)
	_, err = io.ReadFull(br, word)
	return string(word), err == nil
}

// inside lets the faults strike that wait for the inside of a sentence with that
// first word. It returns false when the sentence is not to be taken in.
func (c *conn) inside(word string) bool {
	user, _ := c.user.Load().(string)
	hits := c.r.due(occasionOf(word, user), true)
	if len(hits) == 0 {
		return true
	}
	if !c.hold() {
		return false
	}
	goesOn := c.strike(hits, Inside, call{path: word})
	c.release()
	if !goesOn {
		c.deafen()
	}
	return goesOn
}
