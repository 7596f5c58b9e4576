package config

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"vpnbot/change/secret"
)

// Settings are the configuration as it is written, one value under each path
// such as "sites.hq.lan". A reference to a secret, and whatever stands under a
// key that is named like one, is told apart by eight digits of its digest and
// not shown.
func (c *Config) Settings() map[string]string { return maps.Clone(c.settings) }

// flatten collects the scalars below v; a list of scalars is one value.
func (v value) flatten(into map[string]string) {
	path := strings.Join(v.path, ".")
	if pairs, ok := v.pairs(); ok {
		for _, p := range pairs {
			if name, ok := scalar(p.Key); ok {
				value{doc: v.doc, node: p.Value, path: append(slices.Clone(v.path), name)}.flatten(into)
			}
		}
		return
	}
	if list, ok := v.node.(*ast.SequenceNode); ok {
		if words, ok := scalars(list); ok {
			into[path] = strings.Join(words, ", ")
			return
		}
		for i, n := range list.Values {
			value{doc: v.doc, node: n, path: append(slices.Clone(v.path), strconv.Itoa(i))}.flatten(into)
		}
		return
	}
	if s, ok := scalar(v.node); ok {
		into[path] = shown(v.path, s)
	}
}

func scalars(list *ast.SequenceNode) ([]string, bool) {
	var words []string
	for _, n := range list.Values {
		s, ok := scalar(n)
		if !ok {
			return nil, false
		}
		words = append(words, s)
	}
	return words, true
}

// shown is a value, or a short digest in place of one that is about a secret.
func shown(path []string, s string) string {
	if secret.Source(s).Validate() != nil && !secretName(path[len(path)-1]) {
		return s
	}
	digest := sha256.Sum256([]byte(s))
	return "hidden:" + hex.EncodeToString(digest[:4])
}

// secretName tells whether a key is named like a secret.
func secretName(name string) bool {
	return slices.ContainsFunc([]string{"password", "token", "secret", "key", "psk", "webhook"}, func(word string) bool {
		return strings.Contains(strings.ToLower(name), word)
	})
}

// Difference tells what changed from one configuration's settings to another's:
// under each path "before → after", with "–" for what was not there.
func Difference(before, after map[string]string) map[string]string {
	diff := map[string]string{}
	for path, old := range before {
		if now, ok := after[path]; !ok || now != old {
			diff[path] = orNone(old, true) + " → " + orNone(now, ok)
		}
	}
	for path, now := range after {
		if _, ok := before[path]; !ok {
			diff[path] = orNone("", false) + " → " + orNone(now, true)
		}
	}
	return diff
}

func orNone(s string, there bool) string {
	if !there {
		return "–"
	}
	return s
}
