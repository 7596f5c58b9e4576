// Package commands is what can be said to the bot: the verb table, parsing,
// rights, one file per verb. An answer is a Reply, a value made of facts, tables,
// diffs, progress and buttons; it holds texts as data and no words.
package commands
