// Package ike is a pure model of how two RouterOS routers, or a router and a
// computer that dials in, negotiate IPsec. It reads the rows of both ends and says
// what an attempt comes to: both phases up, or the first thing that fails and each
// further one that would, or what is missing for a verdict.
//
// # An attempt, step by step
//
// The caller needs an enabled peer that is not passive and names one address, and
// an identity for it (stage reach). The called router picks a peer by the first
// packet, before it knows who is calling: the exchange mode must be the same, its
// local-address, if set, must be the one called, and among the addresses that
// contain the caller's the longest prefix wins (stage peer). Then come the
// algorithms of phase 1, in the caller's order (stage phase1), key and IDs (stage
// auth), and each policy of the caller's peer (stage phase2).
//
// That choice by address explains why a Windows computer cannot dial in from
// behind the public address of a site: an L2TP client speaks IKEv1 main mode, the
// site's own peer is main with exactly that address, and it beats the dynamic peer
// l2tp-in-server, which takes any address. With the tunnel on ike2 the site's peer
// does not answer main mode, and the dynamic one does.
//
// # What the verdict rests on
//
// The verdict follows the first finding. A certain fault decides Disagree although
// something further on cannot be read; something that cannot be read decides
// CannotTell although a certain fault stands further on, because nobody can say
// which of the two fails first. All of them are listed either way. Rows that the
// attempt does not touch are not judged.
//
// A value that the model does not know, an address that does not parse, a row that
// names another which is not there: each is named, none is guessed, none panics.
//
// # Sources
//
// The vendor's page on IPsec for everything about rows; RFC 2408 and 2409 for
// IKEv1, RFC 7296 for IKEv2, RFC 3947 and 3948 for NAT traversal. Where the page is
// silent and other sources disagree, a field of Model names both readings.
//
// Not modelled: certificates, EAP and XAuth, mode config, post-quantum keys,
// lifebytes, policies between two other policies (their order is the business of a
// diagnosis), several dial-in computers behind one NAT, firewalls.
package ike
