// Package text turns texts as data into words, in English and in the Traditional
// Chinese of Taiwan, and errors into one sentence and one hint.
//
// The words stand in locale/<area>.<language>.json. A message has an ID in dotted
// lower case and named arguments, {{.site}}; both languages have the same IDs
// with the same arguments, which New checks. A message that counts has an
// argument "count" (or "online") and, in English, a form "one" beside "other"; a form
// "zero" in either language says it where there is none, and may ask for less. The
// words hold no character that Slack gives a meaning of its own (& < > *), so that
// only arguments need escaping.
package text
