package ros

import (
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	routeros "github.com/go-routeros/routeros/v3"
)

// canned is a connection that answers whatever is written with the same rows. Its
// answer comes in pieces of the size of a TLS record.
type canned struct {
	net.Conn
	answer func(tag string) string
	left   string
}

func (c *canned) Write(p []byte) (int, error) {
	tag := ""
	if _, after, ok := strings.Cut(string(p), ".tag="); ok {
		tag = strings.TrimSuffix(after, "\x00")
	}
	c.left = c.answer(tag)
	return len(p), nil
}

func (c *canned) Read(p []byte) (int, error) {
	if c.left == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 16<<10)], c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *canned) Close() error                { return nil }
func (c *canned) SetDeadline(time.Time) error { return nil }

// secrets is an answer of so many accounts.
func secrets(rows int) func(tag string) string {
	var b strings.Builder
	for i := range rows {
		n := strconv.Itoa(i)
		b.WriteString(encode("!re", ".tag=", "=.id=*"+n, "=name=user-"+n, "=service=l2tp", "=profile=default", "=remote-address=10.9.0."+n,
			"=disabled=false", "=last-logged-out=2026-10-01 09:12:00", "=comment=陳小明 [vpnbot "+n+".1]"))
	}
	parts := strings.Split(b.String(), "\x05.tag=")
	return func(tag string) string {
		word := encode(".tag=" + tag)
		return strings.Join(parts, word[:len(word)-1]) + encode("!done", ".tag="+tag)
	}
}

// BenchmarkGuard reads 200 rows from memory with the client as it is and behind
// the guard, one after the other, and tells by how much the guard is slower.
func BenchmarkGuard(b *testing.B) {
	words := []string{"/ppp/secret/print", "=.proplist=.id,name,service,profile,remote-address,disabled,last-logged-out,comment"}
	answer := secrets(200)
	bare, err := routeros.NewClient(&canned{answer: answer})
	if err != nil {
		b.Fatal(err)
	}
	conn := &canned{answer: answer}
	s := &session{guard: &guard{Conn: conn, raw: conn}}
	if s.client, err = routeros.NewClient(s.guard); err != nil {
		b.Fatal(err)
	}
	var with, without []time.Duration
	for i := 0; b.Loop(); i++ {
		for _, guarded := range []bool{i%2 == 0, i%2 != 0} {
			start := time.Now()
			if guarded {
				a, err := s.run(b.Context(), command{words: words, timeout: time.Minute})
				if err != nil || len(a.rows) != 200 {
					b.Fatalf("%d rows, %v", len(a.rows), err)
				}
				with = append(with, time.Since(start))
				continue
			}
			reply, err := bare.RunArgs(append(slices.Clone(words), ".tag=1"))
			if err != nil || len(reply.Re) != 200 {
				b.Fatal(err)
			}
			without = append(without, time.Since(start))
		}
	}
	b.ReportMetric(float64(median(with).Nanoseconds()), "guarded-ns")
	b.ReportMetric(float64(median(without).Nanoseconds()), "bare-ns")
	b.ReportMetric(100*(float64(median(with))/float64(median(without))-1), "overhead-%")
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
