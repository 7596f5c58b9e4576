package change

// States returns every state, in the order of a request's life.
func States() []State {
	return []State{
		Draft, Pending, Approved, Applying, Committed, Applied, Unproven, Proven,
		Discarded, Cancelled, Denied, Expired, Stale, Reverted, NeedsAttention,
	}
}

// EventKinds returns every kind of event.
func EventKinds() []EventKind {
	return []EventKind{
		EventStarted, EventStopped, EventConfig, EventRefused,
		EventDrafted, EventSubmitted, EventDiscarded, EventApproval, EventApproved, EventLapsed,
		EventDenied, EventCancelled, EventExpired, EventStale, EventWaiting, EventReverted, EventApplying,
		EventStepBegin, EventStepDone, EventStepUnknown,
		EventApplied, EventProven, EventAttention, EventReleased, EventRecovering, EventReminded,
		EventPhase, EventSeen, EventDecided, EventCommitted, EventResumed, EventAdopted,
		EventGranted, EventRevealed, EventRevealFailed, EventRevealClosed,
		EventDefinition, EventPreference, EventCheckpoint, EventSessionFirst,
		EventDue, EventWarned, EventLeft,
	}
}
