package commands

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"vpnbot/apply"
	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/commands/text"
	"vpnbot/vpn"
)

// Ledger is what commands need of the ledger.
type Ledger interface {
	Commit(ctx context.Context, m change.Move) (change.Receipt, error)
	RequestReader
	AccountReader
	Events(ctx context.Context, f change.EventFilter) ([]change.Recorded, error)
	Checkpoint(ctx context.Context) (change.Checkpoint, error)
	Definition(ctx context.Context, kind, name string) (change.Definition, error)
	Definitions(ctx context.Context) ([]change.Definition, error)
	DefinitionVersion(ctx context.Context, kind, name string) (int, error)
	DefinitionAt(ctx context.Context, ref change.DefinitionRef) (change.Definition, error)
	Preference(ctx context.Context, p change.PersonID) (change.Preference, error)
}

// RequestReader reads requests.
type RequestReader interface {
	Request(ctx context.Context, id string) (change.Request, error)
	RequestByNumber(ctx context.Context, n int64) (change.Request, error)
	Requests(ctx context.Context, f change.Filter) ([]change.Request, error)
	Journal(ctx context.Context, id string) ([]change.Entry, error)
}

// AccountReader reads accounts and the windows in which credentials open.
type AccountReader interface {
	Account(ctx context.Context, site, name string) (change.Account, error)
	Accounts(ctx context.Context, site string) ([]change.Account, error)
	AccountsOf(ctx context.Context, p change.PersonID) ([]change.Account, error)
	Reveal(ctx context.Context, id string) (change.Reveal, error)
	Reveals(ctx context.Context) ([]change.Reveal, error)
}

// Routers reads routers.
type Routers interface {
	Snapshot(ctx context.Context, router string, menus ...string) (change.Snapshot, error)
}

// People tells who is who.
type People interface {
	// Slack returns the person behind a Slack user: an entry of the
	// configuration, or one without role.
	Slack(id change.SlackID) change.Person
	Person(id change.PersonID) (change.Person, bool)
}

// Members refuses, with an error that explains itself, Slack users who can own
// no account: bots, deactivated people, people of another organisation.
type Members interface {
	Member(ctx context.Context, id change.SlackID) error
}

// Locks tells which routers are being written.
type Locks interface {
	Locks() []apply.Lock
}

// Options configure a Service.
type Options struct {
	Ledger   Ledger
	Routers  Routers
	People   People
	Members  Members // nil: nobody is refused
	Locks    Locks   // nil: none
	Samples  Samples // nil: nobody polls
	Estate   vpn.Estate
	Rules    change.Rules
	Key      secret.Key
	Location *time.Location // where dates that people type begin
	// Unchecked lets plans come to be that are foreseen to fail, for tests of what
	// happens then. Nothing that people can configure or say sets it.
	Unchecked bool
	Log       *slog.Logger
}

func (o Options) validate() error {
	if o.Ledger == nil || o.Routers == nil || o.People == nil || o.Location == nil || o.Log == nil {
		return errors.New("commands: an option is missing")
	}
	return nil
}

// Service carries out commands, presses and forms.
type Service struct{ o Options }

// New returns a Service.
func New(o Options) (*Service, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Service{o: o}, nil
}

// Caller is who wants something, and from where.
type Caller struct {
	Actor    change.Actor `json:"actor"`
	Language string       `json:"language"`
	Guest    bool         `json:"guest,omitempty"`    // of the workspace
	Channel  string       `json:"channel,omitempty"`  // where the answer appears
	Terminal bool         `json:"terminal,omitempty"` // at the bot's host
}

// call is one wish under way. What is learnt about its subject is noted for the
// event of a refusal.
type call struct {
	Caller
	Command
	now     time.Time
	key     string // of the inbound delivery; "" none
	done    bool   // the key stands in a Move that was committed
	site    string
	place   *place // what a place in the words names
	request int64
}

// Parse reads a command line like the function Parse, and knows the names of
// sites and tunnels: a word that names none is not kept.
func (s *Service) Parse(line string) (Command, error) {
	cmd, err := Parse(line)
	if err != nil {
		return cmd, err
	}
	if err = s.rename(cmd.Args); err == nil {
		return cmd, nil
	}
	problem, ok := errors.AsType[*ParseError](err)
	if !ok {
		return cmd, nil // the ledger cannot be read: running it says so
	}
	return Command{Verb: cmd.Verb, Problem: problem}, problem
}

// rename puts the one name of a site or tunnel in place of what was typed.
func (s *Service) rename(args map[string]string) error {
	for _, name := range []string{"site", argFar} {
		if word, ok := args[name]; ok {
			site, err := s.siteNamed(word)
			if err != nil {
				return err
			}
			args[name] = site.Name
		}
	}
	if word, ok := args["place"]; ok {
		p, err := s.placeNamed(context.Background(), word)
		if err != nil {
			return err
		}
		args["place"] = p.name()
	}
	return s.renameSettings(args)
}

