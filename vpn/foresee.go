package vpn

import (
	"cmp"
	"net/netip"
	"slices"

	"vpnbot/change"
	"vpnbot/ros/schema"
	"vpnbot/vpn/ike"
)

// foresee predicts whether both ends will agree on the planned rows, and refuses
// when they will not or nobody can tell. What is broken now comes back as notes.
func (t *works) foresee() ([]change.Text, error) {
	var notes []change.Text
	p := t.predict(false)
	if t.kind != rekey && t.kind != adopt {
		if p.Verdict == schema.Disagree && t.kind != addition {
			notes = append(notes, change.T("plan.warn.broken_now", t.disagreement(p)...))
		}
		p = t.predict(true)
	}
	if (t.kind == rekey || t.kind == adopt) && t.Tunnel.PSKMark == "" {
		notes = append(notes, change.T("plan.warn.key_unknown"))
	}
	switch {
	case p.Verdict == schema.Agree:
		return append(notes, change.T("plan.warn.prediction")), nil
	case t.Unchecked:
		return append(notes, change.T("plan.warn.unchecked", t.disagreement(p)...)), nil
	case p.Verdict == schema.CannotTell:
		return nil, refuse("tunnel_unclear", t.disagreement(p)...)
	}
	return nil, refuse("tunnel_disagree", t.disagreement(p)...)
}

// predict asks the model about the rows as they are, or as they will be when
// everything is cut over.
func (t *works) predict(planned bool) ike.Prediction {
	var ends [2]ike.End
	for i, e := range t.ends {
		ends[i] = e.party(t, t.ends[1-i], planned)
	}
	return t.Model.Between(ends[0], ends[1])
}

// party is this end as the model sees it.
func (e *held) party(t *works, other *held, planned bool) ike.End {
	var steps []change.Step
	// The key that is there is taken to be one: whether it is, nobody can know who
	// did not write it.
	peer, key := e.peer["name"], "as it is"
	if i := slices.Index(t.ends[:], e); t.keys[i] != "" && t.keys[1-i] != "" {
		key = t.keys[i]
	}
	if planned {
		for _, s := range e.steps {
			if s.Phase == change.PhaseStage || s.Phase == change.PhaseCutOver {
				steps = append(steps, s)
			}
		}
		if len(steps) > 0 {
			peer, key = cmp.Or(e.next, e.peerName(t)), t.Mark
		}
	}
	p := schema.Party{
		Name: e.Router, Rows: imagine(e.snap, steps), Keys: map[string]string{}, Names: map[string]netip.Addr{},
		Local: e.local, Seen: other.remote,
	}
	if !planned && e.was != nil { // before an end moves, it is where it was
		p.Local, p.Seen = e.wasLocal, other.wasRemote
	}
	if !p.Seen.IsValid() {
		p.Seen = somewhere()
	}
	if !planned {
		p.Rows = e.snap.Menus
	}
	end := ike.End{Party: p}
	for _, row := range p.Rows[menuPeer] {
		if row["name"] == peer {
			end.Peer = row[schema.ID]
		}
	}
	for _, row := range p.Rows[menuIdentity] {
		if row["peer"] == peer && (!e.shares() || row["remote-id"] == e.far.ID) {
			p.Keys[row[schema.ID]] = key
		}
	}
	for i := range e.page.peers {
		if q := &e.page.peers[i]; q.current.IsValid() && !q.prefix.IsValid() {
			p.Names[q.Address] = q.current
		}
	}
	if e.want.RemoteName != "" {
		p.Names[e.want.RemoteName] = e.remote
	}
	return end
}

// somewhere stands for the address of an end that has not called: the other end's
// peer takes any.
func somewhere() netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, 1}) }

// disagreement names the first thing that fails, or that nobody can tell: the
// attribute, and what each end says.
func (t *works) disagreement(p ike.Prediction) []any {
	faults := p.Faults
	if p.Verdict == schema.CannotTell && len(p.Unknown) > 0 {
		faults = p.Unknown
	}
	if len(faults) == 0 {
		return nil
	}
	f := faults[0]
	from := slices.IndexFunc(p.Calls[:], func(c ike.Call) bool {
		return slices.ContainsFunc([]schema.Outcome{c.First, c.Rekey}, func(o schema.Outcome) bool {
			return slices.Contains(o.Faults, f) || slices.Contains(o.Unknown, f)
		})
	})
	said := func(text string) string {
		if text == "" {
			return "-"
		}
		return ReadableBytes(text)
	}
	from = max(from, 0)
	if f.Attr == "secret" {
		f.Initiator, f.Responder = t.keys[from], t.keys[1-from] // marks, as far as they are known
	}
	return []any{
		"attribute", f.Attr, "why", change.T("plan.fault." + f.Code),
		"caller", t.ends[from].Router, "says", said(f.Initiator), "other", t.ends[1-from].Router, "answers", said(f.Responder),
	}
}
