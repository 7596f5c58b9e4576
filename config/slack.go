package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"vpnbot/change"
)

var (
	slackUser    = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)
	slackTeam    = regexp.MustCompile(`^[TE][A-Z0-9]{2,20}$`)
	slackChannel = regexp.MustCompile(`^[CG][A-Z0-9]{2,20}$`)
)

func (c *Config) readSlack(v value) {
	f := v.object("team", "api", "bot-token", "app-token", "signing-secret")
	team, ok := f["team"].required("the workspace's team ID, such as T0123ABCD")
	if ok && !slackTeam.MatchString(team) {
		f["team"].fail("expected the workspace's team ID, such as T0123ABCD")
	}
	c.Slack = Slack{
		Team: team, API: f["api"].apiURL(),
		BotToken: f["bot-token"].source(false), AppToken: f["app-token"].source(false),
	}
	if f["signing-secret"].source(false) != "" {
		c.doc.warnAt(f["signing-secret"].path, "is not used: in Socket Mode Slack signs nothing, and the bot answers no HTTP requests")
	}
}

// apiURL reads the base of Slack's API. Tokens go there, so plain HTTP is for
// loopback only.
func (v value) apiURL() string {
	const expected = "expected a base URL such as https://slack.com/api/, ending in /"
	s, ok := v.text("a URL")
	if !ok {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !strings.HasSuffix(u.Path, "/"):
		v.fail(expected)
	case u.Scheme == "https":
		return s
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return s
	case u.Scheme == "http":
		v.fail("plain HTTP would send the tokens in clear: expected https, or http to a loopback address")
	default:
		v.fail(expected)
	}
	return ""
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

func (c *Config) readChannels(v value) {
	c.Channels = map[change.Channel]string{}
	c.ChannelLanguages = map[change.Channel]string{}
	f := v.object(string(change.ChannelApprovals), string(change.ChannelAudit))
	for _, ch := range []change.Channel{change.ChannelApprovals, change.ChannelAudit} {
		c.readChannel(ch, f[string(ch)])
	}
}

// readChannel accepts an ID, or a mapping with id and language.
func (c *Config) readChannel(ch change.Channel, v value) {
	const expected = "a Slack channel ID such as C0123ABCD"
	c.ChannelLanguages[ch] = c.Language
	if _, isMap := v.pairs(); isMap {
		f := v.object("id", "language")
		c.ChannelLanguages[ch] = f["language"].language(c.Language)
		v = f["id"]
	}
	id, ok := v.required(expected)
	if ok && !slackChannel.MatchString(id) {
		v.fail("expected " + expected)
	}
	c.Channels[ch] = id
}