// siteNamed finds a site by what a person typed.
func (s *Service) siteNamed(word string) (vpn.Site, error) {
	if site, ok := s.o.Estate.Site(word); ok {
		return site, nil
	}
	problem := bad("parse.site")
	if near := s.o.Estate.Nearest(word); near != "" {
		problem.Hint = change.T("parse.nearest", "near", near)
	}
	return vpn.Site{}, problem
}

// Run carries out cmd for who. key names the inbound delivery that brought it,
// "" when there is none; it is marked done together with whatever the command
// writes. An error is for text.Explain; it has been recorded.
func (s *Service) Run(ctx context.Context, who Caller, cmd Command, key string) (Reply, error) {
	c := &call{Caller: who, Command: cmd, now: time.Now(), key: key}
	reply, err := s.run(ctx, c)
	return reply, s.settle(ctx, c, err)
}

func (s *Service) run(ctx context.Context, c *call) (Reply, error) {
	if c.Problem != nil {
		return Reply{}, c.Problem
	}
	verb, ok := lookup(c.Verb)
	if !ok {
		return Reply{}, bad("parse.verb")
	}
	if err := mayUse(verb, c.Caller); err != nil {
		return Reply{}, err
	}
	if word, named := c.Args["site"]; named {
		site, err := s.siteNamed(word)
		if err != nil {
			return Reply{}, err
		}
		c.site = site.Name
		if !c.Actor.Person.May(verb.Need, site.Name) {
			return Reply{}, change.ErrNotAllowed
		}
	}
	if word, named := c.Args["place"]; named {
		p, err := s.placed(ctx, c, word, verb.Need)
		if err != nil {
			return Reply{}, err
		}
		c.place = &p
	}
	return verb.run(s, ctx, c)
}

func mayUse(verb Verb, who Caller) error {
	switch {
	case verb.allows(who):
		return nil
	case who.Guest:
		return bad("refuse.guest")
	case who.Terminal:
		return bad("refuse.terminal")
	}
	return change.ErrNotAllowed
}

// settle ends a call: a refusal becomes an event, and the delivery is done. It
// returns err, joined with what kept it from being recorded.
func (s *Service) settle(ctx context.Context, c *call, err error) error {
	if cerr := s.record(ctx, c, err); cerr != nil {
		return errors.Join(err, cerr)
	}
	return err
}

// record notes how a call ended. Only a delivery that the bot's own stop
// interrupted stays for the next start.
func (s *Service) record(ctx context.Context, c *call, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, change.ErrDone) {
		return nil
	}
	m := change.Move{}
	if err != nil {
		sentence, _, known := text.Explain(err)
		if !known {
			s.o.Log.Error("command", "verb", c.Verb, "actor", c.Actor.Person.ID, "reference", text.Reference(err), "err", err)
		}
		m.Events = []change.Event{c.refusal(sentence)}
	}
	if c.key != "" && !c.done {
		m.Done = []string{c.key}
	}
	if m.Events == nil && m.Done == nil {
		return nil
	}
	// The answer may have taken longer than its caller waits; it is recorded all
	// the same.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	_, err = s.o.Ledger.Commit(ctx, m)
	return err
}

// refusal is the event of a wish that is not granted: which verb and why, never
// the words that were typed.
func (c *call) refusal(why change.Text) change.Event {
	facts := map[string]string{"why": why.ID}
	if c.Verb != "" {
		facts["verb"] = c.Verb
	}
	return change.Event{
		At: c.now, Kind: change.EventRefused, Actor: c.Actor.Person.ID, Slack: c.Actor.Slack,
		Request: c.request, Site: c.site, Facts: facts,
	}
}

// Refuse records that who was refused before a command could be read from them,
// for example because they belong to another organisation. what names the wish.
func (s *Service) Refuse(ctx context.Context, who Caller, what string, why error, key string) error {
	c := &call{Caller: who, Command: Command{Verb: what}, now: time.Now(), key: key}
	return s.record(ctx, c, why)
}

// commit commits m together with the call's key.
func (s *Service) commit(ctx context.Context, c *call, m change.Move) (change.Receipt, error) {
	if c.key != "" && !c.done {
		m.Done = append(m.Done, c.key)
	}
	receipt, err := s.o.Ledger.Commit(ctx, m)
	if err == nil {
		c.done = true
	}
	return receipt, err
}

// maxTries bounds how often a transition is tried on a request that others move
// at the same time.
const maxTries = 8

// move performs one transition of the request id. When somebody else was faster
// it looks again, so that the answer fits the state that the other one left.
func (s *Service) move(ctx context.Context, c *call, id string, do func(change.Request) (change.Move, error)) (change.Request, error) {
	for range maxTries {
		r, err := s.o.Ledger.Request(ctx, id)
		if err != nil {
			return r, err
		}
		c.request, c.site = r.Number, r.Plan.Intent.Site
		m, err := do(r)
		if err != nil {
			return r, err
		}
		receipt, err := s.commit(ctx, c, m)
		switch {
		case errors.Is(err, change.ErrConflict):
			continue
		case err != nil:
			return r, err
		case receipt.Request != nil:
			return *receipt.Request, nil
		}
		return *m.Request, nil
	}
	return change.Request{}, change.ErrConflict
}
