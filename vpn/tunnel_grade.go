package vpn

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// Grade says how much a value of a tunnel protects.
type Grade int

// The grades. What is Outdated still works and is advised against; what is Broken
// protects nothing worth the name.
const (
	Sound Grade = iota
	Outdated
	Broken
)

// Weakness is a value of a tunnel that is less than sound, and what to have
// instead.
type Weakness struct {
	Key, Value string
	Grade      Grade
	Better     string
}

// outdated and broken are words of algorithms, as routers write them.
func gradeOf(word string) Grade {
	switch word {
	case "des", "md5", "modp768", "null":
		return Broken
	case "3des", "blowfish", "sha1", "modp1024", "modp1536", "none", exchangeMain, exchangeAggressive:
		return Outdated
	}
	return Sound
}

// slowDPD is how long a dead end may stay unnoticed.
const slowDPD = 2 * time.Minute

// Weaknesses grades t by the weakest of each list, since either end may choose it:
// RFC 8247 and RFC 8221 for the algorithms, RFC 9395 for the exchange.
func (t Tunnel) Weaknesses() []Weakness {
	var list []Weakness
	grade := func(key, value, better string) {
		worst := Sound
		for word := range strings.SplitSeq(value, ",") {
			worst = max(worst, gradeOf(word))
		}
		if worst > Sound {
			list = append(list, Weakness{Key: key, Value: value, Grade: worst, Better: better})
		}
	}
	good := Tunnel{Profile: Profile{}.withDefaults(), Proposal: Proposal{}.withDefaults()}
	grade("exchange", t.Exchange, exchangeIKE2)
	grade("profile.encryption", strings.Join(t.Profile.Encryption, ","), strings.Join(good.Profile.Encryption, ","))
	grade("profile.hash", t.Profile.Hash, good.Profile.Hash)
	grade("profile.dh-groups", strings.Join(t.Profile.DHGroups, ","), strings.Join(good.Profile.DHGroups, ","))
	if t.Profile.notices() > slowDPD {
		list = append(list, Weakness{Key: "profile.dpd-interval", Value: t.Profile.DPDInterval, Grade: Outdated, Better: good.Profile.DPDInterval})
	}
	grade("proposal.encryption", strings.Join(t.Proposal.Encryption, ","), strings.Join(good.Proposal.Encryption, ","))
	grade("proposal.auth", strings.Join(t.Proposal.Auth, ","), strings.Join(good.Proposal.Auth, ","))
	grade("proposal.pfs-group", t.Proposal.PFSGroup, good.Proposal.PFSGroup)
	return list
}

// notices is how long a dead end stays unnoticed; for ever, where nobody asks.
func (p Profile) notices() time.Duration {
	d, err := schema.ParseDuration(p.DPDInterval)
	if err != nil {
		return 1 << 62
	}
	return d * time.Duration(p.DPDFailures)
}

// weaker returns the values of next that grade lower than t's.
func (t Tunnel) weaker(next Tunnel) []Weakness {
	before := map[string]Grade{}
	for _, w := range t.Weaknesses() {
		before[w.Key] = w.Grade
	}
	list := slices.DeleteFunc(next.Weaknesses(), func(w Weakness) bool { return w.Grade <= before[w.Key] })
	slices.SortStableFunc(list, func(a, b Weakness) int { return cmp.Compare(b.Grade, a.Grade) })
	return list
}

// Graded says what of t is less than sound and what to type against it; ok is
// false when all of it is sound.
func (t Tunnel) Graded() (said change.Text, ok bool) {
	weak := t.Weaknesses()
	if len(weak) == 0 {
		return change.Text{}, false
	}
	var values []string
	command := []string{"/vpn tunnel set " + t.Name}
	for _, w := range weak {
		values = append(values, w.Key+"="+w.Value)
		command = append(command, w.Key+"="+w.Better)
	}
	return change.T("tunnel.weak", "values", strings.Join(values, ", "), "command", strings.Join(command, " ")), true
}
