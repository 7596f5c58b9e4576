package store

import (
	"fmt"
	"slices"

	"vpnbot/change"
)

// states are all that a request can be in.
var states = []change.State{
	change.Draft, change.Pending, change.Approved, change.Applying, change.Committed, change.Applied,
	change.Unproven, change.Proven, change.Discarded, change.Cancelled, change.Denied, change.Expired,
	change.Stale, change.Reverted, change.NeedsAttention,
}

// validate checks what can be told from the move alone. Its errors wrap ErrMove:
// no move that a transition made gets them.
func validate(m change.Move) error {
	for _, check := range []func(change.Move) error{
		validateRequest, validateEvents, validateKeys, validateNotices, validateRecords,
	} {
		if err := check(m); err != nil {
			return fmt.Errorf("%w: %w", ErrMove, err)
		}
	}
	return nil
}

// validateRequest holds invariant I6: a request that moves has an event that
// says from where to where.
func validateRequest(m change.Move) error {
	r := m.Request
	if r == nil {
		if m.Version != 0 || m.From != "" || m.To != "" {
			return fmt.Errorf("states or version without a request")
		}
		return nil
	}
	switch {
	case !keyable(r.ID):
		return fmt.Errorf("request ID %q", r.ID)
	case !slices.Contains(states, m.To) || r.State != m.To:
		return fmt.Errorf("request %s in state %q goes to %q", r.ID, r.State, m.To)
	case (m.From == "") != (m.Version == 0):
		return fmt.Errorf("request %s: version %d comes from %q", r.ID, m.Version, m.From)
	case m.From != "" && !slices.Contains(states, m.From):
		return fmt.Errorf("request %s comes from %q", r.ID, m.From)
	}
	if !slices.ContainsFunc(m.Events, func(e change.Event) bool {
		return e.From == m.From && e.To == m.To && (e.Draft == r.ID || r.Number != 0 && e.Request == r.Number)
	}) {
		return fmt.Errorf("request %s moves without an event", r.ID)
	}
	return validateDestroyed(m)
}

// validateDestroyed holds invariant I7: a request that ends without effect takes
// its secrets with it.
func validateDestroyed(m change.Move) error {
	switch m.To {
	case change.Discarded, change.Cancelled, change.Denied, change.Expired, change.Stale, change.Reverted, change.Committed:
	default:
		return nil
	}
	for _, ref := range m.Request.Plan.SecretRefs() {
		if !slices.Contains(m.Destroy, ref) {
			return fmt.Errorf("request %s is %s and keeps secret %s", m.Request.ID, m.To, ref)
		}
	}
	return nil
}

func validateEvents(m change.Move) error {
	for _, e := range m.Events {
		if e.Kind == "" || e.At.IsZero() || e.Actor == "" {
			return fmt.Errorf("event %q without kind, time or actor", e.Kind)
		}
	}
	silent := len(m.Events) == 0
	if silent && (m.Reveal != nil || len(m.Grants)+len(m.Accounts)+len(m.Definitions)+len(m.Destroy) > 0) {
		return fmt.Errorf("a lasting change without an event")
	}
	return nil
}

// validateKeys checks everything that becomes a key.
func validateKeys(m change.Move) error {
	words := slices.Clone(m.Done)
	for _, e := range m.Journal {
		words = append(words, e.Request)
	}
	for _, s := range m.Seal {
		words = append(words, string(s.Ref))
	}
	for _, ref := range m.Destroy {
		words = append(words, string(ref))
	}
	for _, in := range m.Inbox {
		words = append(words, in.Key)
	}
	for _, a := range m.Accounts {
		words = append(words, a.Site, a.Name)
	}
	for _, d := range m.Definitions {
		words = append(words, d.Kind, d.Name)
	}
	for _, p := range m.Preferences {
		words = append(words, string(p.Person))
	}
	for _, d := range m.Deliveries {
		words = append(words, d.Key)
	}
	for _, f := range m.Facts {
		words = append(words, f.Name)
	}
	for _, v := range reveals(m) {
		words = append(words, v.ID)
	}
	if i := slices.IndexFunc(words, func(w string) bool { return !keyable(w) }); i >= 0 {
		return fmt.Errorf("%q cannot be a key", words[i])
	}
	return nil
}

func validateNotices(m change.Move) error {
	for _, n := range m.Notices {
		if !keyable(n.Key) || n.Kind == "" || (n.Audience.Channel == "") == (n.Audience.Person == "") {
			return fmt.Errorf("notice %q of kind %q needs one audience", n.Key, n.Kind)
		}
	}
	return nil
}

func validateRecords(m change.Move) error {
	for _, d := range m.Definitions {
		if d.Version < 1 {
			return fmt.Errorf("definition %s %s has version %d", d.Kind, d.Name, d.Version)
		}
	}
	for i, key := range m.Done {
		if slices.Contains(m.Done[:i], key) {
			return fmt.Errorf("%q is done twice", key)
		}
	}
	return nil
}
