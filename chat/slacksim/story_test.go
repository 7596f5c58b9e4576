package slacksim_test

import (
	"strconv"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"vpnbot/chat/slacksim"
)

// story is a workspace as the page shows it: what an app would post.
func story() slacksim.Options {
	o := options()
	o.Team.Name = "Fengshan Foods"
	o.Users = []slacksim.User{
		{ID: "UOP", Handle: "olive", Name: "Olive Lin", Hint: "operator", Locale: "zh-TW", TZ: "Asia/Taipei"},
		{ID: "UOP2", Handle: "olive-phone", Name: "Olive (phone)", Hint: "the operator's second account"},
		{ID: "UAP", Handle: "ann", Name: "Ann Wu", Hint: "approver 1"},
		{ID: "UAP2", Handle: "ben", Name: "Ben Chen", Hint: "approver 2"},
		{ID: "USTAFF", Handle: "mei", Name: "王美玲", Hint: "staff, will get the account", Locale: "zh-TW"},
		{ID: "UGUEST", Handle: "gus", Name: "Gus Guest", Hint: "guest", Restricted: true},
		{ID: "UEXT", Handle: "eve", Name: "Eve Else", Hint: "member of another organisation", TeamID: "T2", TeamName: "Other Co"},
	}
	o.Channels = []slacksim.Channel{
		{ID: "COPS", Name: "vpn-ops", Topic: "Requests and approvals"},
		{ID: "CAUDIT", Name: "vpn-audit", Topic: "Everything that happened", Private: true, Members: []string{"UOP", "UAP", "UAP2"}},
		{ID: "CJOINT", Name: "joint-project", Topic: "With Other Co", Shared: true, Members: []string{"UOP", "UAP", "UGUEST", "UEXT"}},
	}
	o.Commands = []slacksim.Command{{
		Name: "/vpn", Description: "Change and inspect VPNs", UsageHint: "help | adduser | users | requests", Escape: true,
		Suggestions: []slacksim.Suggestion{
			{Text: "/vpn help", Description: "what you may use"},
			{Text: "/vpn adduser vpn-01 --for @mei --site hq", Description: "a new dial-in account"},
			{Text: "/vpn requests", Description: "what waits for approval"},
		},
	}}
	o.Tips = []slacksim.Tip{
		{Text: "Ask for a new account", Try: "/vpn adduser vpn-01 --for @mei --site hq", As: "UOP"},
		{Text: "Then become an approver and press Approve on the card.", As: "UAP"},
	}
	return o
}

func card() []slack.Block {
	text := func(s string) *slack.TextBlockObject { return slack.NewTextBlockObject("mrkdwn", s, false, false) }
	approve := button("approve", "42").WithStyle(slack.StylePrimary)
	approve.Text.Text = "Approve"
	deny := button("deny", "42").WithStyle(slack.StyleDanger)
	deny.Text.Text = "Deny"
	deny.Confirm = slack.NewConfirmationBlockObject(
		slack.NewTextBlockObject("plain_text", "Deny request #42?", false, false), text("*One denial ends it.* The requester is told."),
		slack.NewTextBlockObject("plain_text", "Deny", false, false), slack.NewTextBlockObject("plain_text", "Keep", false, false))
	more := slack.NewOverflowBlockElement("more",
		slack.NewOptionBlockObject("show", slack.NewTextBlockObject("plain_text", "Show the plan", false, false), nil),
		slack.NewOptionBlockObject("share", slack.NewTextBlockObject("plain_text", "Share here", false, false), nil))
	now := strconv.FormatInt(time.Now().Unix(), 10)
	return []slack.Block{
		slack.NewHeaderBlock(slack.NewTextBlockObject("plain_text", "申請單 #42 · 新增 VPN 帳號 vpn-01", true, false)),
		slack.NewSectionBlock(text("總公司撥入伺服器新增一個帳號；線上 *7 人不受影響*；失敗會自動還原。"), nil, slack.NewAccessory(more)),
		slack.NewSectionBlock(nil, []*slack.TextBlockObject{
			text("*持有人*\n<@USTAFF>"), text("*申請人*\n<@UOP>"), text("*據點*\n`hq` 總公司"),
			text("*期限*\n<!date^" + now + "^{date_short_pretty} {time}|soon>"),
		}, nil),
		slack.NewContextBlock("ctx", text(":hourglass_flowing_sand: 待核准 · 需要 1 位核准人 · <https://example.com/audit|audit trail>")),
		slack.NewActionBlock("act", approve, deny),
	}
}

