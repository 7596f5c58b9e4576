package vpn

import (
	"cmp"
	"slices"
	"strings"

	"vpnbot/change"
)

// ReadSetting reads "key=value" as people type it. The key of one end has the
// site's name as it was typed before the dot; nothing tells here whether there is
// such a site. It returns a *Refusal that repeats no word of what it does not know.
func ReadSetting(word string) (change.Setting, error) {
	key, value, paired := strings.Cut(word, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if isSecretKey(key) {
		return change.Setting{}, refuse("set_secret")
	}
	if !paired || key == "" {
		return change.Setting{}, refuse("set_pair")
	}
	site, k, err := findKey(key)
	if err != nil {
		return change.Setting{}, err
	}
	name := k.name
	if k.end {
		name = site + "." + k.name
	}
	v, near, ok := k.take(value)
	switch {
	case ok:
		return change.Setting{Key: name, Value: v}, nil
	case near != "":
		return change.Setting{}, refuse("set_near", "key", k.shownName(), "near", near)
	case len(k.words) > 0:
		return change.Setting{}, refuse("set_value", "key", k.shownName(), "values", strings.Join(k.words, ", "))
	}
	return change.Setting{}, refuse("set_form", "key", k.shownName(), "example", k.shown)
}

// isSecretKey tells whether somebody wants to type a pre-shared key.
func isSecretKey(key string) bool {
	return slices.Contains([]string{"psk", "secret", "key", "password", "金鑰", "密碼"}, strings.ToLower(key))
}

func (k tunnelKey) shownName() string {
	if k.end {
		return "SITE." + k.name
	}
	return k.name
}

// findKey finds the key that people name, and the site before it. Where a short
// name fits two keys, it asks which.
func findKey(word string) (site string, k tunnelKey, err error) {
	lower := strings.ToLower(word)
	site, last := "", lower
	if i := strings.LastIndexByte(lower, '.'); i >= 0 {
		site, last = word[:i], lower[i+1:]
	}
	var names, which []string
	for _, k := range tunnelKeys() {
		switch {
		case !k.end && (k.name == lower || slices.Contains(k.also, lower)):
			return "", k, nil
		case k.end && (k.name == last || slices.Contains(k.also, last)):
			if site == "" {
				return "", k, refuse("set_end", "key", k.shownName())
			}
			return site, k, nil
		case strings.HasSuffix(k.name, "."+lower):
			which = append(which, k.name)
		}
		names = append(names, k.name)
		if !k.end {
			names = append(names, k.also...)
		}
	}
	if len(which) > 1 {
		return "", tunnelKey{}, refuse("set_which", "first", which[0], "second", which[1])
	}
	if near := cmp.Or(Nearest(lower, names), Nearest(last, names)); near != "" {
		return "", tunnelKey{}, refuse("set_key_near", "near", near)
	}
	return "", tunnelKey{}, refuse("set_key", "keys", strings.Join(keyNames(), ", "))
}

// keyNames are the keys as help lists them.
func keyNames() []string {
	var names []string
	for _, k := range tunnelKeys() {
		names = append(names, k.shownName())
	}
	return names
}

// EndOf returns the site that a key is of, as it stands there, and "" for a key of
// the whole tunnel.
func EndOf(key string) (site, rest string) {
	i := strings.LastIndexByte(key, '.')
	if i < 0 {
		return "", key
	}
	for _, k := range tunnelKeys() {
		if !k.end && k.name == key {
			return "", key
		}
	}
	return key[:i], key[i+1:]
}

// With returns t with the settings made. It returns a *Refusal for a site that is
// no end of t, for a key that is set twice, and for one that a tunnel keeps unless
// it is new.
func (t Tunnel) With(settings []change.Setting, isNew bool) (Tunnel, error) {
	t = t.clone()
	for n, s := range settings {
		if slices.ContainsFunc(settings[:n], func(o change.Setting) bool { return o.Key == s.Key }) {
			return t, refuse("set_twice", "key", s.Key)
		}
		site, rest := EndOf(s.Key)
		i := 0
		if site != "" {
			if i = slices.IndexFunc(t.Ends[:], func(e End) bool { return SameName(e.Site, site) }); i < 0 {
				return t, refuse("set_site", "site", site, "near", t.Ends[0].Site, "far", t.Ends[1].Site)
			}
		}
		at := slices.IndexFunc(tunnelKeys(), func(k tunnelKey) bool { return k.name == rest && k.end == (site != "") })
		if at < 0 {
			return t, refuse("set_key", "keys", strings.Join(keyNames(), ", "))
		}
		k := tunnelKeys()[at]
		if k.fixed && !isNew && k.get(t, i) != s.Value {
			return t, refuse("set_fixed", "key", s.Key, "tunnel", t.Name)
		}
		k.set(&t, i, s.Value)
	}
	t.Proposal = t.Proposal.settled()
	return t, nil
}

// settled lets auth-algorithms go with the ciphers: those that authenticate by
// themselves need none, the others do.
func (p Proposal) settled() Proposal {
	switch needs := slices.ContainsFunc(p.Encryption, needsAuth); {
	case !needs:
		p.Auth = nil
	case len(p.Auth) == 0:
		p.Auth = []string{"sha256"}
	}
	return p
}

func (t Tunnel) clone() Tunnel {
	for i := range t.Ends {
		t.Ends[i].Prefixes, t.Ends[i].Probes = slices.Clone(t.Ends[i].Prefixes), slices.Clone(t.Ends[i].Probes)
		t.Ends[i].Pools = slices.Clone(t.Ends[i].Pools)
	}
	return t
}

// Difference is one value in which two definitions of a tunnel differ.
type Difference struct {
	Key     string
	Was, Is string // "" where there is none
	bare    bool
}

// Differences returns how next differs from t, in the order of the YAML. Lists of
// networks and algorithms compare as sets.
func (t Tunnel) Differences(next Tunnel) []Difference {
	var list []Difference
	for _, k := range tunnelKeys() {
		ends := 1
		if k.end {
			ends = 2
		}
		for i := range ends {
			was, is := k.get(t, i), k.get(next, i)
			if k.form(was) == k.form(is) {
				continue
			}
			d := Difference{Key: k.name, Was: was, Is: is, bare: k.bare}
			if k.end {
				d.Key = t.Ends[i].Site + "." + k.name
			}
			list = append(list, d)
		}
	}
	return list
}

// form is the one form of a value: of a list in one order, of a time in one
// writing.
func (k tunnelKey) form(value string) string {
	if v, _, ok := k.take(value); ok {
		value = v
	}
	words := strings.Split(value, ",")
	slices.Sort(words)
	return strings.Join(words, ",")
}
