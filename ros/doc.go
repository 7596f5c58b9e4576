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
//   - Nothing is written that schema.Allowed refuses: steps are admitted by it, and
//     so is once more every sentence that leaves.
//   - A write is sent at most once. When its answer is missing, the error is
//     ErrUnknownOutcome: the caller must read what the router holds now.
//   - Replies are bounded in words and bytes before anything is made of them.
//   - A router that is away, or lets us in and answers nothing, is tried ever more
//     seldom, whichever login is wanted; Stats tells why. A refused login rests by
//     itself.
//   - Secrets are asked for in no read, and stand in no error and no log line.
//   - TLS is never unverified: a router is pinned by fingerprint, by a CA or by
//     both. Plain connections go to loopback addresses only.
//
// What a call ends in when something goes wrong, and what is then known of a
// write, stands in testdata/faults.txt for every fault at every moment.
//
// Caveats: a command that a router has taken and not answered may still be
// executed after its call has ended, so a row that is not there yet may come. A
// pinned certificate is accepted after its end of life, since the pin says more
// than its dates; Check reports the date.
package ros
