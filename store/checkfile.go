package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// checkFile reads the whole file and returns an error that wraps ErrDamaged when
// bbolt could stumble over it or a record is not what was written, and ErrNewer
// when a newer program wrote it. It writes nothing.
func checkFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("checking: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: not a regular file", ErrDamaged)
	}
	metas := findMetas(f, info.Size())
	if len(metas) == 0 {
		return fmt.Errorf("%w: no valid head page in %d bytes", ErrDamaged, info.Size())
	}
	m := metas[0]
	if pages := uint64(info.Size() / m.pageSize); m.high > pages {
		return fmt.Errorf("%w: cut short, %d of %d pages are there", ErrDamaged, pages, m.high)
	}
	c := newChecker(f, m)
	err = c.subtree(m.root, span{}, "", 0)
	if err == nil && c.format <= format {
		err = c.whole()
	}
	if c.format > format {
		return fmt.Errorf("%w: its format is %d, known is %d", ErrNewer, c.format, format)
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// whole checks what can be told when the tree was walked: that no record is bad,
// no bucket missing and every page either in the tree or free.
func (c *checker) whole() error {
	switch {
	case c.bad != nil:
		return c.bad
	case c.format == 0:
		return errors.New("no record of its format")
	}
	for _, name := range c.names {
		if !c.found[name] && !derived(name) {
			return fmt.Errorf("bucket %q is missing", name)
		}
		delete(c.found, name)
	}
	for name := range c.found {
		return fmt.Errorf("bucket %q is not one of the ledger's", name)
	}
	return c.freelist()
}

// checker walks the tree of pages.
type checker struct {
	f      *os.File
	meta   meta
	seen   map[uint64]bool
	format int
	names  []string        // the buckets that the ledger says it has
	found  map[string]bool // the buckets that are there
	bad    error           // the first bad record; the walk goes on, in search of the format
}

func newChecker(f *os.File, m meta) *checker {
	return &checker{f: f, meta: m, seen: make(map[uint64]bool), found: make(map[string]bool)}
}

// span are the keys that a subtree may hold: from lo on, below hi. A nil bound
// is none.
type span struct{ lo, hi []byte }

// node is where an element list stands, with the name of its bucket.
type node struct {
	b      []byte // page from its header on
	count  int
	leaf   bool
	keys   span
	bucket string
	depth  int
}

// maxDepth is far above any tree that fits in a file.
const maxDepth = 40

func (c *checker) subtree(id uint64, keys span, bucket string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d: too deep", id)
	}
	b, err := c.read(id)
	if err != nil {
		return err
	}
	flags := native.Uint16(b[8:])
	if flags != flagLeaf && flags != flagBranch {
		return fmt.Errorf("page %d: flags %#x", id, flags)
	}
	n := node{b: b, count: int(native.Uint16(b[10:])), leaf: flags == flagLeaf, keys: keys, bucket: bucket, depth: depth}
	if !n.leaf && n.count == 0 {
		return fmt.Errorf("page %d: empty branch", id)
	}
	if err := c.elements(n); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// read returns a page with its overflow and takes it as visited.
func (c *checker) read(id uint64) ([]byte, error) {
	head := make([]byte, pageHeader)
	if id < 2 || id >= c.meta.high {
		return nil, fmt.Errorf("page %d: outside the file", id)
	}
	if _, err := c.f.ReadAt(head, int64(id)*c.meta.pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	over := uint64(native.Uint32(head[12:]))
	if native.Uint64(head) != id || id+over >= c.meta.high {
		return nil, fmt.Errorf("page %d: wrong header", id)
	}
	for p := id; p <= id+over; p++ {
		if c.seen[p] {
			return nil, fmt.Errorf("page %d: used twice", p)
		}
		c.seen[p] = true
	}
	b := make([]byte, int64(over+1)*c.meta.pageSize)
	if _, err := c.f.ReadAt(b, int64(id)*c.meta.pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return b, nil
}

func (c *checker) elements(n node) error {
	if pageHeader+n.count*elementSize > len(n.b) {
		return fmt.Errorf("%d elements do not fit", n.count)
	}
	var last []byte
	end := pageHeader + n.count*elementSize // keys and values stand without gaps
	for i := range n.count {
		key, value, child, err := n.element(i, &end)
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		switch {
		case i > 0 && bytes.Compare(last, key) >= 0,
			n.keys.lo != nil && bytes.Compare(key, n.keys.lo) < 0,
			n.keys.hi != nil && bytes.Compare(key, n.keys.hi) >= 0:
			return fmt.Errorf("element %d: out of order", i)
		}
		last = key
		if n.leaf {
			err = c.leaf(n, i, key, value)
		} else {
			keys := span{key, n.keys.hi}
			if i+1 < n.count {
				next := end
				if keys.hi, _, _, err = n.element(i+1, &next); err != nil {
					return fmt.Errorf("element %d: %w", i+1, err)
				}
			}
			err = c.subtree(child, keys, n.bucket, n.depth+1)
		}
		if err != nil {
			return err
		}
	}
	// A count that was lost leaves elements behind it.
	if n.count == 0 && len(bytes.Trim(n.b[pageHeader:], "\x00")) > 0 {
		return errors.New("elements that are not counted")
	}
	return nil
}

// element returns key and value of element i of a leaf, key and child of one of
// a branch. The key stands at *end, which is moved behind the value.
func (n node) element(i int, end *int) (key, value []byte, child uint64, err error) {
	at := pageHeader + i*elementSize
	e := n.b[at:]
	pos, ksize, vsize := uint64(native.Uint32(e)), uint64(native.Uint32(e[4:])), uint64(0)
	if n.leaf {
		pos, ksize, vsize = uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
	} else {
		child = native.Uint64(e[8:])
	}
	from := uint64(at) + pos
	if ksize == 0 || from != uint64(*end) || from+ksize+vsize > uint64(len(n.b)) {
		return nil, nil, 0, fmt.Errorf("does not follow the one before")
	}
	*end = int(from + ksize + vsize)
	return n.b[from : from+ksize], n.b[from+ksize : from+ksize+vsize], child, nil
}

// leaf checks one record, or goes down into a bucket.
func (c *checker) leaf(n node, i int, key, value []byte) error {
	flags := native.Uint32(n.b[pageHeader+i*elementSize:])
	switch {
	case flags == elementBucket && n.bucket == "":
		return c.bucket(string(key), value, n.depth)
	case flags != 0 || n.bucket == "":
		c.fault(fmt.Errorf("record %q: not where it belongs", key))
		return nil
	}
	_, err := unwrap(key, value)
	c.fault(err)
	if n.bucket == bucketLedger && bytes.Equal(key, formatKey) && len(value) > sumSize {
		// A newer format may have other checksums: its number comes first.
		_ = json.Unmarshal(value[sumSize:], &c.format)
	}
	if n.bucket == bucketLedger && bytes.Equal(key, namesKey) && err == nil {
		_ = json.Unmarshal(value[sumSize:], &c.names)
	}
	return nil
}

func (c *checker) fault(err error) {
	if c.bad == nil {
		c.bad = err
	}
}

func (c *checker) bucket(name string, value []byte, depth int) error {
	c.found[name] = true
	if len(value) < bucketHeader {
		return fmt.Errorf("bucket %q: cut short", name)
	}
	if root := native.Uint64(value); root != 0 {
		if err := c.subtree(root, span{}, name, depth+1); err != nil {
			return fmt.Errorf("bucket %q: %w", name, err)
		}
		return nil
	}
	b := value[bucketHeader:] // a small bucket stands in its parent's leaf
	if len(b) < pageHeader || native.Uint16(b[8:]) != flagLeaf {
		return fmt.Errorf("bucket %q: no page in it", name)
	}
	n := node{b: b, count: int(native.Uint16(b[10:])), leaf: true, bucket: name, depth: depth + 1}
	if err := c.elements(n); err != nil {
		return fmt.Errorf("bucket %q: %w", name, err)
	}
	return nil
}

// freelist checks that no page that is in use is called free.
func (c *checker) freelist() error {
	if c.meta.freelist == noFreelist {
		return nil
	}
	ids, err := c.freeIDs(c.meta.freelist)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id < 2 || id >= c.meta.high || c.seen[id] {
			return fmt.Errorf("free list: page %d is in use, unknown or named twice", id)
		}
		c.seen[id] = true
	}
	if lost := c.meta.high - 2 - uint64(len(c.seen)); lost > 0 {
		return fmt.Errorf("%d pages are neither in use nor free", lost)
	}
	return nil
}

func (c *checker) freeIDs(page uint64) ([]uint64, error) {
	b, err := c.read(page)
	if err != nil {
		return nil, fmt.Errorf("free list: %w", err)
	}
	if native.Uint16(b[8:]) != flagFreelist {
		return nil, fmt.Errorf("free list: flags %#x", native.Uint16(b[8:]))
	}
	count, list := uint64(native.Uint16(b[10:])), b[pageHeader:]
	if count == manyFree {
		count, list = native.Uint64(list), list[8:]
	}
	if count > uint64(len(list)/8) {
		return nil, fmt.Errorf("free list: %d pages do not fit", count)
	}
	ids := make([]uint64, count)
	for i := range ids {
		ids[i] = native.Uint64(list[i*8:])
	}
	return ids, nil
}
