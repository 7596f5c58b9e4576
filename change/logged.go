package change

import (
	"strconv"
	"time"
)

// MaxLogLines bounds what is kept of one router's log, the newest lines.
const MaxLogLines = 40

// RouterLog is what one router wrote down while a request was carried out. Whoever
// makes one has hidden every word in it that could be a password.
type RouterLog struct {
	Router string    `json:"router"`
	Lines  []LogLine `json:"lines,omitempty"` // as the router wrote them, newest last
	Older  int       `json:"older,omitempty"` // lines of that time that are left out
	// Notes say what cannot stand there: a memory that does not reach back so far, a
	// topic that is not logged.
	Notes []Text `json:"notes,omitempty"`
	// Unread says why there is nothing of this router; zero when it was read.
	Unread Text `json:"unread,omitzero"`
}

// LogLine is one line of a router's log, in the router's own time.
type LogLine struct {
	When    string `json:"when"`
	Topics  string `json:"topics"`
	Message string `json:"message"`
}

// Logged keeps what the routers of r wrote down while it was carried out, and has it
// told below r's card. The request itself does not move: it may have ended.
func (r Request) Logged(now time.Time, logs []RouterLog) Move {
	e := r.event(now, EventLogged, System(), r.State)
	for _, l := range logs {
		e.Facts["lines."+l.Router] = strconv.Itoa(len(l.Lines) + l.Older)
		if !l.Unread.IsZero() {
			e.Facts["lines."+l.Router] = l.Unread.ID
		}
	}
	return Move{
		Events:  []Event{e},
		Journal: []Entry{{Request: r.ID, At: now, Mark: StepLogged, Logs: logs}},
		Notices: []Notice{{Key: "logs:" + r.ID, Kind: NoticeLogs, Audience: Audience{Channel: ChannelApprovals}, Request: r.ID}},
	}
}

// FirstWrite returns when the work on a request first wrote to a router, by its
// journal, since logs were kept last. begun is false when there was no such write.
func FirstWrite(journal []Entry) (from time.Time, begun bool) {
	for _, e := range journal {
		switch {
		case e.Mark == StepLogged:
			begun = false
		case e.Mark == StepBegin && !begun:
			from, begun = e.At, true
		}
	}
	return from, begun
}

// LogsOf returns what was kept of the routers' logs, of the last time that the work
// ended.
func LogsOf(journal []Entry) []RouterLog {
	var logs []RouterLog
	for _, e := range journal {
		if e.Mark == StepLogged {
			logs = e.Logs
		}
	}
	return logs
}
