// Package apply carries approved plans to the routers. It is the only code that
// orders a router write.
//
// The Engine takes up every approved request, locks its routers, checks that the
// rights still stand and that the routers still hold what the plan was computed
// from, and then journals, writes, reads back and compares, step by step. What it
// believes about a row it has read; an answer that got lost is replaced by
// another look, never by a guess.
//
// A change to one row knows these beliefs about it:
//
//	absent    the row is not there: the write did not happen and is repeated
//	ours      the row carries this step's generation mark and the planned values
//	altered   it carries the mark and other values: somebody changed it since
//	foreign   a row of that name stands there without the mark
//
// A restarted bot calls the same code for every request that is "applying": it
// looks first and continues from what it sees. Locks are held in memory, by
// router, and begin with the bot; a request that needs attention keeps its
// subject locked through the ledger.
package apply
