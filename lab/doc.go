// Package lab lets two real IKE daemons negotiate what two routers' rows say.
//
// A Lab is two routers on one wire, each with a host behind it, in network
// namespaces of its own, and a strongSwan daemon on each router. Negotiate
// translates the rows of both parties of an attempt for the daemons, lets the
// initiator call and reads back what came up, or the first thing that failed.
// It judges by code that others wrote, so the simulator comes up, or fails, by a
// judgement that is not this module's own; the tests here hold vpn/ike's model
// against it.
//
// A Live goes on from there: it follows two simulated routers write by write, keeps
// what came up until the simulator says that a router has lost it, and carries
// packets between the hosts meanwhile. So a change of a tunnel can be played under
// traffic: a Talk counts pings that are lost, and a Tap what leaves in clear.
//
// ESP runs in the daemons themselves, over TUN, because not every kernel has it.
// A lab needs root, /dev/net/tun and Debian's strongSwan 5.9; Missing tells what
// is not there. Everything that a lab starts dies with its process.
//
// # What the daemons cannot judge
//
// strongSwan is not RouterOS. Where the two differ, the translation follows what
// is known of RouterOS, and vpn/ike has to be right by that source alone:
//
//	what                                strongSwan                        followed instead
//	which peer answers a packet         IDs and algorithms count too      the vendor's manual, IPsec, Peers: the largest netmask,
//	                                                                      then exchange mode and local address; only that peer
//	                                                                      is loaded among those that fit
//	main against aggressive             looked at after algorithms and    the manual, as above: the mode is part of the choice of
//	                                    keys                              the peer; everything else is made to agree
//	selectors that overlap              narrowed to what both have        the manual, IPsec, Policies: both ends mirror; such a
//	                                                                      policy of the responder is left out
//	order of policies, two policies     the best fit is taken             the manual, Policies: the first; a second one with the
//	with equal selectors                                                  same addresses is invalid
//	templates, groups, generate-policy  none; a wide selector is          the manual, Policies, templates: a template that covers
//	                                    narrowed                          what is asked is loaded as such a selector
//	transport mode                      not in user space                 the manual and RFC 3948: not played, CannotTell
//	transport against tunnel in IKEv2   falls back to tunnel mode         RFC 7296, 1.3.1; not played, CannotTell
//	lifetimes, proposal-check           never compared                    the manual, Profiles: claim, exact, obey, strict; the
//	                                                                      initiator's lifetimes are what an outcome says
//	NAT traversal                       always on                         the manual, Profiles, nat-traversal
//	several groups in aggressive mode   the key of the first, and a       RFC 2409, 5: the group cannot be negotiated; which one
//	                                    refusal when it is not the one    RouterOS sends no source says
//	remote-id=auto                      has no such word                  the manual, Identities: accepts every ID
//	names and key IDs in IKEv1          taken                             the manual, Identities: for IKEv2 only; what a router
//	                                                                      does with one in IKEv1 it does not say
//	AH asked of a template              refused                           whether a template's ipsec-protocols counts no source
//	                                                                      says
//	level                               unknown                           the manual, Policies
//	PFS of the first child in IKEv2     seen at its first rekeying        RFC 7296, 1.2: the lab rekeys each child once
//	who initiates                       as told                           the manual, Peers: passive, responder, any address
//	several identities of a peer        one connection each               the manual, Identities; only the first is loaded
//	certificates, XAuth, EAP            not set up here                   CannotTell
//
// # What a Live does not judge
//
//	what                                here                              followed instead
//	a policy without SAs                the daemon has none; nft drops    the manual, Policies, level: the simulator's rows say at
//	                                    what leaves by the WAN            every write which there are
//	when an end calls, gives up, loses  as told                           the simulator and its Switches
//	that an end was lost                the daemon tells the other end    the manual does not say; there the simulator has dead
//	                                    at once                           peer detection, so that its rows may lag behind
//	cookies, SPIs in rows               the simulator's own numbers       Held shows the daemons'
//	pings that a router is asked for    the simulator's own answer        Talk and Ping, of hosts behind it, go through the daemons
//	connections that are tracked        the kernel's, by its own rules    the simulator's table is another
//	SAs that replace those at the end   not played                        nothing here lasts so long
//	of their lifetime
//
// # A dial-in server
//
// L2TP needs transport mode and PPP, which take a kernel that has them.
// DialInServer translates a router's rows for a guest under QEMU, in which
// testdata/dialin lets a computer dial in before, after and beside what the rows
// say. There strongSwan, xl2tpd, pppd and nft stand for RouterOS:
//
//	what                                here                              followed instead
//	generated policies                  the daemon makes them             the template of the default group says which proposal
//	an active session's row is removed  pppd is told to end               the simulator says that it is gone
//	a new pre-shared key                counts from the next phase 1      the manual does not say what becomes of the old one
//	change-tcp-mss, only-one,           not played                        the vendor's manual, PPP AAA
//	keepalives, limits of sessions
package lab
