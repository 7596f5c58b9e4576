package change

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

// Class tells how a step can be taken back.
type Class string

// The step classes.
const (
	Twin    Class = "twin"     // a new row beside the old one
	InPlace Class = "in place" // the old non-secret values are kept for undo
	OneWay  Class = "one-way"  // an old secret that the bot never knew is lost
)

// Step is one write on one router.
type Step struct {
	ID     int           `json:"id"` // 1, 2, … in the order of writing
	Router string        `json:"router"`
	Menu   string        `json:"menu"`
	Action schema.Action `json:"action"`
	Class  Class         `json:"class"`
	// Phase is when the step is written; empty in a plan without phases. Steps of
	// cut over and commit are run by one script on the router.
	Phase string `json:"phase,omitempty"`
	// Place is where a row of an ordered menu will stand: TopPlace, or empty for
	// where RouterOS puts it.
	Place string `json:"place,omitempty"`
	// Match finds the row by what it is, since ids do not live long. For an add
	// it names the row that must come to be: its natural key.
	Match schema.Row `json:"match"`
	// Before and After hold the attributes concerned, never a secret. Before is
	// nil for an add, After for a remove. The comment in After has no generation
	// mark; Mark adds it when the request has its number.
	Before schema.Row `json:"before,omitempty"`
	After  schema.Row `json:"after,omitempty"`
	// Secrets names the sealed value of each secret attribute that is written,
	// Marks its key mark.
	Secrets map[string]secret.Ref `json:"secrets,omitempty"`
	Marks   map[string]string     `json:"marks,omitempty"`
	Why     Text                  `json:"why"`
}

// Plan is the exact content of a change: what an approver approves and what is
// applied, byte for byte. It is computed, never edited.
//
// Intent, Definition, Defines, Also, Retires, Seen, Steps, Tunnel, Reveal and HandOut
// decide what is applied. Blast and Warnings are for the reader; they are part of
// the digest, so that nobody approves a plan with a warning missing, and they never
// influence apply.
type Plan struct {
	Intent     Intent        `json:"intent"`
	Definition DefinitionRef `json:"definition"` // what it was computed from; version 0: nothing yet
	// Defines is the body of the version that follows Definition, where the plan
	// makes one. It holds from the moment at which the change is committed.
	Defines json.RawMessage `json:"defines,omitempty"`
	// Also are further definitions whose next version holds from the same moment.
	Also []Redefinition `json:"also,omitempty"`
	// Retires tells that the definition ends with the change; its versions stay.
	Retires bool          `json:"retires,omitempty"`
	Routers []string      `json:"routers"`
	Seen    []Observation `json:"seen"`
	State   string        `json:"state"` // StateDigest(Seen)
	Steps   []Step        `json:"steps"`
	Tunnel  *TunnelPlan   `json:"tunnel,omitempty"`
	Reveal  *Credentials  `json:"reveal,omitempty"`
	// HandOut are what others may open once the change is applied: the new key of a
	// dial-in server, for the owners of its accounts.
	HandOut  []Credentials `json:"handOut,omitempty"`
	Summary  Text          `json:"summary"` // one line for someone who is no network engineer
	Blast    []Text        `json:"blast,omitempty"`
	Warnings []Text        `json:"warnings,omitempty"`
}

// Credentials are what the owner of an account may open once it is applied.
type Credentials struct {
	Site     string     `json:"site"`
	Server   string     `json:"server"` // what the client dials: a name or an address
	Account  string     `json:"account"`
	Reader   PersonID   `json:"reader"`
	Password secret.Ref `json:"password,omitempty"` // empty: only the key is new
	PSK      secret.Ref `json:"psk,omitempty"`      // empty: the bot does not know the server's PSK
	// Renewed tells that the account was there before, with another password.
	Renewed bool `json:"renewed,omitempty"`
}

// DefinitionRef names one version of a definition.
type DefinitionRef struct {
	Kind    string `json:"kind"` // "dialin"
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// Redefinition is what a plan makes of a definition beside its own: the version that
// it was computed from, and the body of the one that follows.
type Redefinition struct {
	DefinitionRef
	Body json.RawMessage `json:"body"`
}

// Empty tells whether there is nothing to do. A plan with phases does something
// even without steps: it negotiates afresh. So does one that is about a definition
// or the date of an account alone.
func (p Plan) Empty() bool {
	dated := p.Intent.Account != nil && p.Intent.Account.Do == AccountExtend
	return len(p.Steps) == 0 && p.Tunnel == nil && p.Defines == nil && !p.Retires && !dated
}

// switches tells whether the plan switches an account on, or off.
func (p Plan) switches(action schema.Action) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Action == action && s.Menu == "/ppp/secret" })
}

// life is how long the plan may wait for approval. A tunnel does not stand still
// as long as an account does.
func (p Plan) life() time.Duration {
	if p.Phased() || p.Intent.Tunnel != "" {
		return TunnelLife
	}
	return PendingLife
}

// Canonical returns the one encoding of p that its digest covers.
func (p Plan) Canonical() ([]byte, error) {
	b, err := json.Marshal(p) // struct order and sorted map keys: deterministic
	if err == nil && bytes.Contains(b, []byte(`\ufffd`)) {
		// Text that is not UTF-8 is escaped once and stands as it is after the
		// plan was stored and read: only the second encoding lasts.
		var stored Plan
		if err = json.Unmarshal(b, &stored); err == nil {
			b, err = json.Marshal(stored)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("encoding plan: %w", err)
	}
	return append([]byte("vpnbot plan v1\n"), b...), nil
}

// Digest returns the hex SHA-256 of the canonical encoding. Approvals bind to it.
func (p Plan) Digest() (string, error) {
	b, err := p.Canonical()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// SecretRefs returns the names of every secret that the plan made: those that
// end with it.
func (p Plan) SecretRefs() []secret.Ref {
	var refs []secret.Ref
	for _, s := range p.Steps {
		for _, ref := range s.Secrets {
			refs = append(refs, ref)
		}
	}
	return refs
}

// markPattern is a generation mark at the end of a comment.
var markPattern = regexp.MustCompile(`(?: |^)\[vpnbot \d+\.\d+\]$`)

// Mark puts the generation mark of step at the end of comment, in place of an
// older one. The bytes before it stay as they are.
func Mark(comment string, request int64, step int) string {
	comment = Unmarked(comment)
	mark := fmt.Sprintf("[vpnbot %d.%d]", request, step)
	if comment == "" {
		return mark
	}
	return comment + " " + mark
}

// Unmarked returns comment without its generation mark.
func Unmarked(comment string) string {
	return markPattern.ReplaceAllString(comment, "")
}

// HasMark tells whether comment ends in the generation mark of step.
func HasMark(comment string, request int64, step int) bool {
	mark := fmt.Sprintf("[vpnbot %d.%d]", request, step)
	return comment == mark || strings.HasSuffix(comment, " "+mark)
}
