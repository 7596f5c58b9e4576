package lab

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var sample = message{
	{"version", "1"},
	{"proposals", []string{"aes256-sha256-modp2048", "3des-sha1-modp1024"}},
	{"none", []string(nil)},
	{"children", message{{"p0", message{{"mode", "tunnel"}}}, {"p1", message(nil)}}},
}

// Ensure that a message reads back as it was written, in its order.
func TestMessage(t *testing.T) {
	got, err := parseMessage(bytes.NewReader(sample.append(nil)), false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, got, cmp.AllowUnexported(pair{})); diff != "" {
		t.Error(diff)
	}
	if got.section("children").section("p0").text("mode") != "tunnel" || len(got.list("proposals")) != 2 {
		t.Errorf("got %v", got)
	}
}

// Ensure that every message that ends too early is an error and no panic.
func TestMessage_Short(t *testing.T) {
	whole := sample.append(nil)
	ends := map[int]bool{0: true} // where an element of the outermost section ends
	for i := range sample {
		ends[len(sample[:i+1].append(nil))] = true
	}
	for n := range whole {
		if _, err := parseMessage(bytes.NewReader(whole[:n]), false); (err == nil) != ends[n] {
			t.Errorf("%d of %d bytes: got error %v", n, len(whole), err)
		}
	}
}

// Ensure that bytes from a daemon never make the client panic.
func FuzzMessage(f *testing.F) {
	f.Add(sample.append(nil))
	f.Add([]byte{elementSection, 0, elementSection, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(bytes.NewReader(b), false)
		if err != nil {
			return
		}
		again, err := parseMessage(bytes.NewReader(m.append(nil)), false)
		if diff := cmp.Diff(m, again, cmp.AllowUnexported(pair{})); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
}

// Ensure that a command returns the events before its answer, that a refusal
// carries the daemon's reason, and that an unknown command is an error.
func TestExchange(t *testing.T) {
	tests := []struct {
		name    string
		answers [][]byte // after the registration
		events  int
		refused bool
		text    string
	}{
		{"events", [][]byte{packet(packetEvent, "list-sa", sample), packet(packetEvent, "list-sa", nil), packet(packetResponse, "", nil)}, 2, false, ""},
		{"refusal", [][]byte{packet(packetResponse, "", message{{"success", "no"}, {"errmsg", "no such child"}})}, 0, true, "no such child"},
		{"unknown", [][]byte{packet(packetUnknown, "", nil)}, 0, false, "packet 2"},
		{"too large", [][]byte{{0xff, 0, 0, 0, packetResponse}}, 0, false, "a packet of 4278190080 bytes"},
		{"cut off", [][]byte{{0, 0, 0, 9, packetResponse}}, 0, false, "EOF"},
	}
	for _, test := range tests {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for i, answer := range append([][]byte{packet(packetConfirm, "", nil)}, test.answers...) {
				if i < 2 { // the registration and the command
					if _, _, err := readPacket(theirs); err != nil {
						return
					}
				}
				if _, err := theirs.Write(answer); err != nil {
					return
				}
			}
		}()
		events, err := exchange(ours, "list-sas", "list-sa", nil)
		ours.Close()
		if len(events) != test.events || errors.Is(err, errCommand) != test.refused || (err == nil) != (test.text == "") ||
			err != nil && !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: got %d events and error %v", test.name, len(events), err)
		}
	}
}

// packet is a packet as a daemon sends it.
func packet(kind byte, name string, m message) []byte {
	b := []byte{kind}
	if kind == packetEvent {
		b = append(b, byte(len(name)))
		b = append(b, name...)
	}
	b = m.append(b)
	return append([]byte{0, 0, 0, byte(len(b))}, b...)
}
