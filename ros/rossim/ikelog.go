package rossim

import (
	"fmt"
	"net/netip"

	"vpnbot/ros/schema"
)

// The lines are those that routers are known to write, or that the racoon
// daemon writes, from which RouterOS took its IKEv1; for IKEv2 few are known.
const (
	ipsecInfo  = "ipsec,info"
	ipsecError = "ipsec,error"
	ipsecDebug = "ipsec,debug"
)

func exchangeName(mode string) string {
	switch mode {
	case "aggressive":
		return "Aggressive"
	case "base":
		return "Base"
	}
	return "Identity Protection"
}

func at(a netip.Addr, port string) string { return fmt.Sprintf("%s[%s]", a, port) }

func (in *Internet) tellBegin(n *node, o *opening) {
	i := in.byName[n.name]
	local, remote := at(o.out.inside, "500"), at(o.in.public, "500")
	if o.exchange == "ike2" {
		in.tell(i, ipsecInfo, fmt.Sprintf("new ike2 SA (I): %s %s-%s spi:%s:%s", o.initiator["name"], local, remote, o.cookie, noCookie))
		return
	}
	in.tell(i, ipsecInfo, fmt.Sprintf("initiate new phase 1 (%s): %s<=>%s", exchangeName(o.exchange), local, remote))
}

func (in *Internet) tellTimeUp(n *node, o *opening) {
	i := in.byName[n.name]
	local, remote := at(o.out.inside, "500"), at(o.in.public, "500")
	if o.exchange == "ike2" {
		in.tell(i, ipsecInfo, fmt.Sprintf("killing ike2 SA: %s %s-%s spi:%s:%s", o.initiator["name"], local, remote, o.cookie, noCookie))
		return
	}
	in.tell(i, ipsecError, fmt.Sprintf("phase1 negotiation failed due to time up %s<=>%s %s:%s", local, remote, o.cookie, noCookie))
}

// tellUp says at both ends that a phase 1 is there.
func (in *Internet) tellUp(k *ike) {
	for e, end := range k.ends {
		local, remote := at(end.local, k.port()), at(end.remote, k.port())
		spi := k.cookies[0] + ":" + k.cookies[1]
		if k.v2() {
			peer, _ := in.row(end.node, "/ip/ipsec/peer", end.peer)
			if e == 1 {
				in.tell(end.node, ipsecInfo, fmt.Sprintf("new ike2 SA (R): %s %s-%s spi:%s", peer["name"], local, remote, spi))
			}
			in.tell(end.node, "ipsec,info,account", fmt.Sprintf("peer authorized: %s %s-%s spi:%s", peer["name"], local, remote, spi))
			continue
		}
		if e == 1 {
			in.tell(end.node, ipsecInfo, fmt.Sprintf("respond new phase 1 (%s): %s<=>%s", exchangeName(k.exchange), at(end.local, "500"), at(end.remote, "500")))
		}
		in.tell(end.node, ipsecInfo, fmt.Sprintf("ISAKMP-SA established %s-%s spi:%s", local, remote, spi))
	}
}

// tellDown says at one end that a phase 1 is gone, and how.
func (in *Internet) tellDown(k *ike, e int, how string) {
	if how == "boot" {
		return
	}
	end := k.ends[e]
	local, remote := at(end.local, k.port()), at(end.remote, k.port())
	spi := k.cookies[0] + ":" + k.cookies[1]
	if k.v2() {
		if how != "rekey" {
			peer, _ := in.row(end.node, "/ip/ipsec/peer", end.peer)
			in.tell(end.node, ipsecInfo, fmt.Sprintf("killing ike2 SA: %s %s-%s spi:%s", peer["name"], local, remote, spi))
		}
		return
	}
	if how == "dpd" || how == "purging" {
		in.tell(end.node, ipsecInfo, fmt.Sprintf("purging ISAKMP-SA %s<=>%s spi=%s.", local, remote, spi))
	}
	in.tell(end.node, ipsecInfo, fmt.Sprintf("ISAKMP-SA deleted %s-%s spi:%s rekey:1", local, remote, spi))
}

// tellFaults writes what both ends log of the first thing that failed. A packet
// that nobody answers shows at the end that sent it, when its time is up.
func (in *Internet) tellFaults(o *opening) {
	if len(o.outcome.Faults) == 0 {
		return
	}
	f := o.outcome.Faults[0]
	lines := ike1Lines
	if o.exchange == "ike2" {
		lines = ike2Lines
	}
	theirs, ours := lines(f, o)
	for _, l := range theirs {
		in.tell(o.to, l.topics, l.text)
	}
	for _, l := range ours {
		in.tell(o.from, l.topics, l.text)
	}
	if f.Stage == schema.StagePhase2 {
		in.grow(o.from, "out-no-states", 0, 1)
	}
}

