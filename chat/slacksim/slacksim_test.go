package slacksim_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"vpnbot/chat/slacksim"
)

const (
	botToken = "xoxb-test-bot"
	appToken = "xapp-test-app"
)

func options() slacksim.Options {
	return slacksim.Options{
		Team:     slacksim.Team{ID: "T1", Name: "Example", Domain: "example"},
		Bot:      slacksim.Bot{AppID: "A1", UserID: "UBOT", BotID: "B1", Name: "vpnbot"},
		BotToken: botToken, AppToken: appToken,
		Users: []slacksim.User{
			{ID: "UOP", Handle: "olive", Name: "Olive Operator", Locale: "zh-TW", TZ: "Asia/Taipei"},
			{ID: "UAP", Handle: "ann.approver", Name: "Ann Approver"},
			{ID: "UGUEST", Handle: "gus", Name: "Gus Guest", Restricted: true},
			{ID: "UEXT", Handle: "eve", Name: "Eve Elsewhere", TeamID: "T2", TeamName: "Other Co"},
			{ID: "UGONE", Handle: "gone", Name: "Gone", Deleted: true},
		},
		Channels: []slacksim.Channel{
			{ID: "COPS", Name: "vpn-ops"},
			{ID: "CAUDIT", Name: "vpn-audit", Private: true, Members: []string{"UOP", "UAP"}},
			{ID: "CSHARED", Name: "joint", Shared: true, Members: []string{"UOP", "UAP", "UGUEST", "UEXT"}},
			{ID: "CSECRET", Name: "no-bots", Private: true, Members: []string{"UOP"}, WithoutBot: true},
			{ID: "COPEN", Name: "open", Members: []string{"UOP"}, WithoutBot: true},
		},
		Groups:   []slacksim.Group{{ID: "S1", Handle: "ops", Name: "Operators", Users: []string{"UOP"}}},
		Commands: []slacksim.Command{{Name: "/vpn", Description: "VPN changes", UsageHint: "help", Escape: true}},
		Events:   []string{"message.im", "app_home_opened"},
	}
}

// start serves a workspace on loopback.
func start(t *testing.T, opts slacksim.Options) (*slacksim.Server, string) {
	t.Helper()
	s, err := slacksim.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s, serve(t, s)
}

