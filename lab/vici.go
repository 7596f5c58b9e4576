package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// viciTimeout bounds one command; a daemon that answers at all answers in
// milliseconds, and only initiate waits for a network.
const viciTimeout = 20 * time.Second

// errCommand is a command that the daemon understood and did not carry out.
var errCommand = errors.New("the daemon refused")

// The packets of the vici protocol, and the elements of its messages.
const (
	packetRequest    = 0
	packetResponse   = 1
	packetUnknown    = 2
	packetRegister   = 3
	packetConfirm    = 5
	packetUnknownEvt = 6
	packetEvent      = 7

	elementSection    = 1
	elementSectionEnd = 2
	elementValue      = 3
	elementList       = 4
	elementItem       = 5
	elementListEnd    = 6
)

// maxPacket is far above what either side ever sends here.
const maxPacket = 1 << 20

// pair is one element of a message: its value is a string, a []string or a
// message. Order is kept, because the daemon reads some sections in order.
type pair struct {
	key   string
	value any
}

// message is a section of the vici protocol.
type message []pair

// text returns the string under key, "" when there is none.
func (m message) text(key string) string {
	v, _ := m.get(key).(string)
	return v
}

// list returns the list under key.
func (m message) list(key string) []string {
	v, _ := m.get(key).([]string)
	return v
}

// section returns the section under key.
func (m message) section(key string) message {
	v, _ := m.get(key).(message)
	return v
}

func (m message) get(key string) any {
	for _, p := range m {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

func (m message) append(b []byte) []byte {
	name := func(kind byte, s string) {
		b = append(b, kind, byte(len(s)))
		b = append(b, s...)
	}
	value := func(s string) {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	for _, p := range m {
		switch v := p.value.(type) {
		case string:
			name(elementValue, p.key)
			value(v)
		case []string:
			name(elementList, p.key)
			for _, s := range v {
				b = append(b, elementItem)
				value(s)
			}
			b = append(b, elementListEnd)
		case message:
			name(elementSection, p.key)
			b = v.append(b)
			b = append(b, elementSectionEnd)
		}
	}
	return b
}

// parseMessage reads a message, up to the end of its section when it is nested.
func parseMessage(r *bytes.Reader, nested bool) (message, error) {
	var m message
	for {
		kind, err := r.ReadByte()
		if errors.Is(err, io.EOF) && !nested {
			return m, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading a message: %w", err)
		}
		if kind == elementSectionEnd && nested {
			return m, nil
		}
		key, err := readName(r)
		if err != nil {
			return nil, err
		}
		var value any
		switch kind {
		case elementValue:
			value, err = readValue(r)
		case elementList:
			value, err = readList(r)
		case elementSection:
			value, err = parseMessage(r, true)
		default:
			err = fmt.Errorf("reading a message: element %d", kind)
		}
		if err != nil {
			return nil, err
		}
		m = append(m, pair{key, value})
	}
}

func readName(r *bytes.Reader) (string, error) {
	n, err := r.ReadByte()
	if err != nil {
		return "", fmt.Errorf("reading a name: %w", io.ErrUnexpectedEOF)
	}
	return readText(r, int(n))
}

func readValue(r *bytes.Reader) (string, error) {
	var n uint16
	if err := binary.Read(r, binary.BigEndian, &n); err != nil {
		return "", fmt.Errorf("reading a value: %w", io.ErrUnexpectedEOF)
	}
	return readText(r, int(n))
}

func readText(r *bytes.Reader, n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", fmt.Errorf("reading %d bytes: %w", n, io.ErrUnexpectedEOF)
	}
	return string(b), nil
}

func readList(r *bytes.Reader) ([]string, error) {
	var list []string
	for {
		kind, err := r.ReadByte()
		switch {
		case err != nil:
			return nil, fmt.Errorf("reading a list: %w", io.ErrUnexpectedEOF)
		case kind == elementListEnd:
			return list, nil
		case kind != elementItem:
			return nil, fmt.Errorf("reading a list: element %d", kind)
		}
		item, err := readValue(r)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
}

// call gives the daemon at socket one command, in a session of its own, and
// returns the events called event that it streamed before its answer. A refusal
// is an errCommand, with the events beside it.
func call(ctx context.Context, socket, command, event string, in message) ([]message, error) {
	ctx, cancel := context.WithTimeout(ctx, viciTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	events, err := exchange(conn, command, event, in)
	if err != nil {
		return events, fmt.Errorf("%s: %w", command, errors.Join(ctx.Err(), err))
	}
	return events, nil
}

func exchange(conn io.ReadWriter, command, event string, in message) ([]message, error) {
	r := bufio.NewReader(conn)
	if event != "" {
		if err := sendPacket(conn, packetRegister, event, nil); err != nil {
			return nil, err
		}
		if kind, _, err := readPacket(r); err != nil || kind != packetConfirm {
			return nil, fmt.Errorf("registering for %s: packet %d: %w", event, kind, err)
		}
	}
	if err := sendPacket(conn, packetRequest, command, in); err != nil {
		return nil, err
	}
	var events []message
	for {
		kind, m, err := readPacket(r)
		switch {
		case err != nil:
			return events, err
		case kind == packetEvent:
			events = append(events, m)
			continue
		case kind != packetResponse:
			return events, fmt.Errorf("packet %d in answer", kind)
		}
		if m.text("success") == "no" {
			return events, fmt.Errorf("%w: %s", errCommand, m.text("errmsg"))
		}
		return events, nil
	}
}

func sendPacket(w io.Writer, kind byte, name string, m message) error {
	b := make([]byte, 4, 256)
	b = append(b, kind, byte(len(name)))
	b = append(b, name...)
	b = m.append(b)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	_, err := w.Write(b)
	return err
}

func readPacket(r io.Reader) (byte, message, error) {
	var size uint32
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		return 0, nil, err
	}
	if size == 0 || size > maxPacket {
		return 0, nil, fmt.Errorf("a packet of %d bytes", size)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, nil, err
	}
	body := bytes.NewReader(b[1:])
	switch kind := b[0]; kind {
	case packetEvent:
		if _, err := readName(body); err != nil {
			return kind, nil, err
		}
		m, err := parseMessage(body, false)
		return kind, m, err
	case packetResponse:
		m, err := parseMessage(body, false)
		return kind, m, err
	default:
		return kind, nil, nil
	}
}
