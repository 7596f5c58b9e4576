package main

import "vpnbot/docs"

// untried says why nothing was tried about an assumption.
func untried(a docs.Assumption) string {
	if why, ok := whyNot[a.Number]; ok {
		return why
	}
	switch a.Section {
	case "Slack":
		return "about Slack"
	case "Negotiation", "Status":
		return "needs a second router to negotiate with"
	case "Tunnels as the simulator plays them":
		return "needs a tunnel"
	}
	return "no trial has been written"
}

const needsClient = "needs a computer that dials in"

// whyNot holds the reasons of single assumptions.
var whyNot = map[string]string{
	"3":   "over TLS a sentence is one record, and half of one is nothing",
	"10":  "needs a reboot",
	"12":  needsClient,
	"15":  "a secret is never asked for",
	"17":  needsClient,
	"20":  needsClient,
	"21":  "needs a RADIUS server",
	"22":  needsClient,
	"29":  "needs a firewall in front and a computer that dials in",
	"34":  "read and import it yourself",
	"81":  "the clock is left alone",
	"82":  "redo and undo may hold secrets and are never read",
	"85":  "a router is not flagged on purpose",
	"90":  "needs a phase 1",
	"92":  needsClient,
	"93":  needsClient,
	"94":  needsClient,
	"T1":  "about versions that this router does not run",
	"T2":  "about versions that this router does not run",
	"T3":  "about versions that this router does not run",
	"T4":  "about versions that this router does not run",
	"T5":  "about versions that this router does not run",
	"T6":  "about the simulator alone",
	"T10": "needs a rule that the router itself makes",
	"T11": "no id is sent that was not read before",
	"T13": "rows from the factory are left alone",
	"T17": "a policy for everything is not added, even switched off",
	"T18": "the bot does not read them",
	"T19": "needs an interface that goes",
	"T20": "about versions that this router does not run",
}