func settings() slack.ModalViewRequest {
	plain := func(s string) *slack.TextBlockObject { return slack.NewTextBlockObject("plain_text", s, false, false) }
	name := slack.NewInputBlock("name", plain("帳號名稱"), plain("Letters, digits and dashes."), slack.NewPlainTextInputBlockElement(plain("vpn-01"), "name"))
	site := slack.NewInputBlock("site", plain("Site"), nil, slack.NewOptionsSelectBlockElement("static_select", plain("Choose a site"), "site",
		slack.NewOptionBlockObject("hq", plain("總公司 hq"), nil), slack.NewOptionBlockObject("fengshan", plain("鳳山 fengshan"), nil)))
	days := slack.NewInputBlock("days", plain("How long"), nil, slack.NewRadioButtonsBlockElement("days",
		slack.NewOptionBlockObject("30", plain("30 days"), nil), slack.NewOptionBlockObject("90", plain("90 days"), nil)))
	note := slack.NewInputBlock("note", plain("Note"), nil, &slack.PlainTextInputBlockElement{Type: slack.METPlainTextInput, ActionID: "note", Multiline: true})
	note.Optional = true
	v := modal("New account", section("The account begins when it is *approved*."), name, site, days, note)
	v.Close = plain("Cancel")
	return v
}

// app answers the story's commands and clicks as a small bot would.
func app(api *slack.Client, sm *socketmode.Client, e socketmode.Event) {
	switch e.Type {
	case socketmode.EventTypeSlashCommand:
		cmd := e.Data.(slack.SlashCommand)
		_ = sm.Ack(*e.Request)
		switch cmd.Text {
		case "form":
			_, _ = api.OpenView(cmd.TriggerID, settings())
		default:
			_, _ = api.PostEphemeral(cmd.ChannelID, cmd.UserID, slack.MsgOptionText("preview", false), slack.MsgOptionBlocks(preview()...))
		}
	case socketmode.EventTypeInteractive:
		ic := e.Data.(slack.InteractionCallback)
		if ic.Type == slack.InteractionTypeViewSubmission {
			if v := ic.View.State.Values["name"]["name"].Value; len(v) < 4 {
				_ = sm.Ack(*e.Request, slack.NewErrorsViewSubmissionResponse(map[string]string{"name": "「" + v + "」太短：至少四個字元。"}))
				return
			}
			_ = sm.Ack(*e.Request)
			return
		}
		_ = sm.Ack(*e.Request)
		a := ic.ActionCallback.BlockActions[0]
		switch a.ActionID {
		case "submit":
			_, _, _ = api.PostMessage(ic.Channel.ID, slack.MsgOptionText("Request #42", false), slack.MsgOptionBlocks(card()...))
			_, _, _ = api.PostMessage(ic.Channel.ID, slack.MsgOptionReplaceOriginal(ic.ResponseURL), slack.MsgOptionText("Submitted as request #42.", false))
		case "approve":
			_, _, _, _ = api.UpdateMessage(ic.Channel.ID, ic.Message.Timestamp, slack.MsgOptionText("Approved", false),
				slack.MsgOptionBlocks(section(":white_check_mark: *Request #42 approved* by <@"+ic.User.ID+">")))
		}
	}
}

func preview() []slack.Block {
	submit := button("submit", "1").WithStyle(slack.StylePrimary)
	submit.Text.Text = "Submit"
	discard := button("discard", "1")
	discard.Text.Text = "Discard"
	table := slack.NewTableBlock("plan")
	for _, r := range [][]string{{"Router", "Row", "Before", "After"}, {"hq-1", "/ppp/secret", "–", "name=vpn-01 profile=l2tp"}, {"hq-1", "comment", "–", "王美玲 [vpnbot 42.1]"}} {
		var cells []slack.TableCell
		for _, s := range r {
			cells = append(cells, slack.NewTableRawTextCell(s))
		}
		table.AddRow(cells...)
	}
	return []slack.Block{
		section("*Preview* of a new account `vpn-01` at *hq*\n>One row is added, nothing else changes."),
		table,
		slack.NewActionBlock("draft", submit, discard),
	}
}
