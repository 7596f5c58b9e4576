package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"vpnbot/change/secret"
	"vpnbot/chat"
	"vpnbot/config"
)

// slackAPI is the base of Slack's API, "" for Slack's own.
func slackAPI(cfg *config.Config) (string, error) {
	base := cfg.Slack.API
	if base == "" {
		base = os.Getenv("SLACK_API_URL")
	}
	if base == "" {
		return "", nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || !strings.HasSuffix(u.Path, "/") || (u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname()))) {
		return "", usageError{errAPI}
	}
	return base, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// newChat connects the system to Slack. It opens nothing before Run.
func newChat(s *system, o options) (*chat.Chat, error) {
	cfg := s.cfg
	bot, err := token(cfg.Slack.BotToken, "SLACK_BOT_TOKEN")
	if err != nil {
		return nil, err
	}
	app, err := token(cfg.Slack.AppToken, "SLACK_APP_TOKEN")
	if err != nil {
		return nil, err
	}
	api, err := slackAPI(cfg)
	if err != nil {
		return nil, err
	}
	return chat.New(chat.Options{
		BotToken: bot, AppToken: app, API: api, Dial: o.dialSlack, Ledger: s.store, Commands: s.commands, People: s.people,
		Catalog: s.catalog, Key: s.keys.sealing, Channels: cfg.Channels, ChannelLanguages: cfg.ChannelLanguages,
		Language: cfg.Language, Languages: cfg.Languages, Location: cfg.Location, Team: cfg.Slack.Team, Log: o.log,
	})
}

// slackIdentity is what Slack says of a bot token.
type slackIdentity struct {
	OK     bool   `json:"ok"`
	Error  string `json:"error"`
	Team   string `json:"team"`
	TeamID string `json:"team_id"`
	User   string `json:"user"`
}

// checkSlack presents the bot token and returns whose it is.
func checkSlack(ctx context.Context, cfg *config.Config) (slackIdentity, error) {
	bot, err := token(cfg.Slack.BotToken, "SLACK_BOT_TOKEN")
	if err != nil {
		return slackIdentity{}, err
	}
	base, err := slackAPI(cfg)
	if err != nil {
		return slackIdentity{}, err
	}
	if base == "" {
		base = "https://slack.com/api/"
	}
	who, err := authTest(ctx, base, bot)
	switch {
	case err != nil:
		return who, fmt.Errorf("asking Slack: %w", err)
	case !who.OK:
		return who, fmt.Errorf("slack refused the bot token: %.60q", who.Error)
	case who.TeamID != cfg.Slack.Team:
		return who, errors.New("the bot token belongs to another team than slack.team")
	}
	return who, nil
}

func authTest(ctx context.Context, base string, bot secret.Secret) (who slackIdentity, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"auth.test", nil)
	if err != nil {
		return who, err
	}
	req.Header.Set("Authorization", "Bearer "+bot.Expose())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return who, err
	}
	defer func() { _ = resp.Body.Close() }()
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&who)
	return who, err
}
