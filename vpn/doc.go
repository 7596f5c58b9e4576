// Package vpn holds the estate as plain data: sites, their routers, LAN prefixes
// and WANs, and the definitions of tunnels and dial-in servers. It plans changes
// as pure functions of an intent, a definition and what the routers hold now.
//
// Judge joins what both routers of a tunnel say into a Verdict with a reason. It
// finds rows by what they are: selectors, addresses, IDs, cookies, SPIs; never by
// names or comments. It reads no clock but the routers' own ages and the times at
// which they were asked.
//
// A planner returns a change.Plan or a *Refusal: one sentence and one hint for
// the person who asked, as data. Any other error means that the planner was
// called with too little to plan from.
//
// A site is found by its name or by one of its aliases. Names compare without
// regard to case; Unicode normalisation is the caller's.
package vpn
