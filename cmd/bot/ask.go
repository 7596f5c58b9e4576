package main

import "strings"

// askCommand is "bot ask".
type askCommand struct {
	configured
	JSON bool     `help:"Print the answer as JSON."`
	Verb []string `arg:"" passthrough:"" help:"A reading verb and its words."`
}

// Run asks. Our own flags may stand behind the verb too; the rest is the verb's.
func (c askCommand) Run(env *environment) error {
	var words []string
	for i := 0; i < len(c.Verb); i++ {
		word := c.Verb[i]
		file, isConfig := strings.CutPrefix(word, "--config=")
		switch {
		case word == "--json":
			c.JSON = true
		case isConfig:
			c.Config = file
		case word == "--config" && i+1 < len(c.Verb):
			i++
			c.Config = c.Verb[i]
		case strings.ContainsAny(word, " \t"):
			words = append(words, `"`+strings.ReplaceAll(word, `"`, "")+`"`)
		default:
			words = append(words, word)
		}
	}
	return c.order(env, order{Do: orderAsk, Line: strings.Join(words, " "), JSON: c.JSON})
}
