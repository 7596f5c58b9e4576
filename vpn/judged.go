package vpn

import (
	"net/netip"
	"time"

	"vpnbot/change"
)

// Verdict is what is true of a tunnel.
type Verdict string

// The verdicts. UP, UP-ONE-WAY and IDLE need both ends; DOWN may be proven from
// one.
const (
	Up       Verdict = "UP"
	UpOneWay Verdict = "UP-ONE-WAY"
	Idle     Verdict = "IDLE"
	Down     Verdict = "DOWN"
	Unknown  Verdict = "UNKNOWN"
)

// Judged is a tunnel's verdict with what it rests on.
type Judged struct {
	Tunnel  Tunnel
	Verdict Verdict
	Reason  change.Text   // why, always
	Notes   []change.Text // what else was found, most telling first
	Sides   [2]Side       // in the order of Tunnel.Ends
	// Flows are the packets from Sides[0] to Sides[1] and back, counted over
	// Window. Window is zero when no two samples could be compared.
	Flows  [2]Flow
	Window time.Duration
}

// Flow is what one direction of the tunnel carried: packets of SPIs that both
// ends know, as the sender and as the receiver counted them.
type Flow struct {
	Sent, Received uint64
}

// Side is what one end says of the tunnel.
type Side struct {
	Site, Router string
	At           time.Time // when the router was asked
	Err          error     // why it said nothing, nil when it did
	Peers        []Peer
	Policies     []Policy // one for each pair of prefixes that the definition wants
	Phase1       []ActivePeer
	SAs          []SA
}

// Established counts the policies that carry traffic according to the router.
func (s Side) Established() (n, of int) {
	for _, p := range s.Policies {
		if p.Established() {
			n++
		}
	}
	return n, len(s.Policies)
}

// Peer is a row of /ip/ipsec/peer that leads to the other end.
type Peer struct {
	Name, Address, Exchange, Profile string
	Disabled, Passive, Dynamic       bool
	Shadowed                         bool // RouterOS says that another peer answers instead
}

// Policy is a wanted pair of selectors and the row that carries it: of several
// the one that does most.
type Policy struct {
	Selectors
	Rows     int // enabled or not; 0: missing
	Disabled bool
	Invalid  bool
	Dynamic  bool // made from a template
	Peers    []string
	Proposal string
	State    string // ph2-state
}

// Established tells whether the policy is on and has its SAs.
func (p Policy) Established() bool {
	return p.Rows > 0 && !p.Disabled && !p.Invalid && p.State == established
}

// ActivePeer is a row of /ip/ipsec/active-peers: phase 1.
type ActivePeer struct {
	Local, Remote      netip.Addr
	Port               string // of the other end, when the router tells it
	ID                 string // what the other end calls itself
	State              string
	Initiator          bool
	NATT               bool
	SPII, SPIR         string // the cookies, equal on both ends
	Uptime, LastSeen   time.Duration
	RxBytes, RxPackets uint64
	TxBytes, TxPackets uint64
	Matched            bool // the other end has the same cookies, established
}

// SA is a row of /ip/ipsec/installed-sa: one direction of phase 2. It names no
// policy, so nobody can say which selectors it serves.
type SA struct {
	SPI                 string // "0xAE15DFC"
	Out                 bool   // from this end to the other
	Source, Destination string // with port under NAT-T
	State               string
	Encryption, Auth    string
	KeySize             string
	// Age and Left are the router's own; both are zero before the first packet.
	Age, Left      time.Duration
	Bytes, Packets uint64
	Matched        bool // the other end has the same SPI in the other direction

	number uint32
}

// live tells whether packets may still use the SA.
func (a SA) live() bool { return a.State == mature || a.State == dying }
