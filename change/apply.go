package change

import (
	"strconv"
	"time"
)

// The phases of a change to one row.
const (
	PhaseWriting = "writing"
	PhaseReading = "reading back"
)

// Overtake ends a request whose routers no longer hold what the plan was
// computed from. Nothing was written.
func (r Request) Overtake(now time.Time, moved Moved) (Move, error) {
	if err := r.in(Approved, Pending); err != nil {
		return Move{}, err
	}
	m := r.next(now, Stale, EventStale, System(), func(n *Request) { n.Moved = &moved })
	facts := m.Events[0].Facts
	facts["menu"], facts["row"], facts["field"] = moved.Menu, moved.Row, moved.Field
	m.Events[0].Router = moved.Router
	m.Destroy = r.Plan.SecretRefs()
	m.Notices = append(m.Notices, r.outcome())
	return m, nil
}

// Revoke ends an approved request because requester or approvers have lost the
// right since. why says who.
func (r Request) Revoke(now time.Time, why Text) (Move, error) {
	if err := r.in(Approved); err != nil {
		return Move{}, err
	}
	m := r.next(now, Stale, EventStale, System(), func(n *Request) { n.Outcome = why })
	m.Events[0].Facts["why"] = why.ID
	m.Destroy = r.Plan.SecretRefs()
	m.Notices = append(m.Notices, r.outcome())
	return m, nil
}

// Start begins applying: from here on the routers may be written.
func (r Request) Start(now time.Time) (Move, error) {
	if err := r.in(Approved); err != nil {
		return Move{}, err
	}
	if !now.Before(r.LastApproval().Add(ApprovalLife)) {
		return Move{}, ErrExpired
	}
	if err := r.intact(); err != nil {
		return Move{}, err
	}
	return r.next(now, Applying, EventApplying, System(), func(n *Request) {
		n.Started, n.Phase, n.Outcome = now, r.phase(PhaseWriting, PhaseStage), Text{}
	}), nil
}

// intact checks that the plan is the one that was approved: its digest computed
// afresh equals the request's and that of every approval.
func (r Request) intact() error {
	digest, err := r.Plan.Digest()
	if err != nil {
		return err
	}
	if digest != r.Digest || r.Missing() > 0 || r.Under != nil && len(r.Under.Approvals) == 0 {
		return ErrDigest
	}
	for _, a := range r.Approvals {
		if a.Digest != digest || a.Person == r.Requester {
			return ErrDigest
		}
	}
	return nil
}

// Wait notes on the card what an approved or applying request waits for. It is
// no step: the state stays.
func (r Request) Wait(now time.Time, why Text) (Move, error) {
	if err := r.in(Approved, Applying); err != nil {
		return Move{}, err
	}
	phase := r.Phase
	m := r.next(now, r.State, EventWaiting, System(), func(n *Request) { n.Outcome, n.Phase = why, phase })
	m.Events[0].Facts["why"] = why.ID
	return m, nil
}

// Fail ends an applying request that wrote nothing, or whose writes are undone:
// the routers hold the old rows. why is said to the requester.
func (r Request) Fail(now time.Time, why Text) (Move, error) {
	if err := r.in(Applying); err != nil {
		return Move{}, err
	}
	m := r.next(now, Reverted, EventReverted, System(), func(n *Request) { n.Outcome = why })
	m.Events[0].Facts["why"] = why.ID
	m.Destroy = r.Plan.SecretRefs()
	m.Notices = append(m.Notices, r.outcome())
	return m, nil
}

// Unwind journals that what was written of a plan without phases will be taken
// back, because a router refuses the rest. It is not decided otherwise any more.
func (r Request) Unwind(now time.Time, why Text) (Move, error) {
	switch err := r.in(Applying); {
	case err != nil:
		return Move{}, err
	case r.Plan.Phased() || r.Decided != Undecided:
		return Move{}, ErrDecided
	}
	return r.decide(now, DecidedRevert, EventDecided, System(), why, nil), nil
}

// Begin journals that step is about to be written.
func (r Request) Begin(now time.Time, step Step) (Move, error) {
	return r.journal(now, step, StepBegin, EventStepBegin, PhaseWriting, "")
}

// Lost journals that the router's answer to step is not known. note is a redacted
// reason.
func (r Request) Lost(now time.Time, step Step, note string) (Move, error) {
	return r.journal(now, step, StepUnknown, EventStepUnknown, PhaseReading, note)
}

// Finish journals that step was read back and found as planned.
func (r Request) Finish(now time.Time, step Step) (Move, error) {
	return r.journal(now, step, StepDone, EventStepDone, PhaseReading, "")
}

