// Package rossim is a RouterOS stand-in: a router that exists only in memory
// and speaks the binary API of RouterOS over any net.Listener, plain or TLS.
// Clients written by others work against it unchanged.
//
// A Router holds rows in menus, checks what is written into them as RouterOS
// does, knows users, groups and their policies, writes a log, lets L2TP
// clients dial in and can be rebooted, copied and broken on purpose (Faults).
// Tests and the demo reach the same rows beside the wire, as an administrator
// in WinBox would (Add, Set, Remove, Rows).
//
// An Internet joins routers: who owns an address, what NAT stands in front,
// which lines are cut. An injected Negotiator judges each first packet; tunnels
// come up, are renewed, fall silent and go, with the rows and log lines of real
// routers at both ends, and flows and pings go the way that policies and
// translation give them. Switches name the behaviours between routers that no
// source proves, Tables those of menus and rows.
//
// Scripts run: what the scheduler begins, what /execute sends and what
// /system/script holds (package script says which language). They write with
// the rights that they have, through the same checks as everybody. Scripting
// names what no source proves of them.
//
// It shares facts about menus with the client through ros/schema, and no code:
// its wire codec is its own, so that the two can disagree.
//
// # Not modelled
//
// What an Internet leaves out: routing (every router has one way out, by its
// main address), firewall filters, mangle, destination NAT, fasttrack, the MTU,
// traffic inside dial-in sessions, mode config, EAP and certificates, several
// dial-in clients behind one address that disturb each other, extended ISAKMP
// exchanges. A router that is attached to none negotiates nothing: of a dial-in
// client's IPsec only the pre-shared key is compared then.
//
// RADIUS, certificates as rows with meaning, safe mode, /export, /undo and
// /redo, licence limits, IPv6 dial-in, print's interval and group-by, time zones
// (the clock is UTC). Of scripts, what package script does not know, script
// variables that outlive a run, and output: /execute with as-string answers
// nothing but why a script stopped. Commands that a menu lists and nobody carries
// out here (reset, what makes keys and certificates, files) are refused as not
// supported. Ranges of numbers that no source tells are not checked.
//
// What the sources of the facts leave open is a choice here: texts of rarely
// seen failures, the .about texts, and the order in which a pool hands out
// its addresses (lowest free first).
//
// Profiles are the RouterOS versions that a Router plays; each has the menus,
// attributes, defaults and forms of its version. The menus under data come from
// the console dumps of tikoci/restraml (The Unlicense); those of 6.49, of which
// there is no dump, from a public export and the dump of 7.9.
package rossim
