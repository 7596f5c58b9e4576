package ike

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// authenticate picks the responder's identity and compares keys and IDs. IKEv1 with
// a pre-shared key needs the key before it can read the ID (RFC 2409, 5.4), so the
// identity follows from the peer, and a wrong key hides a wrong ID. IKEv2 has the ID
// first and picks the identity by it (RFC 7296, 2.15).
func (n *negotiation) authenticate() {
	if n.ikev1() {
		n.calleeI, n.ok.calleeI = n.first(n.to, n.callee, n.noIdentity)
	} else {
		n.calleeI, n.ok.calleeI = n.byID()
	}
	if n.ok.calleeI {
		n.unread(schema.StageAuth, base{}, n.calleeI.base)
		n.ike.Identity = n.calleeI.ref.ID
	}
	if n.ok.callerI {
		n.ike.OwnIdentity = n.callerI.ref.ID
	}
	if !n.ok.calleeI || !n.ok.callerI {
		return
	}
	if !n.comparable() {
		return
	}
	n.keys()
	n.ids()
}

func (n *negotiation) noIdentity(code string, row schema.RowRef) {
	n.fault(schema.StageAuth, code, "identity", said{}, says(row, n.callee.name))
}

// byID picks the identity whose remote-id takes the caller's ID.
func (n *negotiation) byID() (identity, bool) {
	mine := n.callerI.mine.sent(n.from.local)
	var all []identity
	for _, p := range n.peersForID() {
		for _, i := range n.to.identities(p) {
			if i.disabled && !i.misses("disabled") {
				continue
			}
			if i.misses("remote-id", "disabled") {
				n.unread(schema.StageAuth, base{}, i.base)
				continue
			}
			all = append(all, i)
		}
	}
	if !n.ok.callerI || len(all) == 0 {
		return n.first(n.to, n.callee, n.noIdentity)
	}
	if !n.IdentitiesInOrder {
		if k := slices.IndexFunc(all, func(i identity) bool { return !i.theirs.open() && i.theirs == mine }); k >= 0 {
			return all[k], true
		}
	}
	if k := slices.IndexFunc(all, func(i identity) bool { return n.accepts(i.theirs, mine, n.from.seen) }); k >= 0 {
		return all[k], true
	}
	var want []string
	for _, i := range all {
		want = append(want, i.theirs.text())
	}
	n.fault(schema.StageAuth, schema.FaultID, "remote-id", says(n.callerI.ref, mine.text()), says(all[0].ref, strings.Join(want, " ")))
	return all[0], true
}

// peersForID are the peers among whose identities the caller's ID is looked for.
func (n *negotiation) peersForID() []peer {
	peers := []peer{n.callee}
	if !n.IdentitiesOfAllPeers {
		return peers
	}
	var fit []candidate
	for _, p := range n.to.peers() {
		if c, ok := n.fits(p); ok && !c.disabled && c.exchange == n.caller.exchange && n.calledAt(c.peer) && c.ref != n.callee.ref {
			fit = append(fit, c)
		}
	}
	slices.SortStableFunc(fit, n.rank)
	for _, c := range fit {
		peers = append(peers, c.peer)
	}
	return peers
}

// comparable tells whether both ends authenticate by a pre-shared key; otherwise it
// notes what stands in the way.
func (n *negotiation) comparable() bool {
	const psk = "pre-shared-key"
	from, to := n.callerI, n.calleeI
	switch {
	case from.misses("auth-method") || to.misses("auth-method"):
		return false
	case from.method == psk && to.method == psk:
		return true
	case from.method == to.method:
		// Certificates, XAuth, EAP: rows do not show what it would take.
		n.unknown(schema.StageAuth, schema.FaultMethod, "auth-method", says(from.ref, from.method), says(to.ref, to.method))
	case n.ikev1():
		// Noted with the transforms of phase 1.
	case from.method != psk && to.method != psk:
		// The two directions of IKEv2 may use two methods, as EAP does.
		n.unknown(schema.StageAuth, schema.FaultMethod, "auth-method", says(from.ref, from.method), says(to.ref, to.method))
	default:
		n.fault(schema.StageAuth, schema.FaultMethod, "auth-method", says(from.ref, from.method), says(to.ref, to.method))
	}
	return false
}

// keys compares the pre-shared keys, as far as anybody knows them.
func (n *negotiation) keys() {
	from, to := n.from.Keys[n.callerI.ref.ID], n.to.Keys[n.calleeI.ref.ID]
	if n.from.Client != nil {
		from = n.from.Client.Key
	}
	known := map[bool]string{true: "known", false: "unknown"}
	a, b := says(n.callerI.ref, known[from != ""]), says(n.calleeI.ref, known[to != ""])
	switch {
	case from == "" || to == "":
		n.unknown(schema.StageAuth, schema.FaultKey, "secret", a, b)
	case from != to:
		n.fault(schema.StageAuth, schema.FaultKey, "secret", says(n.callerI.ref, ""), says(n.calleeI.ref, ""))
	}
}

// ids compares what each end says it is with what the other expects.
func (n *negotiation) ids() {
	from, to := n.callerI, n.calleeI
	mine, theirs := from.mine.sent(n.from.local), to.mine.sent(n.to.local)
	if n.ikev1() {
		n.namesInIKEv1()
		if !to.misses("remote-id") && !from.misses("my-id") && !n.accepts(to.theirs, mine, n.from.seen) {
			n.fault(schema.StageAuth, schema.FaultID, "remote-id", says(from.ref, mine.text()), says(to.ref, to.theirs.text()))
		}
	}
	if from.misses("remote-id") || to.misses("my-id") {
		return
	}
	switch {
	case !n.accepts(from.theirs, theirs, n.to.seen):
		// In IKEv2 the caller asks for this ID, and the responder refuses already.
		n.fault(schema.StageAuth, schema.FaultID, "my-id", says(from.ref, from.theirs.text()), says(to.ref, theirs.text()))
	case !n.ikev1() && n.StrictIDr && to.mine.kind != idAuto && from.theirs.open():
		n.fault(schema.StageAuth, schema.FaultID, "my-id", says(from.ref, from.theirs.text()), says(to.ref, theirs.text()))
	}
}

// namesInIKEv1 knows that names and key IDs are for IKEv2: the vendor's page says so
// of remote-id; what an IKEv1 router makes of such a my-id, it does not say.
func (n *negotiation) namesInIKEv1() {
	for _, i := range []struct {
		identity
		from bool
	}{{n.callerI, true}, {n.calleeI, false}} {
		pair := func(text string) (said, said) {
			if i.from {
				return says(i.ref, text), said{}
			}
			return said{}, says(i.ref, text)
		}
		if i.theirs.name() {
			a, b := pair(i.theirs.text())
			n.fault(schema.StageAuth, schema.FaultID, "remote-id", a, b)
		}
		if i.mine.name() {
			a, b := pair(i.mine.text())
			n.unknown(schema.StageAuth, schema.FaultID, "my-id", a, b)
		}
	}
}
