// Package secret holds values that must never be seen: how they are made,
// named, sealed and compared.
//
// A Secret prints, logs and marshals as "[secret]" or refuses to; Expose is the
// only way to its text, and a test of the module lists every caller. A Sealed is
// a secret encrypted with AES-256-GCM (NIST SP 800-38D) under a Key that lives
// outside the ledger; a Key opens it again. Opening happens at two call sites in
// the whole program: when ros renders a write and when chat fills the owner's
// modal.
//
// A mark, "psk:9f3a1c0d", is a keyed digest (HMAC-SHA-256, RFC 2104) of a secret. Two
// equal marks mean equal secrets; without the key a mark says nothing.
package secret
