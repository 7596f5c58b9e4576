package commands

import (
	"slices"
	"strings"
	"unicode/utf8"

	"vpnbot/change"
	"vpnbot/vpn"
)

// Command is what was typed, after parsing: the verb and the values that fit
// its slots. Nothing else of the line is kept, since people paste passwords.
type Command struct {
	Verb string            `json:"verb,omitempty"`
	Args map[string]string `json:"args,omitempty"`
	// Problem is set, and Args is not, when the line could not be understood.
	// Such a command is run like any other, so that its refusal is recorded.
	Problem *ParseError `json:"problem,omitempty"`
}

// ParseError tells what is wrong with a command line. It repeats no word of it.
type ParseError struct {
	Text change.Text `json:"text"`
	Hint change.Text `json:"hint"`
}

// Error names the message.
func (e *ParseError) Error() string { return "not understood: " + e.Text.ID }

// Explain returns the sentence and the hint.
func (e *ParseError) Explain() (sentence, hint change.Text) { return e.Text, e.Hint }

// maxLine bounds a command line; Slack's own composer allows about as much.
const maxLine = 4000

// Parse reads a command line without the leading "/vpn". With an error, which is
// always a *ParseError, the Command carries it too and may be stored and run. No
// words at all ask for help.
func Parse(line string) (Command, error) {
	cmd, problem := parse(line)
	if problem != nil {
		cmd.Args, cmd.Problem = nil, problem
		return cmd, problem
	}
	return cmd, nil
}

func parse(line string) (Command, *ParseError) {
	if len(line) > maxLine {
		return Command{}, &ParseError{change.T("parse.long"), change.T("parse.verb.hint")}
	}
	if !utf8.ValidString(line) {
		line = strings.ToValidUTF8(line, "\uFFFD")
	}
	words, open := split(line)
	if len(words) == 0 {
		return Command{Verb: "help"}, nil
	}
	verb, rest, problem := findVerb(words)
	if problem != nil {
		return Command{}, problem
	}
	cmd := Command{Verb: verb.Name}
	if open {
		return cmd, &ParseError{change.T("parse.quote"), change.T("parse.usage", "usage", verb.Usage())}
	}
	if slices.ContainsFunc(rest, func(w word) bool { return w.flag == "help" }) {
		return Command{Verb: "help", Args: map[string]string{"verb": verb.Name}}, nil
	}
	p := filler{verb: verb, args: map[string]string{}}
	if problem := p.fill(rest); problem != nil {
		return cmd, problem
	}
	if len(p.args) > 0 {
		cmd.Args = p.args
	}
	return cmd, nil
}

// findVerb takes the verb out of words: the first word that is not part of a
// flag. People put flags anywhere, but the verb first.
func findVerb(words []word) (Verb, []word, *ParseError) {
	first := words[0]
	if first.flag == "help" {
		first = word{raw: "help"}
		words = slices.Concat([]word{first}, words[1:])
	}
	// "/vpn /vpn users" and "/vpn vpn users" happen when people paste.
	if f := strings.ToLower(first.fold()); (f == "/vpn" || f == "vpn") && len(words) > 1 {
		words = words[1:]
		first = words[0]
	}
	if first.flag == "" {
		if v, used, ok := lookupWords(words); ok {
			return v.told(words[used:]), words[used:], nil
		}
	}
	hint := change.T("parse.verb.hint")
	if near := nearestVerb(words); near != "" {
		hint = change.T("parse.nearest", "near", "/vpn "+near)
	} else if list := family(words); len(list) > 0 {
		hint = change.T("parse.family", "verbs", values(list))
	}
	return Verb{}, nil, &ParseError{change.T("parse.verb"), hint}
}

// told is v, or the verb that a flag makes of it: logs with --verbose changes routers.
func (v Verb) told(words []word) Verb {
	if v.Name != "logs" {
		return v
	}
	verbose, _ := lookup(verbVerbose)
	if slices.ContainsFunc(words, func(w word) bool { f, ok := verbose.flag(w.flag); return ok && f.Name == argVerbose }) {
		return verbose
	}
	return v
}

// lookupWords finds the verb at the beginning of words, and of how many of them
// its name consists.
func lookupWords(words []word) (Verb, int, bool) {
	for used := min(2, len(words)); used > 0; used-- {
		if v, ok := lookup(phrase(words, used)); ok {
			return v, used, true
		}
	}
	return Verb{}, 0, false
}

// phrase are the first n words, as a verb of n words is written; "" when a flag or
// a mention is among them.
func phrase(words []word, n int) string {
	var said []string
	for _, w := range words[:min(n, len(words))] {
		if w.flag != "" || w.user != "" {
			return ""
		}
		said = append(said, w.fold())
	}
	return strings.Join(said, " ")
}

// nearestVerb returns the verb that is most likely meant by its name, or "".
func nearestVerb(words []word) string {
	var names []string
	for _, v := range Verbs() {
		names = append(append(names, v.Name), v.Also...)
	}
	first := strings.ToLower(phrase(words, 1))
	for _, typed := range []string{first, phrase(words, 2)} {
		if v, ok := lookup(vpn.Nearest(typed, names)); ok {
			return v.Name
		}
	}
	return ""
}

// family are the verbs of two words of which the first was typed, as they are typed.
func family(words []word) []string {
	var list []string
	for _, v := range Verbs() {
		begin, _, two := strings.Cut(v.Name, " ")
		if two && begin == strings.ToLower(phrase(words, 1)) {
			list = append(list, "/vpn "+v.Name)
		}
	}
	return list
}

