package store

import (
	"bytes"
	"fmt"
	"os"
)

// wipe overwrites the pages that are free: they hold what was deleted, sealed
// secrets among it. A page is wiped when neither head page leads to it, so that
// bbolt can still fall back to the transaction before. The ledger at path is
// open, and nobody reads or writes it yet.
func wipe(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("wiping: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("wiping: %w", err)
	}
	metas := findMetas(f, info.Size())
	free := make(map[uint64]int)
	for _, m := range metas {
		c := newChecker(f, m)
		if c.subtree(m.root, span{}, "", 0) != nil || m.freelist == noFreelist {
			return nil // not worth a risk
		}
		ids, err := c.freeIDs(m.freelist)
		if err != nil {
			return nil
		}
		for _, id := range ids {
			if !c.seen[id] {
				free[id]++
			}
		}
	}
	return wipePages(f, metas, free)
}

func wipePages(f *os.File, metas []meta, free map[uint64]int) error {
	pageSize := metas[0].pageSize
	blank, page := make([]byte, pageSize), make([]byte, pageSize)
	wiped := false
	for id, in := range free {
		if in < len(metas) || id < 2 || id >= metas[0].high {
			continue
		}
		if _, err := f.ReadAt(page, int64(id)*pageSize); err != nil {
			return fmt.Errorf("wiping page %d: %w", id, err)
		}
		if bytes.Equal(page, blank) {
			continue
		}
		if _, err := f.WriteAt(blank, int64(id)*pageSize); err != nil {
			return fmt.Errorf("wiping page %d: %w", id, err)
		}
		wiped = true
	}
	if !wiped {
		return nil
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("wiping: %w", err)
	}
	return nil
}