type line struct{ topics, text string }

// ike1Lines are the responder's and the initiator's lines for an IKEv1 fault.
func ike1Lines(f schema.Fault, o *opening) (theirs, ours []line) {
	from, to := o.out.public.String(), o.in.public.String()
	respond := line{ipsecInfo, fmt.Sprintf("respond new phase 1 (%s): %s<=>%s", exchangeName(o.exchange), at(o.in.inside, "500"), at(o.out.public, "500"))}
	rejected := line{ipsecDebug, fmt.Sprintf("rejected %s: DB(prop#1:trns#1):Peer(prop#1:trns#1) = %s:%s", f.Attr, f.Responder, f.Initiator)}
	failed := line{ipsecError, from + " phase1 negotiation failed."}
	switch f.Stage {
	case schema.StagePeer:
		if f.Code == schema.FaultExchange {
			return []line{{ipsecError, "exchange " + exchangeName(o.exchange) + " not allowed in any applicable rmconf."}}, nil
		}
		return []line{{ipsecError, from + " peer not configured"}}, nil
	case schema.StagePhase1:
		return []line{
			respond, rejected,
			{ipsecError, "no suitable proposal found."},
			{ipsecError, from + " failed to get valid proposal."},
			{ipsecError, from + " failed to pre-process ph1 packet (side: 1, status 1)."},
			failed,
		}, nil
	case schema.StageAuth:
		if f.Code == schema.FaultKey {
			return []line{respond, {ipsecError, from + " parsing packet failed, possible cause: wrong password"}, failed}, nil
		}
		return []line{respond, {ipsecError, from + " failed to pre-process ph1 packet (side: 1, status 1)."}, failed}, nil
	case schema.StagePhase2:
		ours = []line{{ipsecError, to + " give up to get IPsec-SA due to time up to wait."}}
		unprocessed := line{ipsecError, from + " failed to pre-process ph2 packet (side: 1, status 1)."}
		switch f.Code {
		case schema.FaultNoPolicy, schema.FaultSelectors, schema.FaultDisabled, schema.FaultInvalid:
			return []line{{ipsecError, "no policy found/generated"}, unprocessed}, ours
		}
		return []line{rejected, {ipsecError, "no suitable proposal found."}, unprocessed}, ours
	}
	return nil, nil
}

// ike2Lines are those for an IKEv2 fault.
func ike2Lines(f schema.Fault, o *opening) (theirs, ours []line) {
	local, remote := at(o.in.inside, "500"), at(o.out.public, "500")
	spi := o.cookie + ":" + noCookie
	respond := line{ipsecInfo, fmt.Sprintf("new ike2 SA (R): %s-%s spi:%s", local, remote, spi)}
	kill := line{ipsecInfo, fmt.Sprintf("killing ike2 SA: %s-%s spi:%s", local, remote, spi)}
	notify := func(name string) (line, []line) {
		return line{ipsecDebug, "reply notify: " + name}, []line{{ipsecError, "got fatal error: " + name}}
	}
	switch f.Stage {
	case schema.StagePeer:
		return []line{{ipsecError, o.out.public.String() + " peer not configured"}}, nil
	case schema.StagePhase1:
		reply, ours := notify("NO_PROPOSAL_CHOSEN")
		return []line{respond, {ipsecError, "no proposal chosen"}, reply, kill}, ours
	case schema.StageAuth:
		reply, ours := notify("AUTHENTICATION_FAILED")
		if f.Code == schema.FaultKey {
			return []line{respond, {ipsecError, "authentication failed for " + o.out.public.String()}, reply, kill}, ours
		}
		text := fmt.Sprintf("identity not found for responder: ADDR4:%s peer: ADDR4:%s", o.in.inside, o.out.public)
		return []line{respond, {ipsecError, text}, reply, kill}, ours
	case schema.StagePhase2:
		switch f.Code {
		case schema.FaultNoPolicy, schema.FaultSelectors, schema.FaultDisabled, schema.FaultInvalid, schema.FaultMode:
			reply, _ := notify("TS_UNACCEPTABLE")
			return []line{{ipsecError, "no policy found/generated"}, reply}, []line{{ipsecError, "got error: TS_UNACCEPTABLE"}}
		}
		reply, _ := notify("NO_PROPOSAL_CHOSEN")
		return []line{{ipsecError, "no proposal chosen"}, reply}, []line{{ipsecError, "got error: NO_PROPOSAL_CHOSEN"}}
	}
	return nil, nil
}
