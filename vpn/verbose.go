package vpn

import (
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// Verbose is what PlanVerbose computes from.
type Verbose struct {
	Intent    change.Intent
	Snapshots []change.Snapshot // VerboseMenus of each router of the site
	For       time.Duration
}

// How long a router may log in detail: its memory is small, and what is in it
// already is evidence.
const (
	MinVerbose = time.Minute
	MaxVerbose = time.Hour
)

// VerbosePrefix is what lines of the detailed log begin with, and by what its rules
// are found again.
const VerbosePrefix = "vpnbot"

// verboseName is the schedule that switches detailed logging off again.
const verboseName = "vpnbot-verbose"

const menuLogging = "/system/logging"

// verboseTopics are those of the notes. Without "!packet" the log would hold
// payloads, and with them keys.
func verboseTopics() []string { return []string{"ipsec,!packet", "l2tp,!packet", "ppp,!packet"} }

// VerboseMenus returns the menus that a snapshot for PlanVerbose holds. Only
// device-mode may be absent.
func VerboseMenus() []string { return []string{menuLogging, menuScheduler, menuMode} }

// PlanVerbose computes the plan that has every router of a site log IPsec, L2TP and
// PPP in detail for a while. First comes the schedule that switches it off again, on
// the router itself: it does so without the bot, after a reboot too. It returns a
// *Refusal for a router that cannot, or logs so already.
func PlanVerbose(in Verbose) (change.Plan, error) {
	minutes := int(in.For / time.Minute)
	if in.For < MinVerbose || in.For > MaxVerbose {
		return change.Plan{}, refuse("verbose_time", "least", int(MinVerbose/time.Minute), "most", int(MaxVerbose/time.Minute))
	}
	p := change.Plan{Intent: in.Intent, Summary: change.T("plan.verbose.summary", "site", in.Intent.Site, "minutes", minutes)}
	for _, snap := range in.Snapshots {
		steps, err := verboseSteps(snap, in.For)
		if err != nil {
			return change.Plan{}, err
		}
		p.Routers = append(p.Routers, snap.Router)
		p.Steps = append(p.Steps, steps...)
		for _, menu := range VerboseMenus() {
			p.Seen = append(p.Seen, snap.Observe(change.Query{Menu: menu}))
		}
	}
	for i := range p.Steps {
		p.Steps[i].ID = i + 1
	}
	p.Blast = []change.Text{change.T("plan.verbose.memory")}
	p.Warnings = []change.Text{change.T("plan.verbose.off", "minutes", minutes)}
	p.State = change.StateDigest(p.Seen)
	return p, nil
}

// verboseSteps are those on one router.
func verboseSteps(snap change.Snapshot, d time.Duration) ([]change.Step, error) {
	rows := func(menu string, where schema.Row) []schema.Row {
		return snap.Rows(change.Query{Menu: menu, Where: where})
	}
	for _, mode := range rows(menuMode, nil) {
		if isTrue(mode, menuMode, "flagged") {
			return nil, refuse("flagged", "router", snap.Router)
		}
		if on, known := mode["scheduler"]; known && on != "true" && on != "yes" {
			return nil, refuse("verbose_mode", "router", snap.Router, "mode", mode["mode"])
		}
	}
	if len(rows(menuScheduler, schema.Row{"name": verboseName})) > 0 || len(rows(menuLogging, schema.Row{"prefix": VerbosePrefix})) > 0 {
		return nil, refuse("verbose_on", "router", snap.Router)
	}
	off := `/system logging remove [find where prefix="` + VerbosePrefix + `"]` + "\n" +
		`/system scheduler remove [find where name="` + verboseName + `"]`
	steps := []change.Step{{
		Router: snap.Router, Menu: menuScheduler, Action: schema.Add, Class: change.Twin, Match: schema.Row{"name": verboseName},
		After: schema.Row{
			"name": verboseName, "start-time": "startup", "interval": schema.FormatDuration(d), "policy": "read,write", "on-event": off,
		},
		Why: change.T("plan.verbose.step.off"),
	}}
	for _, topics := range verboseTopics() {
		if logsInDetail(snap.Menus[menuLogging], topics) {
			continue
		}
		match := schema.Row{"topics": topics, "action": "memory"}
		row := match.Clone()
		row["prefix"] = VerbosePrefix
		steps = append(steps, change.Step{
			Router: snap.Router, Menu: menuLogging, Action: schema.Add, Class: change.Twin, Match: match, After: row,
			Why: change.T("plan.verbose.step.on", "topic", strings.TrimSuffix(topics, ",!packet")),
		})
	}
	if len(steps) == 1 {
		return nil, refuse("verbose_on", "router", snap.Router)
	}
	return steps, nil
}

// logsInDetail tells whether a rule takes everything of a topic into memory already.
func logsInDetail(rules []schema.Row, topics string) bool {
	topic, _, _ := strings.Cut(topics, ",")
	return slices.ContainsFunc(rules, func(r schema.Row) bool {
		return !isTrue(r, menuLogging, "disabled") && defaulted(menuLogging, r, "action") == "memory" && (r["topics"] == topic || r["topics"] == topics)
	})
}
