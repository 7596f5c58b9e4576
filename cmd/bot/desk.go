package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vpnbot/change"
	"vpnbot/change/trail"
	"vpnbot/commands"
	"vpnbot/commands/text"
	"vpnbot/config"
	"vpnbot/store"
)

// What a terminal can want of a ledger.
const (
	orderAsk    = "ask"
	orderList   = "audit list"
	orderVerify = "audit verify"
	orderTrail  = "audit export"
	orderImport = "import"
	orderExport = "export"
)

// order is one command of a terminal, as it goes over the socket.
type order struct {
	Do         string `json:"do"`
	Line       string `json:"line,omitempty"` // of ask
	JSON       bool   `json:"json,omitempty"`
	Limit      int    `json:"limit,omitempty"`
	Request    int64  `json:"request,omitempty"`
	Checkpoint []byte `json:"checkpoint,omitempty"`
	File       string `json:"file,omitempty"` // absolute name of what Data holds
	Data       []byte `json:"data,omitempty"`
	UID        int    `json:"-"` // who asks, as the kernel says
}

// outcome is what the terminal prints, and its exit code.
type outcome struct {
	Out  string `json:"out,omitempty"`
	Err  string `json:"err,omitempty"`
	Code int    `json:"code"`
}

// perform carries out an order. What it says is the same whether the running bot
// says it or a command on its own.
func (d *desk) perform(ctx context.Context, o order) outcome {
	var out, problems bytes.Buffer
	err := d.dispatch(ctx, o, &out)
	code := report(&problems, err)
	return outcome{Out: out.String(), Err: problems.String(), Code: code}
}

func (d *desk) dispatch(ctx context.Context, o order, out io.Writer) error {
	switch o.Do {
	case orderAsk:
		return d.ask(ctx, o, out)
	case orderList:
		return d.list(ctx, o, out)
	case orderVerify:
		return d.verify(ctx, o, out)
	case orderTrail:
		return d.trail(ctx, out)
	case orderImport:
		return d.take(ctx, o, out)
	case orderExport:
		return d.export(ctx, out)
	}
	return usageError{errors.New("the running bot does not know this command: it is of another version")}
}

// terminal is whoever can open the ledger, or the socket beside it.
func terminal() change.Person {
	return change.Person{ID: "terminal", Name: "terminal", Role: change.Viewer}
}

// ask answers a reading verb.
func (d *desk) ask(ctx context.Context, o order, out io.Writer) error {
	say := func(t change.Text) string { return d.catalog.Say(d.cfg.Language, t, d.style()) }
	who := commands.Caller{Actor: change.Actor{Person: terminal()}, Language: d.cfg.Language, Terminal: true}
	cmd, perr := d.commands.Parse(o.Line)
	reply, err := d.commands.Run(ctx, who, cmd, "")
	if err != nil {
		why, hint, _ := text.Explain(err)
		err = said{strings.TrimSpace(say(why) + "\n" + say(hint)), err}
		if perr != nil {
			return usageError{err}
		}
		return err
	}
	if !o.JSON {
		_, err = io.WriteString(out, commands.Plain(reply, say))
		return err
	}
	doc, err := commands.JSON(reply, say)
	if err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s\n", bytes.TrimSpace(doc))
	return err
}

// said is an error in the words of the catalog.
type said struct {
	words string
	cause error
}

// Error returns the words.
func (s said) Error() string { return s.words }

func (d *desk) style() text.Style {
	return text.Style{
		Time: func(t time.Time) string { return t.In(d.cfg.Location).Format("2006-01-02 15:04") },
		Person: func(id change.PersonID) string {
			if p, ok := d.people.Person(id); ok && p.Name != "" {
				return p.Name
			}
			return string(id)
		},
	}
}

// list prints the newest events, one a line, the oldest of them first.
func (d *desk) list(ctx context.Context, o order, out io.Writer) error {
	events, err := d.store.Events(ctx, change.EventFilter{Request: o.Request, Limit: o.Limit, Newest: true})
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	for _, e := range slices.Backward(events) {
		if err := printEvent(out, e, o.JSON); err != nil {
			return err
		}
	}
	return nil
}

func printEvent(out io.Writer, r change.Recorded, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	e := r.Event
	subject := []string{}
	if e.Request != 0 {
		subject = append(subject, fmt.Sprintf("#%d", e.Request))
	}
	if e.From != e.To {
		subject = append(subject, strings.TrimPrefix(string(e.From)+" → ", " → ")+string(e.To))
	}
	for _, s := range []string{e.Site, e.Router} {
		if s != "" {
			subject = append(subject, s)
		}
	}
	line := fmt.Sprintf("%6d  %s  %-20s %-16s %s", r.Seq, e.At.UTC().Format(time.RFC3339), e.Kind, e.Actor, strings.Join(subject, " "))
	_, err := fmt.Fprintln(out, strings.TrimRight(line, " "))
	return err
}

// verify checks the whole trail and says how far it can be trusted.
func (d *desk) verify(ctx context.Context, o order, out io.Writer) error {
	v, err := d.store.Verify(ctx, store.Proof{VerifierKey: d.verifier, External: o.Checkpoint})
	if err != nil {
		return fmt.Errorf("verifying the trail: %w", err)
	}
	if o.JSON {
		return json.NewEncoder(out).Encode(v)
	}
	fmt.Fprintf(out, "The trail holds: %d events, head %s, %d checkpoints.\n", v.Head.Size, v.Head.Hash, v.Checkpoints)
	if !v.Signed {
		fmt.Fprintln(out, "Their signatures were not checked: the checkpoint key cannot be read here.")
	}
	if o.Checkpoint == nil {
		_, err = fmt.Fprintln(out, "Whoever can write the ledger could have written all of it anew: give --checkpoint with one that was kept elsewhere.")
		return err
	}
	_, err = fmt.Fprintf(out, "The checkpoint speaks for the first %d events; later ones are as safe as this host.\n", v.Attested)
	return err
}

// trail prints every event with its hash, one JSON document a line.
func (d *desk) trail(ctx context.Context, out io.Writer) error {
	to := json.NewEncoder(out)
	records := func(yield func(trail.Stored, error) bool) { d.store.Trail(ctx)(yield) }
	_, err := trail.Verify(records, func(r trail.Record) error { return to.Encode(r) })
	return err
}

// take imports the definitions that the ledger lacks and says what it did.
func (d *desk) take(ctx context.Context, o order, out io.Writer) error {
	held, err := d.store.Definitions(ctx)
	if err != nil {
		return fmt.Errorf("reading definitions: %w", err)
	}
	list, err := config.ParseDefinitions(o.File, o.Data, d.cfg.Estate, held)
	if err != nil {
		return err
	}
	by := fmt.Sprintf("uid %d", o.UID)
	for _, im := range list {
		taken, err := importDefinition(ctx, d.store, d.keys.sealing, im, by)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %w", filepath.Base(o.File), im.Line, im.Name, err)
		}
		word := "imported"
		if !taken {
			word = "kept: the ledger has a definition"
		}
		if _, err := fmt.Fprintf(out, "%s %s: %s\n", im.Kind, im.Name, word); err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) export(ctx context.Context, out io.Writer) error {
	defs, err := d.store.Definitions(ctx)
	if err != nil {
		return fmt.Errorf("reading definitions: %w", err)
	}
	doc, err := config.FormatDefinitions(defs)
	if err != nil {
		return err
	}
	_, err = out.Write(doc)
	return err
}
