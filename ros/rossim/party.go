package rossim

import (
	"maps"

	"vpnbot/ros/schema"
)

// negotiated are the menus that a negotiation reads.
var negotiated = []string{
	"/ip/ipsec/peer", "/ip/ipsec/profile", "/ip/ipsec/identity", "/ip/ipsec/policy", "/ip/ipsec/policy/group",
	"/ip/ipsec/proposal", "/ip/ipsec/mode-config", "/ip/address", "/interface/l2tp-server/server",
}

// party is a router as one end of an attempt. Its rows carry no secrets; the
// keys stand apart.
func (in *Internet) party(i int, d door) schema.Party {
	n := in.nodes[i]
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	s := n.r.st
	p := schema.Party{
		Name: n.name, Rows: make(map[string][]schema.Row), Keys: make(map[string]string), Names: maps.Clone(in.names),
		Local: d.inside, Seen: d.public,
	}
	for _, path := range negotiated {
		m := s.prof.menus[path]
		for _, rec := range s.rows(m) {
			row := s.show(m, rec)
			if secret := rec.vals["secret"]; path == "/ip/ipsec/identity" && secret != "" {
				p.Keys[rec.id] = secret
			}
			for _, name := range m.rule.Secrets {
				delete(row, name)
			}
			p.Rows[path] = append(p.Rows[path], row)
		}
	}
	return p
}

// serialOf turns an id that a negotiator answered into the row's serial.
func (in *Internet) serialOf(i int, path, id string) uint64 {
	if i < 0 || id == "" {
		return 0
	}
	s := in.nodes[i].r
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec, err := s.st.find(s.prof.menus[path], id); err == nil {
		return rec.serial
	}
	return 0
}

// row returns a copy of the row with that serial, its id and "" when it is gone.
func (in *Internet) row(i int, path string, serial uint64) (schema.Row, bool) {
	if i < 0 {
		return nil, false
	}
	r := in.nodes[i].r
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.st.bySerial(path, serial)
	if rec == nil {
		return nil, false
	}
	row := rec.vals.Clone()
	row[schema.ID] = rec.id
	return row, true
}

// profileOf returns the profile that a peer's row names.
func (in *Internet) profileOf(i int, peer schema.Row) schema.Row {
	r := in.nodes[i].r
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.st.tables["/ip/ipsec/profile"] {
		if rec.name() == peer["profile"] {
			return rec.vals.Clone()
		}
	}
	return schema.Row{}
}

// opening is a first packet with what came of it.
type opening struct {
	from, to  int // from is -1 for a computer that dials in
	peer      uint64
	out, in   door // where the packet left and where it came in
	attempt   schema.Attempt
	outcome   schema.Outcome
	cookie    string
	session   uint64
	exchange  string
	via       int        // the router whose line a computer uses; -1 for none
	initiator schema.Row // the peer's row
}
