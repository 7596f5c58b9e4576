// Package ros talks to RouterOS routers over their binary API: it takes
// snapshots, executes single steps and checks logins.
//
// Terms: a Fleet knows every router of the estate. A session is one logged-in
// connection. Each router has two pools of sessions: one of the reading login,
// used by Snapshot and kept open between polls, and one of the writing login,
// used by Execute alone and closed soon after.
//
// Promises:
//
//   - Every command has a deadline, from its context or Options.Timeout, and
//     cancelling the context ends it. No router can make a call hang.
//   - One command is in flight per session; each carries its own tag, and a
//     session whose answer is late, too long or not understood is closed.
//   - Nothing is written that schema.Allowed refuses.
//   - A write is sent at most once. When its answer is missing, the error is
//     ErrUnknownOutcome: the caller must read what the router holds now.
//   - Secrets are asked for in no read, and stand in no error and no log line.
//   - TLS is never unverified: a router is pinned by fingerprint, by a CA or by
//     both. Plain connections go to loopback addresses only.
//
// Caveat: a pinned certificate is accepted after its end of life, since the pin
// says more than its dates; Check reports the date.
package ros
