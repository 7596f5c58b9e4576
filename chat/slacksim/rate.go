package slacksim

import "time"

// bucket lets calls through at a steady rate after a burst.
type bucket struct {
	left float64
	at   time.Time
}

// take spends one token of a bucket that holds size and fills at rate a
// second. It returns how long to wait when the bucket is empty.
func (b bucket) take(size int, rate float64, now time.Time) (bucket, time.Duration) {
	if b.at.IsZero() {
		b.left = float64(size)
	} else {
		b.left = min(float64(size), b.left+now.Sub(b.at).Seconds()*rate)
	}
	b.at = now
	if b.left < 1 {
		return b, time.Duration((1 - b.left) / rate * float64(time.Second))
	}
	b.left--
	return b, 0
}

// spend counts a call against the limit of its method. The caller holds mu.
func (s *Server) spend(name string, perMinute int, now time.Time) error {
	if n, ok := s.opts.Limits[name]; ok {
		perMinute = n
	}
	if perMinute <= 0 {
		return nil
	}
	return s.draw("method "+name, perMinute, float64(perMinute)/60, now)
}

// post counts a message against the limit of its channel. The caller holds mu.
func (s *Server) post(channel string, now time.Time) error {
	if s.opts.PostBurst < 0 {
		return nil
	}
	return s.draw("channel "+channel, s.opts.PostBurst, 1, now)
}

func (s *Server) draw(key string, size int, rate float64, now time.Time) error {
	b, wait := s.rates[key].take(size, rate, now)
	s.rates[key] = b
	if wait > 0 {
		return &apiError{code: "ratelimited", retry: wait}
	}
	return nil
}
