// Package trail gives events their place in a hash chain and says whether a
// chain still holds.
//
// A record is an event's canonical bytes, its sequence number (1, 2, …) and its
// hash: SHA-256 over a domain line, the hash of the record before it, the
// number and the bytes. A checkpoint is a signed note (the format of
// golang.org/x/mod/sumdb/note; its first lines are those of a C2SP
// tlog-checkpoint) that states how many records there were and what the hash of
// the last one was.
//
// What this proves: a record that was changed, removed or put in is found by
// Verify. Somebody who can write the ledger can compute the chain anew from
// there on; that is found by anyone who holds a later checkpoint, and by nobody
// else. Records younger than the last checkpoint outside the ledger are
// therefore only as safe as the host.
//
// Everything here is pure: no disk, no clock, no network.
package trail
