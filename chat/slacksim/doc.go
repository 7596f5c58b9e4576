// Package slacksim is a stand-in for Slack: a workspace that lives in memory,
// speaks Slack's Web API and Socket Mode to any SDK, and has a web page on
// which one person plays everybody in the workspace.
//
// It exists to refuse what Slack refuses. A bot that works against it should
// meet no surprise in a real workspace: block and text limits, trigger IDs
// that are late or used, deadlines of three seconds, ephemeral messages that
// cannot be updated, clicks by members of other organisations, refreshed
// connections and rate limits all behave as Slack's documentation says.
//
// A [Server] is made by [New] from a description of a workspace, and served on
// any net.Listener: loopback, or net.Pipe inside a testing/synctest bubble. The
// Web API is at /api/, so a client's base URL is http://HOST/api/; the page is
// at /, and its own API under /sim/ answers loopback only.
//
// People act through methods ([Server.Command], [Server.Click],
// [Server.Submit]) or through the page; both take the same path. What a person
// sees is read with [Server.Messages] and [Server.Views], and [Server.Wait]
// waits for it without polling.
//
// # Terms
//
// An envelope is what Socket Mode delivers: a command, a click, a submission or
// an event. The bot is the app under test; people are everyone else. A
// stranger's organisation is any team other than the workspace's own.
//
// # Not modelled
//
// Signed HTTP delivery, OAuth and scopes, Enterprise Grid, files, reactions,
// pins, legacy attachments, work objects, block_suggestion (external selects),
// shortcuts, presence, link unfurling, emoji beyond a small set, search, and
// the block types that Slack added for agents and data (card, carousel,
// container, data_table, data_visualization, task_card, plan,
// context_actions, video, call, file): they are refused as unknown.
//
// Where Slack documents no figure or wording, these are our choice: the size
// limit of message metadata, lengths counted in UTF-16 units, the order in
// which connections receive envelopes (round robin), the wording after the
// error code in response_metadata, and the HTTP status with which a
// response_url refuses a body (400). Slack is said to drop acknowledgements
// that arrive in several WebSocket frames; the stand-in accepts them. Messages
// that only one person can see stay until [Server.Reload]; in Slack they also
// go when that person's client restarts.
package slacksim
