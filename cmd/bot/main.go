package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"vpnbot/commands/text"
	"vpnbot/config"
)

// Exit codes.
const (
	done   = 0
	failed = 1
	misuse = 2
)

// cli is the command line. The commands of stand-ins are not part of a release.
type cli struct {
	standIns

	Serve    serveCommand    `cmd:"" help:"Run the bot."`
	Check    checkCommand    `cmd:"" help:"Check the configuration; with --live, log in to every router and to Slack."`
	Ask      askCommand      `cmd:"" help:"Ask a reading verb from the terminal, such as \"users hq\"."`
	Audit    auditCommands   `cmd:"" help:"Read and verify the audit trail."`
	Import   importCommand   `cmd:"" help:"Take in definitions that the ledger lacks."`
	Export   exportCommand   `cmd:"" help:"Print the definitions of the ledger, without secrets."`
	Probe    probeCommand    `cmd:"" help:"Try on a spare router what is assumed of all, and print what it did."`
	Manifest manifestCommand `cmd:"" help:"Print the manifest of the Slack app."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// environment is what a command works with.
type environment struct {
	ctx            context.Context
	stdout, stderr io.Writer
}

// usageError is a wish that the command line or the configuration must be
// changed for.
type usageError struct{ error }

// exitError ends the program with a code when everything has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	exit := -1
	parser, err := kong.New(&cli{}, kong.Name("bot"), kong.Description("VPN changes by request and approval."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exit = code }))
	if err != nil {
		fmt.Fprintln(stderr, "bot:", err)
		return misuse
	}
	parsed, err := parser.Parse(args)
	switch {
	case exit >= 0: // help was printed
		return exit
	case err != nil:
		fmt.Fprintf(stderr, "bot: %v\nTry \"bot --help\".\n", err)
		return misuse
	}
	return report(stderr, parsed.Run(&environment{ctx: ctx, stdout: stdout, stderr: stderr}))
}

// report tells what went wrong and returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return done
	}
	if code, ok := errors.AsType[exitError](err); ok {
		return int(code)
	}
	if mistakes := config.Errors(err); len(mistakes) > 0 {
		for _, m := range mistakes {
			fmt.Fprintln(stderr, m)
		}
		return misuse
	}
	fmt.Fprintln(stderr, "bot:", err)
	tell(stderr, err)
	if _, ok := errors.AsType[usageError](err); ok {
		return misuse
	}
	return failed
}

// tell adds the hint that an error has for people.
func tell(w io.Writer, err error) {
	catalog, cerr := text.New()
	if cerr != nil {
		return
	}
	if _, hint, known := text.Explain(err); known && !hint.IsZero() {
		fmt.Fprintln(w, catalog.Say(text.English, hint, text.Style{}))
	}
}
