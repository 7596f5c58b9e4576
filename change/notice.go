package change

// NoticeKind says what is to be told. Words are made when it is sent.
type NoticeKind string

// The kinds of notices.
const (
	NoticeCard        NoticeKind = "card"        // the request's card; sent again, it is updated in place
	NoticeOutcome     NoticeKind = "outcome"     // a request ended or needs a person
	NoticeLogs        NoticeKind = "logs"        // what the routers wrote down meanwhile, below the request's card
	NoticeReminder    NoticeKind = "reminder"    // an approval is still missing
	NoticeCredentials NoticeKind = "credentials" // an account's reader may open them
	NoticeOpened      NoticeKind = "opened"      // credentials were opened: not you?
	NoticeUnopened    NoticeKind = "unopened"    // the window closed and nobody had opened
	NoticeCheckpoint  NoticeKind = "checkpoint"  // a signed checkpoint, to the audit channel
	NoticeProven      NoticeKind = "proven"      // the first client has connected
	NoticeAccount     NoticeKind = "account"     // to its owner: what was done with an account
	NoticeExpiring    NoticeKind = "expiring"    // an account's date comes, or has come and it could not be ended
	NoticeLeft        NoticeKind = "left"        // an account's date has come, and the bot must not touch it
)

// Channel is a role of a Slack channel; the configuration says which one it is.
type Channel string

// The channels that notices go to.
const (
	ChannelApprovals Channel = "approvals"
	ChannelAudit     Channel = "audit"
)

// Audience is who is told: a channel or one person, never both.
type Audience struct {
	Channel Channel  `json:"channel,omitempty"`
	Person  PersonID `json:"person,omitempty"`
}

// Notice is something to tell, as data: never text, never a secret. What is
// said is rendered from the current state when it is sent. Two waiting notices
// with one Key are one.
type Notice struct {
	Key      string     `json:"key"`
	Kind     NoticeKind `json:"kind"`
	Audience Audience   `json:"audience"`
	Request  string     `json:"request,omitempty"` // request ID
	Reveal   string     `json:"reveal,omitempty"`  // reveal ID
	Number   int64      `json:"number,omitempty"`  // opening n, checkpoint size
}

// Delivery tells that a notice was sent, and where the message stands, so that
// it can be updated. Generation is the one that was rendered: a notice that was
// renewed meanwhile stays waiting.
type Delivery struct {
	Key        string     `json:"key"`
	Generation uint64     `json:"generation"`
	Message    MessageRef `json:"message"`
	// Dropped tells that the notice cannot be delivered and is given up, with
	// the reason in the log.
	Dropped bool `json:"dropped,omitempty"`
}

// MessageRef is where a message stands in Slack.
type MessageRef struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}
