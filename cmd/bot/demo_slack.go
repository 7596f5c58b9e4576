//go:build !nodemo

package main

import "vpnbot/chat/slacksim"

// workspace is the Slack workspace of the demo.
func workspace(url string, t slackTokens) slacksim.Options {
	return slacksim.Options{
		Team:     slacksim.Team{ID: "T0DEMO", Name: "Fengshan Foods", Domain: "fengshan-foods"},
		Bot:      slacksim.Bot{AppID: "A0VPNBOT", UserID: "U0VPNBOT", BotID: "B0VPNBOT", Name: "vpnbot"},
		BotToken: t.bot, AppToken: t.app, BaseURL: url,
		Users: []slacksim.User{
			{ID: "U0OLIVE", Handle: "olive", Name: "林小芬", Hint: "operator 操作人", Locale: "zh-TW", TZ: "Asia/Taipei"},
			{ID: "U0OLIVE2", Handle: "olive-phone", Name: "林小芬（手機）", Hint: "the operator's second account", Locale: "zh-TW", TZ: "Asia/Taipei"},
			{ID: "U0ANN", Handle: "ann", Name: "吳安安", Hint: "approver 核准人", Locale: "zh-TW", TZ: "Asia/Taipei"},
			{ID: "U0BEN", Handle: "ben", Name: "Ben Chen", Hint: "approver", Locale: "en-US", TZ: "Asia/Taipei"},
			{ID: "U0MEI", Handle: "mei", Name: "王美玲", Hint: "staff: gets an account 員工", Locale: "zh-TW", TZ: "Asia/Taipei"},
			{ID: "U0GUS", Handle: "gus", Name: "Gus Guest", Hint: "guest 訪客", Restricted: true, Locale: "en-US", TZ: "Asia/Taipei"},
			{ID: "U0EVE", Handle: "eve", Name: "Eve Else", Hint: "of another organisation 外部成員", TeamID: "T0OTHER", TeamName: "Other Co"},
		},
		Channels: []slacksim.Channel{
			{ID: "C0VPNOPS", Name: "vpn-ops", Topic: "VPN requests and approvals", Members: []string{
				"U0OLIVE", "U0OLIVE2", "U0ANN", "U0BEN", "U0MEI", "U0GUS",
			}},
			{ID: "C0VPNAUDIT", Name: "vpn-audit", Topic: "Signed checkpoints", Private: true, Members: []string{"U0OLIVE", "U0ANN", "U0BEN"}},
			{ID: "C0PARTNER", Name: "other-co", Topic: "With Other Co", Shared: true, Members: []string{"U0OLIVE", "U0ANN", "U0MEI", "U0EVE"}},
		},
		Commands: []slacksim.Command{{
			Name: "/vpn", Description: "VPN accounts by request and approval", UsageHint: "help | status | adduser | users | requests", Escape: true,
			Suggestions: []slacksim.Suggestion{
				{Text: "/vpn help", Description: "what you may use"},
				{Text: "/vpn status", Description: "how the tunnels are"},
				{Text: "/vpn status 鳳山", Description: "one site, from both ends"},
				{Text: "/vpn sa fengshan", Description: "the SAs of its tunnel"},
				{Text: "/vpn logs taichung --topic ipsec", Description: "why a tunnel does not come up"},
				{Text: "/vpn redo taichung", Description: "make a broken tunnel anew"},
				{Text: "/vpn rotate psk fengshan", Description: "a new key on both ends"},
				{Text: "/vpn rekey fengshan", Description: "negotiate afresh"},
				{Text: "/vpn adduser mei-01 --for @mei --site hq", Description: "a new dial-in account"},
				{Text: "/vpn users 鳳山", Description: "the accounts of a site"},
				{Text: "/vpn requests", Description: "what waits"},
				{Text: "/vpn me", Description: "your own accounts"},
			},
		}},
		Events: []string{"app_home_opened"},
		Tips: []slacksim.Tip{
			{Text: "As the operator, ask for an account and submit the preview.", Try: "/vpn adduser mei-01 --for @mei --site hq", As: "U0OLIVE"},
			{Text: "Try to approve it as the operator's second account, then approve it as an approver.", As: "U0ANN"},
			{Text: "Become 王美玲 and open the credentials in her direct messages: some seconds later her computer dials in, and the request is proven.", As: "U0MEI"},
			{Text: "As the operator, mend the tunnel to 台中, have it approved, and watch the card go through the phases.", Try: "/vpn redo 台中", As: "U0OLIVE"},
			{Text: "Read what happened.", Try: "/vpn audit", As: "U0ANN"},
		},
	}
}
