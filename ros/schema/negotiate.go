package schema

import "net/netip"

// Attempt is one end calling another over IKE: the first packet, and whoever may
// answer it. The simulator asks a negotiator with it, a plan asks the model.
type Attempt struct {
	Initiator, Responder Party
	// Peer is the .id of the initiator's row in /ip/ipsec/peer. It is empty when
	// the initiator is a dial-in client.
	Peer string
	// Rekey asks about the SAs that replace the first ones. IKEv2 applies pfs-group
	// to them alone: the first pair takes its keys from the IKE SA (RFC 7296, 1.2).
	Rekey bool
}

// Party is one end of an attempt: a router, or a computer that dials in.
type Party struct {
	Name string
	// Rows are the router's rows by menu path, in the router's order, dynamic
	// rows included, each with its .id. What negotiation reads: /ip/ipsec/peer,
	// profile, identity, policy, policy/group, proposal, /ip/address and the L2TP
	// server.
	Rows map[string][]Row
	// Keys tells pre-shared keys apart: two identities with equal texts have one
	// key. It is by the identity's .id; an identity that is missing has a key
	// that nobody knows. A simulator gives the keys themselves, the bot its key
	// marks.
	Keys map[string]string
	// Names are the DNS names that this party can resolve.
	Names map[string]netip.Addr
	// Local is the address that the party sends from, Seen the one that the other
	// end sees. They differ behind NAT.
	Local, Seen netip.Addr
	// Client is set for a computer that dials in; Rows is empty then.
	Client *Client
}

// Client is a computer's own VPN client for L2TP/IPsec.
type Client struct {
	// System is "windows", "macos", "ios" or "android".
	System string
	// Key is its pre-shared key, told apart as Party.Keys tells keys apart; empty
	// means that nobody knows it.
	Key string
}

// Verdict is what two ends come to.
type Verdict string

// The verdicts of a negotiation.
const (
	Agree      Verdict = "agree"
	Disagree   Verdict = "disagree"
	CannotTell Verdict = "cannot tell"
)

// Outcome is what an attempt comes to. With verdict Agree both phases are up for
// every policy of the peer; Phase1 and Phase2 tell what is up with any verdict.
type Outcome struct {
	Verdict Verdict
	// Phase1 is nil when phase 1 did not come up, or nobody can tell.
	Phase1 *Phase1
	Phase2 []Phase2
	// Answered is the responder's row in /ip/ipsec/peer that takes the first packet,
	// whatever follows; its ID is empty when none does.
	Answered RowRef
	// Faults are the first thing that fails, and then each further one that
	// would, were those before it mended.
	Faults []Fault
	// Unknown is what is missing for a verdict, in the same form: the row and the
	// attribute that nobody can read or that the model does not know.
	Unknown []Fault
	// Hints explain the faults, or warn beside an agreement; nothing fails by them
	// alone: the row that answers is not the one that is meant, the first rekey
	// will fail.
	Hints []Fault
}

// Phase1 is an agreed ISAKMP or IKE SA. Algorithm names are RouterOS's.
type Phase1 struct {
	Exchange     string // main, aggressive or ike2
	Encryption   string // aes-256
	Hash         string // sha256
	DHGroup      string // modp2048
	NATTraversal bool
	Peer         string // .id of the responder's row in /ip/ipsec/peer
	Identity     string // .id of the responder's identity
	OwnIdentity  string // .id of the initiator's identity
	LifetimeText string // the lifetime that applies, as RouterOS writes it
	ServesL2TP   bool   // the dynamic peer of the L2TP server answered
	Ref          string // what a judge that keeps it calls it
}

// Phase2 is an agreed pair of IPsec SAs.
type Phase2 struct {
	// Policies are the .ids of the rows in /ip/ipsec/policy; the responder's is
	// that of a template when it generates a policy.
	InitiatorPolicy, ResponderPolicy string
	Generated                        bool
	Tunnel                           bool // false: transport mode
	Protocol                         string
	Encryption                       string // aes-256-cbc
	Auth                             string // sha256; empty with an AEAD
	PFSGroup                         string // none
	LifetimeText                     string
	Ref                              string // what a judge that keeps it calls it
	// Source and Destination are the selectors, as the initiator sees them.
	Source, Destination netip.Prefix
}

// Stage is how far an attempt came.
type Stage string

// The stages of an attempt, in order.
const (
	StageReach  Stage = "reach"  // no packet, or no answer, or nobody initiates
	StagePeer   Stage = "peer"   // the responder has no peer for this packet
	StagePhase1 Stage = "phase1" // algorithms of phase 1
	StageAuth   Stage = "auth"   // key and IDs
	StagePhase2 Stage = "phase2" // policies, selectors and algorithms of phase 2
)

// Fault is one thing that two ends do not agree on.
type Fault struct {
	Stage Stage
	// Code names the fault: see the constants.
	Code string
	// Attr is the attribute at fault, as RouterOS names it.
	Attr string
	// Initiator and Responder are what each end says; never a secret.
	Initiator, Responder       string
	InitiatorRow, ResponderRow RowRef
}

// RowRef names a row at one end.
type RowRef struct {
	Menu, ID string
}

// The codes of faults.
const (
	FaultDisabled   = "disabled"          // a row that the attempt needs is disabled
	FaultPassive    = "passive"           // this end does not initiate
	FaultUnresolved = "unresolved"        // the name of the peer has no address
	FaultElsewhere  = "elsewhere"         // the peer's address is not the responder's
	FaultNoPeer     = "no-peer"           // no row answers this address and exchange mode
	FaultOtherPeer  = "other-peer"        // a row that is not meant answers: the most specific
	FaultExchange   = "exchange-mode"     // the modes differ
	FaultNoIdentity = "no-identity"       // the peer has no identity
	FaultProposal   = "no-proposal"       // no common transform; Attr says which
	FaultKey        = "key"               // the keys differ
	FaultID         = "id"                // my-id is not what the other end expects
	FaultMethod     = "auth-method"       // the authentication methods differ
	FaultNoPolicy   = "no-policy"         // the responder has no policy and generates none
	FaultSelectors  = "selectors"         // policies that do not mirror each other
	FaultMode       = "mode"              // tunnel against transport
	FaultProtocol   = "ipsec-protocols"   // ESP against AH
	FaultPFS        = "pfs-group"         // the groups differ
	FaultInvalid    = "invalid"           // another policy has the same selectors
	FaultNAT        = "nat"               // the responder is behind NAT: no first packet reaches it
	FaultTraversal  = "nat-traversal"     // NAT in between, and NAT traversal is off or the protocol is AH
	FaultLifetime   = "proposal-check"    // a lifetime that the responder does not take
	FaultUnknownRow = "unknown-value"     // a value that the model does not know
	FaultNoRow      = "missing-reference" // a row names another that is not there
)