func serve(t *testing.T, s *slacksim.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// client is an SDK's client of the workspace.
func client(base string) *slack.Client {
	return slack.New(botToken, slack.OptionAppLevelToken(appToken), slack.OptionAPIURL(base+"/api/"))
}

// connect runs an SDK's Socket Mode client and hands its events to handle.
func connect(t *testing.T, s *slacksim.Server, base string, handle func(*slack.Client, *socketmode.Client, socketmode.Event)) *slack.Client {
	t.Helper()
	api := client(base)
	sm := socketmode.New(api, socketmode.OptionLog(log.New(io.Discard, "", 0)))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{}, 2)
	go func() { _ = sm.RunContext(ctx); ended <- struct{}{} }()
	go func() {
		defer func() { ended <- struct{}{} }()
		for {
			select {
			case e := <-sm.Events:
				handle(api, sm, e)
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended; <-ended })
	wait(t, s, func() bool { return s.Connections() > 0 })
	return api
}

func wait(t *testing.T, s *slacksim.Server, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Wait(ctx, cond); err != nil {
		t.Fatalf("waiting: %v", err)
	}
}

func last(t *testing.T, s *slacksim.Server, user, channel string) slacksim.Message {
	t.Helper()
	l := s.Messages(user, channel)
	if len(l) == 0 {
		t.Fatalf("%s sees no message in %s", user, channel)
	}
	return l[len(l)-1]
}

// code is the Slack error code in an SDK's error.
func code(err error) string {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return e.Err
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

func modal(title string, blocks ...slack.Block) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, Title: slack.NewTextBlockObject("plain_text", title, false, false),
		Submit: slack.NewTextBlockObject("plain_text", "Send", false, false),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

func button(id, value string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(id, value, slack.NewTextBlockObject("plain_text", "Press", true, false))
}

func section(s string) *slack.SectionBlock {
	return slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", s, false, false), nil, nil)
}

// Ensure an SDK gets a command, acknowledges it, posts a card, and gets the
// click on the card.
func TestSocketMode_CommandAndClick(t *testing.T) {
	s, base := start(t, options())
	got := make(chan slack.SlashCommand, 1)
	clicks := make(chan slack.InteractionCallback, 1)
	connect(t, s, base, func(api *slack.Client, sm *socketmode.Client, e socketmode.Event) {
		switch e.Type {
		case socketmode.EventTypeSlashCommand:
			cmd := e.Data.(slack.SlashCommand)
			_ = sm.Ack(*e.Request)
			got <- cmd
			_, _, err := api.PostMessage(cmd.ChannelID, slack.MsgOptionText("card", false), slack.MsgOptionBlocks(
				section("*A card* for <@"+cmd.UserID+">"), slack.NewActionBlock("act", button("approve", "42"), button("deny", "42"))))
			if err != nil {
				t.Error(err)
			}
		case socketmode.EventTypeInteractive:
			_ = sm.Ack(*e.Request)
			clicks <- e.Data.(slack.InteractionCallback)
		}
	})
	if err := s.Command(t.Context(), "UOP", "COPS", "/vpn adduser vpn-01 --for @ann.approver, in #vpn-ops & <b>"); err != nil {
		t.Fatal(err)
	}
	cmd := <-got
	if want := "adduser vpn-01 --for <@UAP>, in <#COPS|vpn-ops> &amp; &lt;b&gt;"; cmd.Text != want {
		t.Errorf("text: got %q, want %q", cmd.Text, want)
	}
	if cmd.TeamID != "T1" || cmd.UserID != "UOP" || cmd.ChannelID != "COPS" || cmd.TriggerID == "" || cmd.ResponseURL == "" {
		t.Errorf("command: got %+v", cmd)
	}
	wait(t, s, func() bool { return len(s.Messages("UAP", "COPS")) == 1 })
	card := last(t, s, "UAP", "COPS")
	if err := s.Click(t.Context(), "UAP", card.Ref(), "approve", ""); err != nil {
		t.Fatal(err)
	}
	ic := <-clicks
	a := ic.ActionCallback.BlockActions[0]
	if ic.User.ID != "UAP" || ic.User.TeamID != "T1" || ic.Container.MessageTs != card.TS || a.ActionID != "approve" || a.Value != "42" || a.BlockID != "act" {
		t.Errorf("click: got %+v, action %+v", ic, a)
	}
}

// Ensure an SDK opens a modal, refuses what was entered, and gets the rest.
func TestSocketMode_Modal(t *testing.T) {
	s, base := start(t, story())
	connect(t, s, base, app)
	if err := s.Command(t.Context(), "UOP", "COPS", "/vpn form"); err != nil {
		t.Fatal(err)
	}
	wait(t, s, func() bool { return len(s.Views("UOP")) == 1 })
	v := s.Views("UOP")[0]
	enter := map[string]string{"name": "ab", "site": "hq", "days": "90"}
	err := s.Submit(t.Context(), "UOP", v.ID, slacksim.Enter(enter))
	if e, ok := errors.AsType[*slacksim.InputErrors](err); !ok || !strings.Contains(e.ByBlock["name"], "太短") {
		t.Errorf("got %v", err)
	}
	enter["name"] = "vpn-01"
	if err := s.Submit(t.Context(), "UOP", v.ID, slacksim.Enter(enter)); err != nil {
		t.Fatal(err)
	}
	if got := len(s.Views("UOP")); got != 0 {
		t.Errorf("views: got %d, want none", got)
	}
}

// Ensure an SDK reconnects over a refresh and then gets commands again.
func TestSocketMode_Refresh(t *testing.T) {
	s, base := start(t, options())
	connect(t, s, base, func(_ *slack.Client, sm *socketmode.Client, e socketmode.Event) {
		if e.Request != nil && e.Request.EnvelopeID != "" {
			_ = sm.Ack(*e.Request)
		}
	})
	s.Disconnect(slacksim.ReasonRefresh)
	wait(t, s, func() bool { return s.Opened() == 2 && s.Connections() == 1 })
	if err := s.Command(t.Context(), "UOP", "COPS", "/vpn help"); err != nil {
		t.Error(err)
	}
}

// Ensure an SDK meets Slack's errors as its own.
func TestSDK_Errors(t *testing.T) {
	_, base := start(t, options())
	api := client(base)
	ts, err := api.PostEphemeral("COPS", "UOP", slack.MsgOptionText("psst", false))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := api.UpdateMessage("COPS", ts, slack.MsgOptionText("x", false)); code(err) != "message_not_found" {
		t.Errorf("updating an ephemeral message: got %v", err)
	}
	if _, err := api.OpenView("1.2.c", modal("x")); code(err) != "invalid_trigger_id" {
		t.Errorf("opening with a made-up trigger: got %v", err)
	}
	u, err := api.GetUserInfo("UEXT")
	if err != nil || u.TeamID != "T2" {
		t.Errorf("user: got %+v, %v", u, err)
	}
	im, _, _, err := api.OpenConversation(&slack.OpenConversationParameters{Users: []string{"UOP"}})
	if err != nil || im.ID == "" {
		t.Errorf("direct message: got %+v, %v", im, err)
	}
	members, err := api.GetUserGroupMembers("S1")
	if err != nil || len(members) != 1 {
		t.Errorf("group: got %v, %v", members, err)
	}
}
