package vpn

import "vpnbot/change"

// Refusal is a wish that is not granted: one sentence that says why and one hint
// that says what to do, as data.
type Refusal struct {
	Text change.Text
	Hint change.Text
}

// Error names the message, for logs; people read Text and Hint.
func (r *Refusal) Error() string { return "refused: " + r.Text.ID }

// Explain returns Text and Hint.
func (r *Refusal) Explain() (sentence, hint change.Text) { return r.Text, r.Hint }

// refuse makes the Refusal whose messages are plan.refuse.ID and
// plan.refuse.ID.hint, both with the same arguments.
func refuse(id string, pairs ...any) error {
	return &Refusal{
		Text: change.T("plan.refuse."+id, pairs...),
		Hint: change.T("plan.refuse."+id+".hint", pairs...),
	}
}

// NoDefinition is the refusal for a site whose dial-in server is not defined.
func NoDefinition(site string) error { return refuse("no_definition", "site", site) }