// filler puts words into the slots of a verb.
type filler struct {
	verb Verb
	args map[string]string
	next int // next slot by position
	text bool
}

func (f *filler) fill(words []word) *ParseError {
	for i := 0; i < len(words); i++ {
		w := words[i]
		var problem *ParseError
		switch {
		case w.flag != "":
			var used int
			used, problem = f.flag(words[i:])
			i += used
		case f.next < len(f.verb.Slots):
			slot := f.verb.Slots[f.next]
			f.next++
			if slot.Kind == TextValue && !w.quoted { // the rest of the line
				for i+1 < len(words) && words[i+1].flag == "" && words[i+1].user == "" {
					i++
					w.raw += " " + words[i].raw
				}
			}
			if _, used, ok := lookupWords(words[i:]); slot.Kind == VerbValue && ok {
				w.raw = phrase(words[i:], used)
				i += used - 1
			}
			if slot.Kind == SettingsValue || slot.Kind == ServerValue {
				var used int
				used, problem = f.settings(slot, words[i:])
				i += used - 1
				break
			}
			problem = f.put(slot, w)
		case f.args[argSettings] != "": // behind a flag
			slot := f.verb.Slots[len(f.verb.Slots)-1]
			before := f.args[slot.Name] + "\n"
			var used int
			used, problem = f.settings(slot, words[i:])
			f.args[slot.Name] = before + f.args[slot.Name]
			i += used - 1
		default:
			problem = f.extra()
		}
		if problem != nil {
			return problem
		}
	}
	return f.missing()
}

// flag handles the flag at the beginning of words and returns how many words
// behind it are its value.
func (f *filler) flag(words []word) (int, *ParseError) {
	w := words[0]
	slot, ok := f.verb.flag(w.flag)
	if !ok {
		return 0, f.unknownFlag(w.flag)
	}
	if _, twice := f.args[slot.Name]; twice {
		return 0, f.problem("parse.twice", "flag", "--"+slot.Name)
	}
	if slot.Kind == SwitchValue {
		if w.value {
			return 0, f.problem("parse.switch", "flag", "--"+slot.Name)
		}
		f.args[slot.Name] = "yes"
		return 0, nil
	}
	f.text = f.text || slot.Kind == TextValue
	if w.value && (w.raw != "" || w.user != "") {
		return 0, f.put(slot, w)
	}
	if w.value || len(words) < 2 || words[1].flag != "" {
		return 0, f.problem("parse.novalue", "flag", "--"+slot.Name)
	}
	return 1, f.put(slot, words[1])
}

// settings keeps KEY=VALUE for as long as words go on, and returns how many there
// were.
func (f *filler) settings(slot Slot, words []word) (int, *ParseError) {
	var lines []string
	for _, w := range words {
		if w.flag != "" {
			break
		}
		line, problem := slot.readSetting(w)
		if problem != nil {
			return len(lines), problem
		}
		lines = append(lines, line)
	}
	f.args[slot.Name] = strings.Join(lines, "\n")
	return len(lines), nil
}

func (f *filler) unknownFlag(name string) *ParseError {
	sentence := change.T("parse.flag", "verb", f.verb.Name)
	var names []string
	for _, s := range f.verb.Flags {
		names = append(append(names, s.Name), s.Also...)
	}
	if s, ok := f.verb.flag(vpn.Nearest(name, names)); ok {
		return &ParseError{sentence, change.T("parse.nearest", "near", "--"+s.Name)}
	}
	return &ParseError{sentence, f.usage()}
}

// put checks w against slot and keeps its value.
func (f *filler) put(slot Slot, w word) *ParseError {
	value, problem := slot.read(w)
	if problem != nil {
		return problem
	}
	f.args[slot.Name] = value
	return nil
}

func (f *filler) extra() *ParseError {
	if f.text {
		return f.problem("parse.quotetext")
	}
	return f.problem("parse.extra", "verb", f.verb.Name)
}

// meant says what stands for a word in a line of usage, where that alone says little.
func meant(shown string) change.Text {
	switch shown {
	case "NAME":
		return change.T("meant.name", "shown", shown)
	case "N":
		return change.T("meant.number", "shown", shown)
	case "SITE":
		return change.T("meant.site", "shown", shown)
	case "SITE|TUNNEL":
		return change.T("meant.place", "shown", shown)
	case "REASON":
		return change.T("meant.reason", "shown", shown)
	}
	return value(shown)
}

// missing checks what only the whole line tells: that nothing is left out, and
// that somebody outside Slack comes with an operator who hands over.
func (f *filler) missing() *ParseError {
	for _, s := range f.verb.Slots {
		if _, ok := f.args[s.Name]; !ok && !s.Optional {
			return f.problem("parse.missing", "what", meant(s.Shown))
		}
	}
	for _, s := range f.verb.Flags {
		if _, ok := f.args[s.Name]; !ok && !s.Optional {
			return f.problem("parse.missing", "what", "--"+s.Name+" "+s.Shown)
		}
		if word, given := f.args[s.Name]; given && s.Kind == OwnerValue && !strings.HasPrefix(word, "@") && f.args["handover"] == "" {
			return &ParseError{change.T("parse.person", "what", "--"+s.Name), change.T("parse.owner")}
		}
	}
	return nil
}

func (f *filler) problem(id string, pairs ...any) *ParseError {
	return &ParseError{change.T(id, pairs...), f.usage()}
}

func (f *filler) usage() change.Text { return change.T("parse.usage", "usage", f.verb.Usage()) }
