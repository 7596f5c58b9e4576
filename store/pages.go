package store

import (
	"encoding/binary"
	"hash/fnv"
	"os"
)

// The layout of a bbolt file, version 2. A page begins with id (8 bytes), flags
// (2), count (2) and overflow (4); a page with overflow n is n+1 pages long.
const (
	pageHeader   = 16
	elementSize  = 16
	metaSize     = 64
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	bucketHeader = 16

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10

	elementBucket = 0x01
	noFreelist    = ^uint64(0)
	manyFree      = 0xFFFF // the real count is in the first element
)

var native = binary.NativeEndian

// meta is the part of a meta page that a check needs.
type meta struct {
	pageSize             int64
	root, freelist, high uint64
	txid                 uint64
}

// readMeta returns the meta page at offset when it is valid.
func readMeta(f *os.File, offset int64) (meta, bool) {
	b := make([]byte, metaSize)
	if _, err := f.ReadAt(b, offset+pageHeader); err != nil {
		return meta{}, false
	}
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if native.Uint32(b) != metaMagic || native.Uint32(b[4:]) != metaVersion || native.Uint64(b[56:]) != sum.Sum64() {
		return meta{}, false
	}
	m := meta{
		pageSize: int64(native.Uint32(b[8:])), root: native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]), high: native.Uint64(b[40:]), txid: native.Uint64(b[48:]),
	}
	return m, m.pageSize >= 1024 && m.pageSize <= 64<<20
}

// findMetas returns the valid meta pages, the one in force first. The second is
// where bbolt looks when the first was torn by a crash.
func findMetas(f *os.File, size int64) []meta {
	var pageSize int64
	if m, ok := readMeta(f, 0); ok {
		pageSize = m.pageSize
	}
	for i := 0; i <= 14 && pageSize == 0; i++ {
		pos := int64(1024) << i
		if pos >= size-1024 {
			break
		}
		if m, ok := readMeta(f, pos); ok {
			pageSize = m.pageSize
		}
	}
	var found []meta
	for _, offset := range []int64{0, pageSize} {
		if m, ok := readMeta(f, offset); ok && m.pageSize == pageSize {
			found = append(found, m)
		}
		if pageSize == 0 {
			break
		}
	}
	if len(found) == 2 && found[1].txid > found[0].txid {
		found[0], found[1] = found[1], found[0]
	}
	return found
}