func (r Request) journal(now time.Time, step Step, mark EntryMark, kind EventKind, phase, note string) (Move, error) {
	if err := r.in(Applying); err != nil {
		return Move{}, err
	}
	phase = r.phase(phase, r.Phase)
	m := r.next(now, Applying, kind, System(), func(n *Request) { n.Phase = phase })
	m.Journal = []Entry{{Request: r.ID, At: now, Step: step.ID, Mark: mark, Note: note}}
	if r.Plan.Phased() {
		m.Journal[0].Phase, m.Journal[0].Router = phase, step.Router
		m.Events[0].Facts["phase"] = phase
	}
	e := &m.Events[0]
	e.Router, e.Step = step.Router, step.ID
	e.Facts["menu"], e.Facts["action"] = step.Menu, string(step.Action)
	for attr, km := range step.Marks {
		e.Facts["mark."+attr] = km
	}
	if note != "" {
		e.Facts["note"] = note
	}
	return m, nil
}

// phase returns the phase to show: one's for a change to one row, many's for a
// change in phases.
func (r Request) phase(one, many string) string {
	if r.Plan.Phased() {
		return many
	}
	return one
}

// Complete ends the writing: every step was read back. unproven tells that the
// proof is a client's first connection. account and reveal, when given, come to
// be with it.
func (r Request) Complete(now time.Time, unproven bool, account *Account, reveal *Reveal) (Move, error) {
	if err := r.in(Applying); err != nil {
		return Move{}, err
	}
	to := Applied
	if unproven {
		to = Unproven
	}
	m := r.next(now, to, EventApplied, System(), nil)
	m.Notices = append(m.Notices, r.outcome())
	if account != nil {
		m.Accounts = []Account{*account}
		m.Notices = append(m.Notices, r.told(account.Owner)...)
	}
	if reveal == nil {
		m.Destroy = r.Plan.SecretRefs() // nobody will open them
		return m, nil
	}
	return m.And(reveal.grant(now, r)), nil
}

// told tells the owner of an account what was done with it, when it is somebody
// else in Slack and no credentials wait, which are told of themselves.
func (r Request) told(owner PersonID) []Notice {
	if _, outside := owner.Outside(); outside || owner == "" || owner == r.asker() || r.Plan.Reveal != nil {
		return nil
	}
	return []Notice{{Key: "account:" + r.ID, Kind: NoticeAccount, Audience: Audience{Person: owner}, Request: r.ID}}
}

// Prove ends an unproven request: its first client has connected.
func (r Request) Prove(now time.Time, account Account) (Move, error) {
	if err := r.in(Unproven); err != nil {
		return Move{}, err
	}
	if account.Connected == nil {
		account.Connected = &now
	}
	m := r.next(now, Proven, EventProven, System(), func(n *Request) { n.Ended = r.Ended })
	m.Accounts = []Account{account}
	m.Notices = append(m.Notices, Notice{
		Key: "proven:" + r.ID, Kind: NoticeProven, Audience: Audience{Person: r.Requester}, Request: r.ID,
	})
	return m, nil
}

// ProveServer ends an unproven request about a dial-in server: a client has
// connected since.
func (r Request) ProveServer(now time.Time) (Move, error) {
	if err := r.in(Unproven); err != nil {
		return Move{}, err
	}
	m := r.next(now, Proven, EventProven, System(), func(n *Request) { n.Ended = r.Ended })
	m.Notices = append(m.Notices, Notice{
		Key: "proven:" + r.ID, Kind: NoticeProven, Audience: Audience{Person: r.Requester}, Request: r.ID,
	})
	return m, nil
}

// Attend stops the work: a person must decide. why is said to them.
func (r Request) Attend(now time.Time, why Text) (Move, error) {
	if err := r.in(Applying); err != nil {
		return Move{}, err
	}
	m := r.next(now, NeedsAttention, EventAttention, System(), func(n *Request) { n.Outcome, n.Phase = why, r.phase("", r.Phase) })
	m.Events[0].Facts["why"] = why.ID
	if r.Plan.Phased() {
		m.Events[0].Facts["phase"] = r.Phase
	}
	m.Notices = append(m.Notices, r.outcome())
	return m, nil
}

// Recover notes that a restarted bot takes up the work on an applying request.
func (r Request) Recover(now time.Time, entries int) (Move, error) {
	if err := r.in(Applying); err != nil {
		return Move{}, err
	}
	m := r.next(now, Applying, EventRecovering, System(), func(n *Request) { n.Phase = r.phase(PhaseReading, r.Phase) })
	m.Events[0].Facts["journal"] = strconv.Itoa(entries)
	return m, nil
}

// Release unlocks a request that needs attention without doing anything on the
// routers: a person has taken it over by hand. It ends stale, with the reason.
func (r Request) Release(now time.Time, by Actor, reason string) (Move, error) {
	if err := r.in(NeedsAttention); err != nil {
		return Move{}, err
	}
	switch {
	case !r.Plan.Intent.Grants(by.Person, Approver):
		return Move{}, ErrNotAllowed
	case reason == "":
		return Move{}, ErrReason
	}
	return r.decided(now, Stale, EventReleased, by, reason), nil
}
