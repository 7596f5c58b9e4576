//go:build !nodemo

package main

import (
	"maps"
	"slices"
	"sync"
	"testing"
)

// toll counts what came of the bot's deaths: by verb, by what happened then, and
// by how the change ended. "make kill" makes one table of all tolls.
type toll struct {
	mu     sync.Mutex
	counts map[fell]int
}

// fell is one way in which a death went.
type fell struct{ verb, then, outcome string }

func (c *toll) add(verb, then, outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[fell]int{}
	}
	c.counts[fell{verb, then, outcome}]++
}

// log prints the rows of the table.
func (c *toll) log(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := slices.SortedFunc(maps.Keys(c.counts), func(a, b fell) int {
		return slices.Compare([]string{a.verb, a.then, a.outcome}, []string{b.verb, b.then, b.outcome})
	})
	for _, f := range rows {
		t.Logf("toll|%s|%s|%s|%d", f.verb, f.then, f.outcome, c.counts[f])
	}
}
