package commands

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"vpnbot/commands/text"
)

// Ensure that what people paste and what phones type is understood.
func TestParse(t *testing.T) {
	const nbsp, wide, em, en = "\u00a0", "\u3000", "—", "–"
	adduser := func(pairs ...string) map[string]string {
		args := map[string]string{"name": "vpn-01", "for": "@U0STAFF"}
		for i := 0; i < len(pairs); i += 2 {
			args[pairs[i]] = pairs[i+1]
		}
		return args
	}
	tests := []struct {
		name, line, verb string
		args             map[string]string
	}{
		{"nothing asks for help", "", "help", nil},
		{"spaces only", " " + nbsp + wide + " ", "help", nil},
		{"question mark", "?", "help", nil},
		{"full-width question mark", "？", "help", nil},
		{"help for a verb", "help adduser", "help", map[string]string{"verb": "adduser"}},
		{"help flag alone", "--help", "help", nil},
		{"help flag behind a verb", "users --help", "help", map[string]string{"verb": "users"}},
		{"upper case verb", "USERS", "users", nil},
		{"Chinese verb", "說明", "help", nil},
		{"Chinese verb and site", "帳號 鳳山", "users", map[string]string{"site": "鳳山"}},
		{"the command itself was pasted", "/vpn users hq", "users", map[string]string{"site": "hq"}},
		{"the simplest account", "adduser vpn-01 --for <@U0STAFF>", "adduser", adduser()},
		{"mention with name", "adduser vpn-01 --for <@U0STAFF|anna chen>", "adduser", adduser()},
		{"mention behind equals", "adduser vpn-01 --for=<@U0STAFF>", "adduser", adduser()},
		{"em dash", "adduser vpn-01 " + em + "for <@U0STAFF>", "adduser", adduser()},
		{"en dash", "adduser vpn-01 " + en + "for <@U0STAFF>", "adduser", adduser()},
		{"two em dashes", "adduser vpn-01 ——for <@U0STAFF>", "adduser", adduser()},
		{"one hyphen", "adduser vpn-01 -for <@U0STAFF>", "adduser", adduser()},
		{"full-width dashes and equals", "adduser vpn-01 －－ｆｏｒ＝<@U0STAFF>", "adduser", adduser()},
		{"full-width everything", "ａｄｄｕｓｅｒ　ｖｐｎ－０１　--for <@U0STAFF>", "adduser", adduser()},
		{"non-breaking spaces", "adduser" + nbsp + "vpn-01" + nbsp + "--for" + nbsp + "<@U0STAFF>", "adduser", adduser()},
		{"zero-width space", "adduser\u200b vpn-01 --for <@U0STAFF>", "adduser", adduser()},
		{"flags before the name", "adduser --for <@U0STAFF> vpn-01", "adduser", adduser()},
		{"Chinese synonym", "新增帳號 vpn-01 --給 <@U0STAFF>", "adduser", adduser()},
		{"upper case flag", "adduser vpn-01 --FOR <@U0STAFF>", "adduser", adduser()},
		{"smart quotes", "adduser vpn-01 --for <@U0STAFF> --note “for the summer”", "adduser", adduser("note", "for the summer")},
		{"mixed quotes", "adduser vpn-01 --for <@U0STAFF> --note „for the summer\"", "adduser", adduser("note", "for the summer")},
		{"corner brackets", "adduser vpn-01 --for <@U0STAFF> --note 「出差 用」", "adduser", adduser("note", "出差 用")},
		{"quotes behind equals", "adduser vpn-01 --for <@U0STAFF> --note=‘a b’", "adduser", adduser("note", "a b")},
		{"apostrophe inside", "adduser vpn-01 --for <@U0STAFF> --note Anna’s", "adduser", adduser("note", "Anna’s")},
		{"apostrophe in quotes", "adduser vpn-01 --for <@U0STAFF> --note 'Anna's laptop'", "adduser", adduser("note", "Anna's laptop")},
		{"escapes", "adduser vpn-01 --for <@U0STAFF> --note \"R&amp;D &lt;3\"", "adduser", adduser("note", "R&D <3")},
		{"an escaped escape is undone once", "adduser vpn-01 --for <@U0STAFF> --note &amp;lt;", "adduser", adduser("note", "&lt;")},
		{"free text keeps its form", "adduser vpn-01 --for <@U0STAFF> --note Ａ－Ｂ", "adduser", adduser("note", "Ａ－Ｂ")},
		{"a link becomes its label", "users <http://hq.example|hq.example>", "users", map[string]string{"site": "hq.example"}},
		{"values of a tunnel", "tunnel set hq-fengshan Exchange＝IKE2 --yes dh=modp2048、ecp384", "tunnel set", map[string]string{
			"place": "hq-fengshan", "yes": "yes", "settings": "exchange=ike2\nprofile.dh-groups=ecp384,modp2048",
		}},
		{"a value in quotes", "設定通道 hq-fengshan note=“總公司 到 鳳山”", "tunnel set", map[string]string{"place": "hq-fengshan", "settings": "note=總公司 到 鳳山"}},
		{"a value that Slack made a link of", "tunnel set hq-fengshan hq.id=fqdn:<http://hq.example|hq.example>", "tunnel set", map[string]string{
			"place": "hq-fengshan", "settings": "hq.id=fqdn:hq.example",
		}},
		{"a channel becomes its name", "users <#C0123|hq>", "users", map[string]string{"site": "hq"}},
		{"address", "adduser vpn-01 --for <@U0STAFF> --address １９２.168.77.60", "adduser", adduser("address", "192.168.77.60")},
		{"yes", "adduser vpn-01 --yes --for <@U0STAFF>", "adduser", adduser("yes", "yes")},
		{"an end in days", "adduser vpn-01 --for <@U0STAFF> --expires 90d", "adduser", adduser("expires", "2160h0m0s")},
		{"an end on a day", "adduser vpn-01 --for <@U0STAFF> --到期 2026/12/31", "adduser", adduser("expires", "2026-12-31")},
		{"remove", "刪除帳號 vpn–01", "deluser", map[string]string{"name": "vpn-01"}},
		{"an account that was made by hand", "disable 王小明 --site hq", "disable", map[string]string{"name": "王小明", "site": "hq"}},
		{"an account with a domain", "kick ann@office.example", "kick", map[string]string{"name": "ann@office.example"}},
		{"a new password", "passwd vpn-01 —kick", "passwd", map[string]string{"name": "vpn-01", "kick": "yes"}},
		{"a longer time", "延長 vpn-01 12週", "extend", map[string]string{"name": "vpn-01", "until": "2016h0m0s"}},
		{"no end", "extend vpn-01 永久", "extend", map[string]string{"name": "vpn-01", "until": "never"}},
		{
			"owner outside Slack", "adduser vpn-01 --for \"王 小明\" --handover <@U0OP>", "adduser",
			map[string]string{"name": "vpn-01", "for": "王 小明", "handover": "@U0OP"},
		},
		{"site with a typed dash", "users tai–pei", "users", map[string]string{"site": "tai-pei"}},
		{"number", "show 42", "show", map[string]string{"request": "42"}},
		{"number with sign", "show #42", "show", map[string]string{"request": "42"}},
		{"full-width number", "檢視 ＃４２", "show", map[string]string{"request": "42"}},
		{
			"reason takes the rest", "resolve 42 release row removed by hand", "resolve",
			map[string]string{"request": "42", "how": "release", "reason": "row removed by hand"},
		},
		{
			"reason in quotes", "處理 42 解除 “已手動移除”", "resolve",
			map[string]string{"request": "42", "how": "release", "reason": "已手動移除"},
		},
		{
			"audit filters", "audit --since 7d --kind refused --actor <@U0OP> --request 4 --site hq", "audit",
			map[string]string{"since": "168h0m0s", "kind": "refused", "actor": "@U0OP", "request": "4", "site": "hq"},
		},
		{"audit since a date", "audit --since 2026/11/23", "audit", map[string]string{"since": "2026-11-23"}},
		{"audit since in Chinese", "稽核 --自 3天", "audit", map[string]string{"since": "72h0m0s"}},
		{"redo", "redo 鳳山", "redo", map[string]string{"place": "鳳山"}},
		{"redo a tunnel at once", "重建通道 hq–fengshan —yes", "redo", map[string]string{"place": "hq-fengshan", "yes": "yes"}},
		{"two words", "Rotate  PSK fengshan", "rotate psk", map[string]string{"place": "fengshan"}},
		{"two words in one", "更換金鑰 鳳山", "rotate psk", map[string]string{"place": "鳳山"}},
		{"rekey", "重新協商 hq-fengshan", "rekey", map[string]string{"place": "hq-fengshan"}},
		{"help for two words", "help rotate psk", "help", map[string]string{"verb": "rotate psk"}},
		{"help flag behind two words", "rotate psk --help", "help", map[string]string{"verb": "rotate psk"}},
		{"help for the first of two words", "help Rotate", "help", map[string]string{"verb": "rotate"}},
		{"language", "lang 中文", "lang", map[string]string{"language": "zh-TW"}},
		{"language by locale", "lang zh_tw", "lang", map[string]string{"language": "zh-TW"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.line)
			if err != nil {
				t.Fatalf("got %v (%v), want %s", err, got.Problem.Hint.ID, tt.verb)
			}
			if got.Verb != tt.verb || !maps.Equal(got.Args, tt.args) {
				t.Errorf("got %s %v, want %s %v", got.Verb, got.Args, tt.verb, tt.args)
			}
		})
	}
}

