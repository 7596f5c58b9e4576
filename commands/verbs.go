package commands

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"vpnbot/change"
)

// Verb is one row of the table that is the whole grammar: parsing, rights, help
// and documentation read it. Its words in help are the message "help.NAME".
type Verb struct {
	Name     string
	As       string   // how usage begins, when not with Name
	Also     []string // synonyms, also in Chinese
	Slots    []Slot   // by position
	Flags    []Slot   // by name, anywhere
	Need     change.Role
	Guest    bool // a guest of the workspace may
	Changing bool // makes or moves a request
	Terminal bool // can be asked from the terminal of the bot's host
	Reads    bool // waits for routers, perhaps for long

	run func(*Service, context.Context, *call) (Reply, error)
}

// Slot is one place for a value.
type Slot struct {
	Name     string // key in Command.Args; for a flag what stands behind "--"
	Also     []string
	Kind     Kind
	Optional bool
	Shown    string // how usage names the value, "@PERSON"
}

// Kind is what fits a slot.
type Kind uint8

// The kinds of values.
const (
	NameValue    Kind = iota // an account's name
	SiteValue                // a site's name or alias
	PersonValue              // a mention
	OwnerValue               // a mention, or the name of somebody outside Slack
	AddressValue             // one IPv4 address
	TextValue                // free text; by position it takes the rest of the line
	NumberValue              // 42 or #42
	SinceValue               // 7d, 24h, 2026-11-23
	EventValue               // an event kind or the first part of one
	VerbValue                // a verb of the table
	LanguageValue
	ResolutionValue // keep, restore, adopt or release
	SwitchValue     // a flag without a value
	TopicValue      // topics of a router's log: ipsec,l2tp
	PlaceValue      // a site's or a tunnel's name
	TunnelNameValue // of a tunnel that is to be
	SettingsValue   // KEY=VALUE of a tunnel, once or more: it takes the rest of the line
	ServerValue     // KEY=VALUE of a dial-in server, likewise
	AccountValue    // the name of an account that is there, however it was made
	UntilValue      // 90d, 2026-12-31, never
)

