package apply

import (
	"context"
	"maps"
	"slices"
	"strings"

	"vpnbot/change"
)

// menuHistory is what a router remembers of writes. Only who, what and when are
// read: the commands themselves may hold secrets.
const menuHistory = "/system/history"

// maxBeside bounds how many writes of others are told one by one.
const maxBeside = 5

// histories reads what each router of the plan remembers. One that does not answer
// is left out: then nothing is said of it.
func (j *job) histories(ctx context.Context) map[string][]string {
	if j.e.o.Logins == nil {
		return nil
	}
	menus := map[string][]string{}
	for _, router := range routersOf(j.r) {
		menus[router] = []string{menuHistory}
	}
	lists := map[string][]string{}
	for router, snap := range j.glance(ctx, menus) {
		for _, row := range snap.Menus[menuHistory] {
			if row["by"] != j.e.o.Logins[router] {
				lists[router] = append(lists[router], strings.Join([]string{row["time"], row["by"], row["action"]}, "\x00"))
			}
		}
		if lists[router] == nil {
			lists[router] = []string{}
		}
	}
	return lists
}

// ends tells whether a move leaves the work behind.
func ends(m change.Move) bool {
	return m.From == change.Applying && m.To != change.Applying
}

// beside adds to the move that ends the work what others did on the same routers
// meanwhile. After a restart the bot does not know what was there before, and says
// nothing.
func (j *job) beside(ctx context.Context, m *change.Move) {
	if j.before == nil || !ends(*m) {
		return
	}
	after := j.histories(ctx)
	for _, router := range slices.Sorted(maps.Keys(after)) {
		before, read := j.before[router]
		if !read {
			continue
		}
		for _, line := range fresh(before, after[router]) {
			word := strings.SplitN(line, "\x00", 3)
			m.Beside(router, word[1], word[2])
		}
	}
}

// fresh returns the lines of after that before lacks, maxBeside at most. A router
// forgets old ones.
func fresh(before, after []string) []string {
	count := map[string]int{}
	for _, line := range before {
		count[line]++
	}
	var list []string
	for _, line := range after {
		if count[line] > 0 {
			count[line]--
			continue
		}
		list = append(list, line)
	}
	return list[:min(len(list), maxBeside)]
}