// Ensure that what is wrong gets one sentence and one hint, and that no word of
// it is kept.
func TestParse_Wrong(t *testing.T) {
	tests := []struct{ name, line, text, hint, near string }{
		{"unknown verb", "hunter2", "parse.verb", "parse.verb.hint", ""},
		{"mistyped verb", "adusser hunter2 --for <@U0STAFF>", "parse.verb", "parse.nearest", "/vpn adduser"},
		{"mistyped verb, swapped", "hlep", "parse.verb", "parse.nearest", "/vpn help"},
		{"verb of a later day", "diagnose hunter2", "parse.verb", "parse.verb.hint", ""},
		{"half a verb", "rotate hunter2", "parse.verb", "parse.family", ""},
		{"half a verb that nobody means", "tunnel destroy hunter2", "parse.verb", "parse.family", ""},
		{"verb of two words, mistyped", "rotate pks hunter2", "parse.verb", "parse.nearest", "/vpn rotate psk"},
		{"redo nothing", "redo", "parse.missing", "parse.usage", ""},
		{"rotate nothing", "rotate psk", "parse.missing", "parse.usage", ""},
		{"a key typed", "tunnel set hq-fengshan psk=hunter2", "plan.refuse.set_secret", "plan.refuse.set_secret.hint", ""},
		{"a tunnel has no such value", "tunnel set hq-fengshan hunter2=1", "plan.refuse.set_key", "plan.refuse.set_key.hint", ""},
		{"no pair", "tunnel set hq-fengshan exchange=ike2 hunter2", "plan.refuse.set_pair", "plan.refuse.set_pair.hint", ""},
		{"no values", "tunnel set hq-fengshan", "parse.missing", "parse.usage", ""},
		{"unknown flag", "adduser vpn-01 --fro <@U0STAFF>", "parse.flag", "parse.nearest", "--for"},
		{"flag far from any", "adduser vpn-01 --for <@U0STAFF> --password hunter2", "parse.flag", "parse.usage", ""},
		{"an end that is no time", "adduser vpn-01 --for <@U0STAFF> --expires soon", "parse.until", "parse.until.hint", ""},
		{"an end at once", "extend vpn-01 0d", "parse.until", "parse.until.hint", ""},
		{"extend without an end", "extend vpn-01", "parse.missing", "parse.usage", ""},
		{"an account with a space", "deluser \"Ann Lee\"", "parse.account", "parse.account.hint", ""},
		{"an account that is a mention", "deluser <@U0STAFF>", "parse.mention", "parse.mention.hint", ""},
		{"flag without value", "adduser vpn-01 --for", "parse.novalue", "parse.usage", ""},
		{"flag with empty value", "adduser vpn-01 --for=", "parse.novalue", "parse.usage", ""},
		{"flag takes the next flag", "adduser vpn-01 --for --yes", "parse.novalue", "parse.usage", ""},
		{"flag twice", "adduser vpn-01 --for <@U0STAFF> --for <@U0STAFF>", "parse.twice", "parse.usage", ""},
		{"switch with value", "adduser vpn-01 --for <@U0STAFF> --yes=hunter2", "parse.switch", "parse.usage", ""},
		{"no name", "adduser --for <@U0STAFF>", "parse.missing", "parse.usage", ""},
		{"no person", "adduser vpn-01", "parse.missing", "parse.usage", ""},
		{"name outside Slack, nobody hands over", "adduser vpn-01 --for hunter2", "parse.person", "parse.owner", ""},
		{"name typed by hand", "adduser vpn-01 --for @staff", "parse.person", "parse.person.hint", ""},
		{"two mentions at once", "adduser vpn-01 --for <@U0STAFF><@U0OP>", "parse.person", "parse.person.hint", ""},
		{"mention with letters", "adduser vpn-01 --for <@U0STAFF>hunter2", "parse.person", "parse.person.hint", ""},
		{"handover by hand", "adduser vpn-01 --for x --handover hunter2", "parse.person", "parse.person.hint", ""},
		{"extra word", "adduser vpn-01 hunter2 --for <@U0STAFF>", "parse.extra", "parse.usage", ""},
		{"note without quotes", "adduser vpn-01 --for <@U0STAFF> --note for hunter2", "parse.quotetext", "parse.usage", ""},
		{"quote left open", "adduser vpn-01 --for <@U0STAFF> --note \"hunter2", "parse.quote", "parse.usage", ""},
		{"name with a space", "adduser \"vpn hunter2\" --for <@U0STAFF>", "plan.refuse.name", "plan.refuse.name.hint", ""},
		{"name with an en dash", "adduser vpn–hunter2 --for <@U0STAFF>", "plan.refuse.name", "plan.refuse.name.hint", ""},
		{"name with a backslash", `adduser corp\hunter2 --for <@U0STAFF>`, "plan.refuse.name", "plan.refuse.name.hint", ""},
		{"mention as name", "adduser <@U0STAFF>", "parse.mention", "parse.mention.hint", ""},
		{"address", "adduser vpn-01 --for <@U0STAFF> --address hunter2", "parse.address", "parse.address.hint", ""},
		{"address of version 6", "adduser vpn-01 --for <@U0STAFF> --address fe80::1", "parse.address", "parse.address.hint", ""},
		{"address with leading zero", "adduser vpn-01 --for <@U0STAFF> --address 10.0.0.07", "parse.address", "parse.address.hint", ""},
		{"control character", "adduser vpn-01 --for <@U0STAFF> --note \"a\x07hunter2\"", "parse.text", "parse.text.hint", ""},
		{"reversed text", "adduser vpn-01 --for <@U0STAFF> --note \"a\u202ehunter2\"", "parse.text", "parse.text.hint", ""},
		{"long note", "adduser vpn-01 --for <@U0STAFF> --note " + strings.Repeat("x", 201), "parse.text", "parse.text.hint", ""},
		{"number", "show hunter2", "parse.number", "parse.number.hint", ""},
		{"number zero", "show 0", "parse.number", "parse.number.hint", ""},
		{"number too large", "show 99999999999999999999", "parse.number", "parse.number.hint", ""},
		{"since", "audit --since hunter2", "parse.since", "parse.since.hint", ""},
		{"since no such day", "audit --since 2026-02-30", "parse.since", "parse.since.hint", ""},
		{"kind", "audit --kind refsed", "parse.event", "parse.nearest", "--kind refused"},
		{"kind far from any", "audit --kind hunter2hunter2", "parse.event", "parse.event.hint", ""},
		{"language", "lang klingon", "parse.language", "parse.language.hint", ""},
		{"resolve otherwise", "resolve 42 hunter2 hunter2", "parse.resolution", "parse.resolution.hint", ""},
		{"resolve, mistyped", "resolve 42 restroe hunter2", "parse.resolution", "parse.nearest", "/vpn resolve N restore"},
		{"resolve without reason", "resolve 42 release", "parse.missing", "parse.usage", ""},
		{"help for nothing", "help hunter2", "parse.verb", "parse.verb.hint", ""},
		{"very long", "adduser " + strings.Repeat("hunter2 ", 1000), "parse.long", "parse.verb.hint", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.line)
			if err == nil {
				t.Fatalf("got %v, want %s", got, tt.text)
			}
			p := got.Problem
			if p.Text.ID != tt.text || p.Hint.ID != tt.hint || p.Hint.Args["near"].Str != tt.near {
				t.Errorf("got %s, %s %q, want %s, %s %q", p.Text.ID, p.Hint.ID, p.Hint.Args["near"].Str, tt.text, tt.hint, tt.near)
			}
			b, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if got.Args != nil || strings.Contains(string(b), "hunter2") {
				t.Errorf("kept what was typed: %s", b)
			}
		})
	}
}