// Verbs returns the table, in the order in which help shows it.
func Verbs() []Verb {
	site := Slot{Name: "site", Kind: SiteValue, Optional: true, Shown: "SITE"}
	place := Slot{Name: "place", Kind: PlaceValue, Optional: true, Shown: "SITE|TUNNEL"}
	tunnel := place
	tunnel.Optional = false
	dialIn := Slot{Name: "site", Kind: SiteValue, Shown: "SITE"}
	settings := Slot{Name: argSettings, Kind: SettingsValue, Shown: "KEY=VALUE"}
	options := settings
	options.Optional = true
	yes := Slot{Name: "yes", Also: []string{"確定"}, Kind: SwitchValue, Optional: true}
	number := Slot{Name: "request", Kind: NumberValue, Shown: "N"}
	person, handover := handing()
	return slices.Concat([]Verb{
		{
			Name: "adduser", Also: []string{"新增帳號", "新增使用者", "add"}, Need: change.Operator, Changing: true,
			Slots: []Slot{{Name: "name", Kind: NameValue, Shown: "NAME"}},
			Flags: []Slot{
				person,
				{Name: "site", Also: []string{"據點"}, Kind: SiteValue, Optional: true, Shown: "SITE"},
				{Name: "address", Also: []string{"位址", "ip"}, Kind: AddressValue, Optional: true, Shown: "IP"},
				{Name: "expires", Also: []string{"到期", "期限"}, Kind: UntilValue, Optional: true, Shown: "90d|DATE"},
				{Name: "note", Also: []string{"備註"}, Kind: TextValue, Optional: true, Shown: "TEXT"},
				handover,
				yes,
			},
			run: (*Service).adduser,
		},
	}, accountVerbs(yes), []Verb{
		{
			Name: verbRedo, Also: []string{"重建", "重建通道"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{tunnel}, Flags: []Slot{yes}, run: (*Service).retunnel,
		},
		{
			Name: verbRotate, Also: []string{"更換金鑰", "換金鑰"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{tunnel}, Flags: []Slot{yes}, run: (*Service).retunnel,
		},
		{
			Name: verbRekey, Also: []string{"重新協商"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{tunnel}, Flags: []Slot{yes}, run: (*Service).retunnel,
		},
		{
			Name: verbAdd, Also: []string{"新增通道", "建立通道"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{{Name: "site", Kind: SiteValue, Shown: "SITE"}, {Name: argFar, Kind: SiteValue, Shown: "SITE"}, options},
			Flags: []Slot{{Name: "name", Also: []string{"名稱"}, Kind: TunnelNameValue, Optional: true, Shown: "NAME"}, yes},
			run:   (*Service).addTunnel,
		},
		{
			Name: verbSet, Also: []string{"設定通道", "修改通道"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{tunnel, settings}, Flags: []Slot{yes}, run: (*Service).retunnel,
		},
		{
			Name: verbRemove, Also: []string{"移除通道", "刪除通道"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{tunnel}, Flags: []Slot{yes}, run: (*Service).retunnel,
		},
		{
			Name: verbDialInSetup, Also: []string{"設定撥入", "架設撥入"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{dialIn, {Name: argSettings, Kind: ServerValue, Optional: true, Shown: "KEY=VALUE"}},
			Flags: []Slot{handover, yes}, run: (*Service).dialIn,
		},
		{
			Name: verbDialInSet, Also: []string{"修改撥入"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{dialIn, {Name: argSettings, Kind: ServerValue, Shown: "KEY=VALUE"}},
			Flags: []Slot{yes}, run: (*Service).dialIn,
		},
		{
			Name: verbRotateL2TP, Also: []string{"更換撥入金鑰"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{dialIn}, Flags: []Slot{handover, yes}, run: (*Service).dialIn,
		},
		{Name: "status", Also: []string{"狀態", "現況"}, Need: change.Viewer, Terminal: true, Reads: true, Slots: []Slot{place}, run: (*Service).status},
		{
			Name: "sa", Also: []string{"安全關聯"}, Need: change.Viewer, Terminal: true, Reads: true,
			Slots: []Slot{tunnel}, run: (*Service).sa,
		},
		{Name: "sites", Reads: true, Also: []string{"據點"}, Need: change.Viewer, Terminal: true, run: (*Service).sites},
		{Name: "users", Reads: true, Also: []string{"帳號", "使用者"}, Need: change.Viewer, Terminal: true, Slots: []Slot{site}, run: (*Service).users},
		{Name: "who", Reads: true, Also: []string{"在線", "連線"}, Need: change.Viewer, Terminal: true, Slots: []Slot{site}, run: (*Service).who},
		{
			Name: "logs", Also: []string{"日誌", "log"}, Need: change.Viewer, Terminal: true, Reads: true,
			Slots: []Slot{{Name: "site", Kind: SiteValue, Shown: "SITE"}},
			Flags: []Slot{
				{Name: "topic", Also: []string{"主題", "topics"}, Kind: TopicValue, Optional: true, Shown: "ipsec,l2tp"},
				{Name: "since", Also: []string{"自"}, Kind: SinceValue, Optional: true, Shown: "5m"},
			},
			run: (*Service).logs,
		},
		{
			Name: verbVerbose, As: "logs", Also: []string{"詳細日誌"}, Need: change.Operator, Changing: true, Reads: true,
			Slots: []Slot{{Name: "site", Kind: SiteValue, Shown: "SITE"}},
			Flags: []Slot{{Name: argVerbose, Also: []string{"詳細"}, Kind: SinceValue, Shown: "10m"}, yes},
			run:   (*Service).verbose,
		},
		{Name: "requests", Also: []string{"申請單"}, Need: change.Viewer, Terminal: true, run: (*Service).requests},
		{Name: "show", Also: []string{"檢視", "查看"}, Need: change.Viewer, Terminal: true, Slots: []Slot{number}, run: (*Service).show},
		{Name: "cancel", Also: []string{"撤回", "取消"}, Need: change.Operator, Changing: true, Slots: []Slot{number}, run: (*Service).cancel},
		{
			Name: "resolve", Also: []string{"處理"}, Need: change.Operator, Changing: true,
			Slots: []Slot{
				number, {Name: "how", Kind: ResolutionValue, Shown: "keep|restore|adopt|release"}, {Name: "reason", Kind: TextValue, Shown: "REASON"},
			},
			Flags: []Slot{yes}, run: (*Service).resolve,
		},
		{Name: "locks", Also: []string{"鎖定"}, Need: change.Viewer, Terminal: true, run: (*Service).locks},
		{
			Name: "audit", Also: []string{"稽核", "紀錄"}, Need: change.Viewer, Terminal: true,
			Flags: []Slot{
				{Name: "request", Also: []string{"申請單"}, Kind: NumberValue, Optional: true, Shown: "N"},
				{Name: "actor", Also: []string{"人員"}, Kind: PersonValue, Optional: true, Shown: "@PERSON"},
				{Name: "kind", Also: []string{"種類"}, Kind: EventValue, Optional: true, Shown: "KIND"},
				{Name: "site", Also: []string{"據點"}, Kind: SiteValue, Optional: true, Shown: "SITE"},
				{Name: "since", Also: []string{"自"}, Kind: SinceValue, Optional: true, Shown: "7d"},
			},
			run: (*Service).audit,
		},
		{Name: "me", Also: []string{"我的", "我"}, Guest: true, run: (*Service).me},
		{
			Name: "lang", Also: []string{"語言", "language"},
			Slots: []Slot{{Name: "language", Kind: LanguageValue, Optional: true, Shown: "en|zh-TW"}}, run: (*Service).lang,
		},
		{
			Name: "help", Also: []string{"說明", "幫助", "?"}, Terminal: true,
			Slots: []Slot{{Name: "verb", Kind: VerbValue, Optional: true, Shown: "VERB"}}, run: (*Service).help,
		},
	})
}

// lookup finds the verb that word names, or its synonym.
func lookup(word string) (Verb, bool) {
	word = strings.ToLower(word)
	for _, v := range Verbs() {
		if v.Name == word || slices.Contains(v.Also, word) {
			return v, true
		}
	}
	return Verb{}, false
}

// under tells whether v is one of the verbs that begin with word, such as "tunnel".
func (v Verb) under(word string) bool {
	return slices.ContainsFunc(append([]string{v.Name}, v.Also...), func(name string) bool { return strings.HasPrefix(name, word+" ") })
}

// flag finds the flag called name, or its synonym.
func (v Verb) flag(name string) (Slot, bool) {
	name = strings.ToLower(name)
	for _, f := range v.Flags {
		if f.Name == name || slices.Contains(f.Also, name) {
			return f, true
		}
	}
	return Slot{}, false
}

// Usage is how the verb is typed: "users [SITE]". It is the same in every
// language.
func (v Verb) Usage() string {
	words := []string{cmp.Or(v.As, v.Name)}
	for _, s := range v.Slots {
		words = append(words, s.usage(s.Shown))
	}
	for _, f := range v.Flags {
		shown := "--" + f.Name
		if f.Shown != "" {
			shown += " " + f.Shown
		}
		words = append(words, f.usage(shown))
	}
	return strings.Join(words, " ")
}

// short is the usage without options, for lists that are read on a phone.
func (v Verb) short() string {
	words := []string{cmp.Or(v.As, v.Name)}
	for _, s := range v.Slots {
		words = append(words, s.usage(s.Shown))
	}
	further := false
	for _, f := range v.Flags {
		if f.Optional {
			further = true
			continue
		}
		words = append(words, "--"+f.Name, f.Shown)
	}
	if further {
		words = append(words, "…")
	}
	return strings.Join(words, " ")
}

func (s Slot) usage(shown string) string {
	if s.Optional {
		return "[" + shown + "]"
	}
	return shown
}

// allows tells whether who may use v at all. A site is checked where it is
// known.
func (v Verb) allows(who Caller) bool {
	switch {
	case who.Guest:
		return v.Guest
	case who.Terminal && !v.Terminal:
		return false
	}
	return who.Actor.Person.May(v.Need, "")
}
