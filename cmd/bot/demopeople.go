//go:build !nodemo

package main

import (
	"log/slog"

	"vpnbot/chat/slacksim"
)

// demoWorkspace is the company in which the demo plays.
func demoWorkspace(bot, app, url string, log *slog.Logger) slacksim.Options {
	everyone := []string{"U0OLIVIA", "U0OLIVIA2", "U0ANN", "U0BEN", "U0STAFF", "U0GUEST"}
	return slacksim.Options{
		Team: slacksim.Team{ID: "T0HOME", Name: "Example Trading", Domain: "example"},
		Bot:  slacksim.Bot{AppID: "A0VPNBOT", UserID: "U0VPNBOT", BotID: "B0VPNBOT", Name: "vpnbot"},
		Users: []slacksim.User{
			{ID: "U0OLIVIA", Handle: "olivia", Name: "Olivia Chang", Hint: "operator", Locale: "en-US", TZ: "Asia/Taipei"},
			{ID: "U0OLIVIA2", Handle: "olivia.mobile", Name: "Olivia (second Slack ID)", Hint: "the same operator", Locale: "en-US", TZ: "Asia/Taipei"},
			{ID: "U0ANN", Handle: "ann", Name: "Ann Lin", Hint: "approver 1", Locale: "en-US", TZ: "Asia/Taipei"},
			{ID: "U0BEN", Handle: "ben", Name: "陳大文 Ben", Hint: "approver 2, reads Chinese", Locale: "zh-TW", TZ: "Asia/Taipei"},
			{ID: "U0STAFF", Handle: "staff", Name: "Sam Staff", Hint: "staff member", Locale: "en-US", TZ: "Asia/Taipei"},
			{ID: "U0GUEST", Handle: "guest", Name: "Gina Guest", Hint: "guest", Restricted: true, Locale: "en-US", TZ: "Asia/Taipei"},
			{ID: "U0PARTNER", Handle: "pat", Name: "Pat Partner", Hint: "member of another organisation", TeamID: "T0PARTNER", TeamName: "Partner Ltd"},
		},
		Channels: []slacksim.Channel{
			{ID: "C0VPNOPS", Name: "vpn-ops", Topic: "Requests and approvals", Members: everyone},
			{ID: "C0VPNAUDIT", Name: "vpn-audit", Topic: "Signed checkpoints of the audit trail", Members: everyone[:4]},
			{ID: "C0PARTNER", Name: "partner-project", Topic: "Shared with Partner Ltd", Shared: true, Members: append([]string{"U0PARTNER"}, everyone[:5]...)},
		},
		Commands: []slacksim.Command{{
			Name: "/vpn", Description: "VPN accounts, requests and approvals", UsageHint: "help", Escape: true,
			Suggestions: []slacksim.Suggestion{
				{Text: "/vpn help", Description: "what you may ask"},
				{Text: "/vpn adduser vpn-sam --for @staff --site hq", Description: "a new VPN account"},
				{Text: "/vpn users hq", Description: "accounts"},
				{Text: "/vpn who", Description: "who is connected"},
				{Text: "/vpn requests", Description: "requests"},
				{Text: "/vpn audit", Description: "the audit trail"},
			},
		}},
		Tips: []slacksim.Tip{
			{Text: "As Olivia, ask for an account:", Try: "/vpn adduser vpn-sam --for @staff --site hq", As: "U0OLIVIA"},
			{Text: "Then press Submit, become Ann, and approve the card. Sam Staff finds the credentials in a direct message."},
			{Text: "See who is connected:", Try: "/vpn who", As: "U0OLIVIA"},
		},
		BotToken: bot, AppToken: app, BaseURL: url, Log: log,
	}
}

// demoPlaces are the sites, by router.
func demoPlaces(pskHQ, pskFengshan string) map[string]place {
	return map[string]place{
		"gw-hq": {
			router: "gw-hq", identity: "GW-HQ", lan: "192.168.77.1/24", wan: "203.0.113.10/24",
			dhcp: "192.168.77.100-192.168.77.199", pool: "10.77.0.10-10.77.0.99", local: "10.77.0.1", psk: pskHQ,
			callers: []caller{
				{"vpn-olivia", "198.51.100.23", "Olivia Chang", true},
				{"vpn-ann", "198.51.100.87", "Ann Lin", true},
				{"vpn-ben", "203.0.113.201", "陳大文", false},
				{"vpn-old", "", "left in 2024?", false},
			},
		},
		"gw-fengshan": {
			router: "gw-fengshan", identity: "GW-FENGSHAN", lan: "192.168.88.1/24", wan: "198.51.100.20/24",
			dhcp: "192.168.88.100-192.168.88.199", pool: "10.88.0.10-10.88.0.99", local: "10.88.0.1", psk: pskFengshan,
			callers: []caller{
				{"fs-lin", "203.0.113.150", "鳳山 林", true},
				{"fs-wang", "", "鳳山 王", false},
			},
		},
	}
}