// Ensure the table holds no name twice, neither of verbs nor of a verb's flags, and
// that help has words for each.
func TestVerbs(t *testing.T) {
	words, err := text.New()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, v := range Verbs() {
		for _, name := range append([]string{v.Name}, v.Also...) {
			if other, twice := seen[name]; twice {
				t.Errorf("%q is a name of %s and of %s", name, other, v.Name)
			}
			seen[name] = v.Name
		}
		flags := map[string]bool{"help": true}
		for _, f := range v.Flags {
			if id := "flag." + v.Name + "." + f.Name; !words.Has(id) {
				t.Errorf("no words for %s", id)
			}
			for _, name := range append([]string{f.Name}, f.Also...) {
				if flags[name] {
					t.Errorf("flag %q of %s stands twice", name, v.Name)
				}
				flags[name] = true
			}
		}
		if !words.Has("help." + v.Name) {
			t.Errorf("no words for help.%s", v.Name)
		}
		if v.run == nil {
			t.Errorf("%s does nothing", v.Name)
		}
	}
}

// Ensure no line makes the parser fail, that what it understands stays the same
// when it is stored and read, and that a refused line keeps nothing.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"", "adduser vpn-01 --for <@U0STAFF> --note “a b”", "resolve 42 release x y", "audit --since 7d", "users <", "users <@", "—for=",
		"adduser vpn-01 --note '\"", "lang ＺＨ", "help --help", "a\xff\x00b", "show ＃１", "users 「", "--", "adduser --for=<@U1>x",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got, err := Parse(line)
		if err != nil && (got.Problem == nil || got.Args != nil) {
			t.Fatalf("got %v with %v", got, err)
		}
		if err == nil {
			if _, ok := lookup(got.Verb); !ok {
				t.Fatalf("understood as %q, which is no verb", got.Verb)
			}
		}
		for name, v := range got.Args {
			if !utf8.ValidString(v) || v == "" {
				t.Fatalf("%s is %q", name, v)
			}
		}
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var again Command
		if err := json.Unmarshal(b, &again); err != nil || again.Verb != got.Verb || !maps.Equal(again.Args, got.Args) {
			t.Fatalf("stored %v, read %v (%v)", got, again, err)
		}
	})
}
