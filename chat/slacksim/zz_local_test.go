package slacksim_test

import (
	"context"
	"net"
	"os"
	"testing"

	"github.com/slack-go/slack"

	"vpnbot/chat/slacksim"
)

// TestServe serves the story for a look at the page: SLACKSIM_SERVE=host:port.
func TestServe(t *testing.T) {
	addr := os.Getenv("SLACKSIM_SERVE")
	if addr == "" {
		t.Skip("SLACKSIM_SERVE names no address")
	}
	s, err := slacksim.New(story())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	defer func() { _ = s.Close() }()
	api := connect(t, s, "http://"+addr, app)
	_, _ = s.Say("UOP", "COPS", "大家早，今天要幫 @mei 開帳號 :wave:")
	_ = s.Command(t.Context(), "UOP", "COPS", "/vpn adduser vpn-01 --for @mei --site hq")
	_, _, _ = api.PostMessage("COPS", slack.MsgOptionText("Request #42", false), slack.MsgOptionBlocks(card()...))
	_, _, _ = api.PostMessage("CAUDIT", slack.MsgOptionText("`req 42` *pending* → approved", false))
	_ = s.Command(t.Context(), "UAP", "COPS", "/vpn form")
	_, _, _ = api.PostMessage("USTAFF", slack.MsgOptionText("您的帳號已核准。", false))
	_, _, _ = api.PostMessage("CJOINT", slack.MsgOptionText("Shared news", false))
	<-context.Background().Done()
}
