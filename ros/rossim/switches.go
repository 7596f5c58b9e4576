package rossim

import "time"

// Switches are behaviours that no source proves. The zero value of each is what
// a router most likely does.
type Switches struct {
	// Seed starts the row of cookies, SPIs and jitters.
	Seed uint64
	// StartAfter is the time from the moment at which rows ask for a tunnel to
	// the first packet; one second when zero.
	StartAfter time.Duration
	// BootTime is how long after a reboot IKE is silent; ten seconds when zero.
	BootTime time.Duration
	// Retransmit is the time between the packets of a phase 1 that nobody
	// answers, and TimeUp the time after which it is given up: 10 and 60 seconds
	// when zero. A new one begins RetryAfter later, 10 seconds when zero.
	Retransmit, TimeUp, RetryAfter time.Duration
	// IKE2Failures is how many intervals of dead peer detection IKEv2 waits: it
	// ignores dpd-maximum-failures. Five when zero.
	IKE2Failures int
	// SimultaneousOpen lets both ends of a tunnel bring up a phase 1 of their own
	// when both initiate; otherwise the second to begin makes do with the first.
	SimultaneousOpen bool
	// PeerEdits are the attributes of a peer whose change ends its phase 1 and
	// SAs: address, exchange-mode, profile, local-address, port and disabled when
	// nil.
	PeerEdits []string
	// PeerRemovalKeeps leaves the phase 1 and SAs of a peer that is removed until
	// they end by themselves; otherwise they go with it.
	PeerRemovalKeeps bool
	// IdentityEditDrops makes a change of secret, IDs or method of an identity
	// end its peer's phase 1; ProfileEditDrops that of a profile. Otherwise they
	// hold from the next negotiation on.
	IdentityEditDrops, ProfileEditDrops bool
	// ProposalEditDrops makes a change of a proposal end the SAs under it.
	ProposalEditDrops bool
	// PolicyEditKeeps makes a policy keep its SAs when it is given another peer.
	PolicyEditKeeps bool
	// DeleteNotify tells the other end at once when a phase 1 is removed on
	// purpose; otherwise dead peer detection finds out.
	DeleteNotify bool
	// InitialContact says what send-initial-contact purges at the responder: older
	// phase 1s of the same "peer" row and address (the default), everything from
	// the same "address", or "nothing".
	InitialContact string
	// NoAttemptRows leaves a phase 1 that nobody has answered out of active-peers.
	NoAttemptRows bool
	// DropOldSAs makes IKEv1 delete the old SAs as soon as new ones replace them, as
	// IKEv2 does; otherwise they are dying until they expire.
	DropOldSAs bool
	// KeepaliveEnds is how long a dial-in session outlives its IPsec; 30 seconds
	// when zero.
	KeepaliveEnds time.Duration
}

// SetSwitches changes what no source proves from here on.
func (in *Internet) SetSwitches(edit func(*Switches)) {
	in.with(func() {
		edit(&in.opts.Switches)
		in.opts.Switches = in.opts.Switches.filled()
	})
}

// filled puts the values in where the zero value stands for one.
func (s Switches) filled() Switches {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&s.StartAfter, time.Second},
		{&s.BootTime, 10 * time.Second},
		{&s.Retransmit, 10 * time.Second},
		{&s.TimeUp, time.Minute},
		{&s.RetryAfter, 10 * time.Second},
		{&s.KeepaliveEnds, 30 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if s.IKE2Failures == 0 {
		s.IKE2Failures = 5
	}
	if s.PeerEdits == nil {
		s.PeerEdits = []string{"address", "exchange-mode", "profile", "local-address", "port", "disabled"}
	}
	if s.InitialContact == "" {
		s.InitialContact = "peer"
	}
	return s
}
