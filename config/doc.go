// Package config reads vpnbot.yaml and the definition files of "bot import".
//
// Every mistake is reported with file, line, column and what is expected; all of
// a file's mistakes are reported at once. An unknown key, a key that stands
// twice, an anchor and a second document are mistakes. No message repeats a
// value: people write the secret itself where a reference belongs.
//
// Secrets stand in neither file, only references to them: file:PATH, env:NAME or
// credential:NAME. A path that is not absolute is relative to the file it stands
// in.
package config
