// Package deploy holds the files with which the bot is installed. The program
// prints the Slack manifest from here, so that the file and "bot manifest" are
// the same bytes; the others are for people.
package deploy

import _ "embed"

//go:embed slack-manifest.yaml
var manifest []byte

// Manifest returns the Slack app manifest.
func Manifest() []byte { return append([]byte(nil), manifest...) }
