package rossim

import (
	"strconv"
	"time"

	"vpnbot/ros/schema"
)

// meter counts what flows: a number that grows at a rate. It is read without
// being advanced, so that nothing has to tick.
type meter struct {
	count float64
	rate  float64 // per second
	since time.Time
}

// at returns the reading at now.
func (m meter) at(now time.Time) float64 {
	return m.count + m.rate*max(now.Sub(m.since), 0).Seconds()
}

// turn makes the meter grow at another rate from now on.
func (m meter) turn(now time.Time, rate float64) meter { return meter{m.at(now), rate, now} }

// plus adds n at once.
func (m meter) plus(n float64) meter {
	m.count += n
	return m
}

// digits writes a reading: whole packets and bytes only. The small addend
// keeps 2.9999 of a sum of fractions from being 2.
func (m meter) digits(now time.Time) string { return strconv.FormatUint(uint64(m.at(now)+1e-6), 10) }

// live is what a row of IPsec state shows of the time.
type live struct {
	born time.Time // uptime and addtime count from here
	hard time.Time // an SA ends
	seen time.Time // the last packet from the other end, or the base of beat
	beat time.Duration
	lost bool // nothing comes any more: last-seen grows without bound
}

// measure fills in meters and times. Meters of SAs that have seen no traffic
// are absent, as on a router.
func (s *state) measure(rec *record, row schema.Row) {
	now := time.Now()
	for name, m := range rec.meters {
		row[name] = m.digits(now)
	}
	if rec.live == nil {
		return
	}
	switch rec.home.path {
	case "/ip/ipsec/active-peers":
		row["uptime"] = uptime(now.Sub(rec.live.born))
		row["last-seen"] = uptime(rec.lastSeen(now))
	case "/ip/ipsec/installed-sa":
		if row["current-packets"] == "0" {
			delete(row, "current-packets")
			delete(row, "current-bytes")
			return
		}
		row["seen-traffic"] = "true"
		row["addtime"] = s.prof.dateTime(rec.live.born.Add(s.skew))
		row["expires-in"] = uptime(rec.live.hard.Sub(now))
	}
}

// lastSeen is how long ago the other end was heard: at most one interval of
// dead peer detection, or no time at all while traffic comes in.
func (r *record) lastSeen(now time.Time) time.Duration {
	quiet := max(now.Sub(r.live.seen), 0)
	if r.live.lost || r.live.beat == 0 {
		return quiet
	}
	if r.meters["rx-packets"].rate >= 1 {
		return 0
	}
	return quiet % r.live.beat
}
