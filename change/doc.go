// Package change holds the life of a change as data: an Intent becomes a Plan,
// a Plan in a Request collects Approvals, and every transition of a Request is a
// pure function that returns a Move. Nothing here reads a clock, a disk or a
// network; the current time is an argument.
//
// The numbered invariants:
//
//	I1  No router write happens without an earlier "applying" event of its request.
//	I2  No request is approved by its requester's person, under whatever Slack ID.
//	I3  No person counts twice among the approvals of one request.
//	I4  The digest that is applied is the digest that was approved; that of an account's
//	    expiry names the request with which its date was approved.
//	I5  A request that has ended never moves again.
//	I6  Every change of a request's state stands in the trail, in the same transaction.
//	I7  A sealed secret outlives neither a denied, discarded, cancelled, expired,
//	    stale, reverted or committed request nor its reveal window.
//	I8  The trail's hash chain verifies from the first event to the last.
package change
