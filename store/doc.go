// Package store is the ledger: one bbolt file that holds requests, journal,
// trail, notices, deliveries, sealed secrets, accounts and definitions.
//
// Commit is the only write. It takes a change.Move and writes it whole or not
// at all, with the events that record it in the same transaction. Everything
// else here reads; each reader is one short transaction of its own and returns
// copies.
//
// Rules of this package:
//
//   - One goroutine writes. Moves that arrive while it waits for the disk share
//     its next transaction; each is checked against the ledger as the moves
//     before it leave it, so one that is refused takes no other with it.
//   - Every value carries a CRC-32C over its key and content. Open checks the
//     structure of the whole file and every checksum with plain reads before
//     bbolt maps it, since bbolt trusts its pages: a damaged one would end the
//     process. A refused file is never written.
//   - Events are evidence. The indexes (by number, by order, by state, by
//     request) are derived from the records and are built again when missing.
//   - A read transaction is never opened inside another transaction, and none
//     outlives its reader: an open one keeps freed pages from being used again.
//
// A sealed secret that is destroyed is deleted at once; its encrypted bytes are
// wiped from the file's free pages when the ledger is opened the next time.
package store
