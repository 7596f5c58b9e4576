package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"

	"go.etcd.io/bbolt"
)

// The buckets. A derived one can be built again from the others.
const (
	bucketLedger      = "ledger"      // format, names of the buckets, counters
	bucketEvents      = "events"      // seq: hash, event
	bucketRequests    = "requests"    // id: requestRecord
	bucketOrder       = "order"       // derived; creation: id
	bucketLive        = "live"        // derived; creation: state of a request that has not ended
	bucketNumbers     = "numbers"     // derived; number: id
	bucketJournal     = "journal"     // id NUL seq: change.Entry
	bucketOutbox      = "outbox"      // seq: change.Waiting
	bucketOutboxKeys  = "outboxkeys"  // notice key: seq
	bucketMessages    = "messages"    // notice key: change.MessageRef
	bucketInbox       = "inbox"       // seq: change.Inbound
	bucketInboxKeys   = "inboxkeys"   // delivery key: seq
	bucketDone        = "done"        // delivery key: time
	bucketDoneOrder   = "doneorder"   // time, delivery key
	bucketSealed      = "sealed"      // ref: secret.Sealed
	bucketDestroyed   = "destroyed"   // ref: time
	bucketAccounts    = "accounts"    // site NUL name: change.Account
	bucketReveals     = "reveals"     // id: change.Reveal
	bucketDefinitions = "definitions" // kind NUL name NUL version: change.Definition
	bucketPreferences = "preferences" // person: change.Preference
	bucketCheckpoints = "checkpoints" // size: change.Checkpoint
	bucketFacts       = "facts"       // name: value
)

var buckets = []string{
	bucketLedger, bucketEvents, bucketRequests, bucketOrder, bucketLive, bucketNumbers, bucketJournal,
	bucketOutbox, bucketOutboxKeys, bucketMessages, bucketInbox, bucketInboxKeys, bucketDone, bucketDoneOrder,
	bucketSealed, bucketDestroyed, bucketAccounts, bucketReveals, bucketDefinitions, bucketPreferences,
	bucketCheckpoints, bucketFacts,
}

// derived tells whether a bucket can be built again from the others.
func derived(name string) bool {
	return name == bucketOrder || name == bucketLive || name == bucketNumbers
}

// sumSize is the length of the checksum before every value.
const sumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(key, content []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, content)
}

// wrap puts the checksum before content.
func wrap(key, content []byte) []byte {
	out := make([]byte, sumSize, sumSize+len(content))
	binary.BigEndian.PutUint32(out, checksum(key, content))
	return append(out, content...)
}

// unwrap returns the content of a value, which lives as long as value does.
func unwrap(key, value []byte) ([]byte, error) {
	if len(value) < sumSize || binary.BigEndian.Uint32(value) != checksum(key, value[sumSize:]) {
		return nil, fmt.Errorf("%w: checksum of record %q", ErrDamaged, key)
	}
	return value[sumSize:], nil
}

func putBytes(b *bbolt.Bucket, key, content []byte) error {
	if err := b.Put(key, wrap(key, content)); err != nil {
		return fmt.Errorf("writing record %q: %w", key, foreign(err))
	}
	return nil
}

func put(b *bbolt.Bucket, key []byte, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding record %q: %w", key, err)
	}
	return putBytes(b, key, content)
}

// get reads the record at key into v and tells whether there is one.
func get(b *bbolt.Bucket, key []byte, v any) (bool, error) {
	value := b.Get(key)
	if value == nil {
		return false, nil
	}
	return true, decode(key, value, v)
}

func decode(key, value []byte, v any) error {
	content, err := unwrap(key, value)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, v); err != nil {
		return fmt.Errorf("%w: record %q: %w", ErrDamaged, key, err)
	}
	return nil
}

// number is a key or value that sorts as its integer does.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func readNumber(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: number of %d bytes", ErrDamaged, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// getNumber reads a record that holds a number; zero when there is none.
func getNumber(b *bbolt.Bucket, key []byte) (uint64, error) {
	value := b.Get(key)
	if value == nil {
		return 0, nil
	}
	content, err := unwrap(key, value)
	if err != nil {
		return 0, err
	}
	return readNumber(content)
}

// counter names, in the bucket of the ledger itself, a number that goes up.
// bbolt's own sequences stand where no checksum covers them.
func counter(name string) []byte { return []byte("count." + name) }

func count(tx *bbolt.Tx, name string) (uint64, error) {
	b, err := bucket(tx, bucketLedger)
	if err != nil {
		return 0, err
	}
	return getNumber(b, counter(name))
}

func setCount(tx *bbolt.Tx, name string, n uint64) error {
	b, err := bucket(tx, bucketLedger)
	if err != nil {
		return err
	}
	return putBytes(b, counter(name), number(n))
}

// next returns the next number of a counter; the first is 1.
func next(tx *bbolt.Tx, name string) (uint64, error) {
	n, err := count(tx, name)
	if err != nil {
		return 0, err
	}
	return n + 1, setCount(tx, name, n+1)
}

// joined makes a key of words; each but the last ends in a NUL byte.
func joined(words ...string) []byte { return []byte(strings.Join(words, "\x00")) }

// maxKey bounds the words that become keys, far below what bbolt takes.
const maxKey = 1024

// keyable tells whether word can be part of a key.
func keyable(word string) bool {
	return word != "" && len(word) <= maxKey && !strings.ContainsRune(word, 0)
}
