package change

import (
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"vpnbot/change/secret"
)

// NewDraft makes the stored preview of plan. sealed are the secrets that the plan
// made. It returns ErrEmptyPlan when there is nothing to do.
func NewDraft(now time.Time, id string, plan Plan, by Actor, rule Rule, sealed []secret.Sealed) (Move, error) {
	if plan.Empty() {
		return Move{}, ErrEmptyPlan
	}
	digest, err := plan.Digest()
	if err != nil {
		return Move{}, err
	}
	r := Request{
		ID: id, State: Draft, Plan: plan, Digest: digest, Rule: rule,
		Requester: by.Person.ID, Slack: by.Slack, Created: now, Expires: now.Add(DraftLife),
	}
	m := Move{Request: &r, To: Draft, Seal: sealed}
	m.Events = []Event{r.event(now, EventDrafted, by, "")}
	return m, nil
}

// Submit makes the draft a pending request. Only its requester may.
func (r Request) Submit(now time.Time, by Actor) (Move, error) {
	if err := r.in(Draft); err != nil {
		return Move{}, err
	}
	if by.Person.ID != r.Requester {
		return Move{}, ErrNotAllowed
	}
	if !now.Before(r.Expires) {
		return Move{}, ErrExpired
	}
	return r.next(now, Pending, EventSubmitted, by, func(n *Request) {
		n.Submitted, n.Expires = now, now.Add(r.Plan.life())
	}), nil
}

// Discard ends a draft: its requester changed their mind, or time did.
func (r Request) Discard(now time.Time, by Actor) (Move, error) {
	if err := r.in(Draft); err != nil {
		return Move{}, err
	}
	if by.Person.ID != r.Requester && by.Person.ID != SystemPerson {
		return Move{}, ErrNotAllowed
	}
	m := r.next(now, Discarded, EventDiscarded, by, nil)
	m.Destroy = r.Plan.SecretRefs()
	return m, nil
}

// MayApprove tells whether by could approve r now, and if not why: a *StateError,
// ErrExpired, ErrSelfApproval, ErrNotAllowed or ErrTwice, in that order of
// precedence.
func (r Request) MayApprove(now time.Time, by Person) error {
	if err := r.in(Pending); err != nil {
		return err
	}
	switch {
	case !now.Before(r.Expires):
		return ErrExpired
	case by.ID == r.Requester || by.ID == SystemPerson:
		return ErrSelfApproval
	case !r.Plan.Intent.Grants(by, Approver) || !r.Rule.Names(by.ID):
		return ErrNotAllowed
	}
	if slices.ContainsFunc(r.Approvals, func(a Approval) bool { return a.Person == by.ID && !a.Lapsed }) {
		return ErrTwice
	}
	return nil
}

// Approve records by's yes to digest. The request is approved when no approval
// is missing any more. Besides MayApprove's errors it returns ErrDigest and
// ErrReason.
func (r Request) Approve(now time.Time, by Actor, digest, reason string) (Move, error) {
	if err := r.MayApprove(now, by.Person); err != nil {
		return Move{}, err
	}
	if subtle.ConstantTimeCompare([]byte(digest), []byte(r.Digest)) != 1 {
		return Move{}, ErrDigest
	}
	if !r.Rule.Accepts(reason) {
		return Move{}, ErrReason
	}
	with := r
	with.Approvals = append(slices.Clone(r.Approvals), Approval{
		Person: by.Person.ID, Slack: by.Slack, At: now, Digest: digest, Reason: reason,
	})
	to, kind := Pending, EventApproval
	if with.Missing() == 0 {
		to, kind = Approved, EventApproved
	}
	m := r.next(now, to, kind, by, func(n *Request) { n.Approvals = with.Approvals })
	if reason != "" {
		m.Events[0].Facts["reason"] = reason
	}
	return m, nil
}

// Deny ends the request by one approver's no. The requester cancels instead.
func (r Request) Deny(now time.Time, by Actor, reason string) (Move, error) {
	if err := r.MayApprove(now, by.Person); err != nil && !errors.Is(err, ErrTwice) {
		return Move{}, err
	}
	return r.decided(now, Denied, EventDenied, by, reason), nil
}

// Cancel withdraws a request that has not started. Its requester's person may.
func (r Request) Cancel(now time.Time, by Actor, reason string) (Move, error) {
	if err := r.in(Pending, Approved); err != nil {
		return Move{}, err
	}
	if by.Person.ID != r.Requester {
		return Move{}, ErrNotAllowed
	}
	return r.decided(now, Cancelled, EventCancelled, by, reason), nil
}

func (r Request) decided(now time.Time, to State, kind EventKind, by Actor, reason string) Move {
	m := r.next(now, to, kind, by, func(n *Request) { n.DecidedBy, n.Reason = by.Person.ID, reason })
	m.Destroy = r.Plan.SecretRefs()
	if reason != "" {
		m.Events[0].Facts["reason"] = reason
	}
	if by.Person.ID != r.Requester {
		m.Notices = append(m.Notices, r.outcome())
	}
	return m
}

// Expire ends a pending request whose time is over, or discards such a draft.
func (r Request) Expire(now time.Time) (Move, error) {
	if err := r.in(Pending, Draft); err != nil {
		return Move{}, err
	}
	if now.Before(r.Expires) {
		return Move{}, &StateError{Have: r.State, Want: Expired}
	}
	if r.State == Draft {
		return r.Discard(now, System())
	}
	m := r.next(now, Expired, EventExpired, System(), nil)
	m.Destroy = r.Plan.SecretRefs()
	m.Notices = append(m.Notices, r.outcome())
	return m, nil
}

// Lapse takes an approved request that could not start in time back to pending:
// one approver must say that the same digest still holds.
func (r Request) Lapse(now time.Time) (Move, error) {
	if err := r.in(Approved); err != nil {
		return Move{}, err
	}
	if now.Before(r.LastApproval().Add(ApprovalLife)) {
		return Move{}, &StateError{Have: r.State, Want: Pending}
	}
	if r.Under != nil {
		return r.late(now), nil
	}
	return r.next(now, Pending, EventLapsed, System(), func(n *Request) {
		for i := range n.Approvals {
			n.Approvals[i].Lapsed = true
		}
		n.Expires = now.Add(r.Plan.life())
	}), nil
}

// late ends a request that nobody is asked about again: another is made when it
// can be carried out.
func (r Request) late(now time.Time) Move {
	why := T("apply.late")
	m := r.next(now, Stale, EventStale, System(), func(n *Request) { n.Outcome = why })
	m.Events[0].Facts["why"] = why.ID
	m.Destroy = r.Plan.SecretRefs()
	return m
}

// Remind notes that approvers were reminded.
func (r Request) Remind(now time.Time) (Move, error) {
	if err := r.in(Pending); err != nil {
		return Move{}, err
	}
	m := r.next(now, Pending, EventReminded, System(), func(n *Request) { n.Reminded = now })
	m.Notices = []Notice{{
		Key: "reminder:" + r.ID, Kind: NoticeReminder,
		Audience: Audience{Channel: ChannelApprovals}, Request: r.ID,
	}}
	return m, nil
}
