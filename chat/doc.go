// Package chat connects the bot to Slack: what people type and press comes in,
// Replies go out as Block Kit, notices are delivered. It is the only importer of
// slack-go.
//
// Two Socket Mode clients run side by side, started apart, so that one is
// connected while the other is replaced; the library itself closes before it
// reopens and would drop what arrives in between. What changes something is
// stored in the ledger's inbox, as parsed fields, before it is acknowledged, and
// its effect marks it done in the same transaction. An acknowledgement is empty;
// answers go by response_url and the Web API.
//
// Notices wait in the ledger's outbox. Each is rendered when it is sent, so a
// card that was renewed five times is sent once. chat.postMessage has no
// idempotency key: a notice whose first sending is in doubt is looked for by its
// metadata before it is posted again.
//
// This package and ros are the only callers that open sealed secrets: here when
// the reader of an account's credentials asks for them.
package chat
