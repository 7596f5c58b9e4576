//go:build !nodemo

package main

// standIns are the commands that simulate the world around the bot.
type standIns struct {
	Demo demoCommand `cmd:"" help:"Run the whole product on loopback, with simulated routers and a stand-in for Slack."`
	Sim  simCommand  `cmd:"" help:"Run simulated routers for any API client."`
}
