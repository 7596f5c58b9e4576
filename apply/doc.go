// Package apply carries approved plans to the routers. It is the only code that
// orders a router write.
//
// The Engine takes up every approved request, locks its routers, checks that the
// rights still stand and that the routers still hold what the plan was computed
// from, and then journals, writes, reads back and compares, step by step. What it
// believes about a row it has read; an answer that got lost is replaced by
// another look, never by a guess.
//
// A change to single rows knows these beliefs about each:
//
//	absent     what is to be added is not there: the write did not happen and is repeated
//	unwritten  the row is as it was before the step: likewise
//	ours       the row is as planned; one that was added or set carries the step's mark
//	gone       there is no row to change
//	altered    it carries the mark and other values: somebody changed it since
//	foreign    a row of that name stands there that somebody else has made
//
// Sessions come and go by themselves. A step that ends them is done when none is
// seen; after the end of an account they are looked for once more, since somebody
// may just have been logging in.
//
// A change to both ends of a tunnel goes through phases: stage (new rows without
// effect, one journaled step each), arm (a guard on each router, parsed by the
// router itself), cut over (one script on each router, the end that is harder to
// reach first), prove (afresh, from both ends, against what was seen before), then
// commit or revert. Until it is decided which, going back loses nothing; the
// decision is journaled before the first write that follows from it, and every
// restart goes on in its direction. A row that is neither as before nor as planned
// stops the work: people resume it towards the new rows or the old ones.
//
// An adoption stages nothing and cuts nothing over: it removes the guards of the
// change that stopped half-way, proves the rows that are there, and removes what
// nothing uses.
//
// Nothing is believed of a script but what is read afterwards: it may have been
// refused, be on its way still, or have been undone by a guard.
//
// A restarted bot calls the same code for every request that is "applying": it
// looks first and continues from what it sees. Locks are held in memory, by
// router, and begin with the bot; a request that needs attention keeps its
// subject locked through the ledger.
package apply
