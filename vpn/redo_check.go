package vpn

import (
	"vpnbot/change"
	"vpnbot/ros/schema"
)

// checkDefinition refuses what the definition itself rules out.
func (in TunnelChange) checkDefinition() error {
	if err := in.Tunnel.Ours(in.Estate); err != nil {
		return err
	}
	ps := in.Tunnel.Problems(in.Estate, in.Others, in.DialIns)
	if len(ps) > 0 && !in.Unchecked {
		return refuse("tunnel_definition", "tunnel", in.Tunnel.Name, "path", in.Tunnel.spot(ps[0].Path), "problem", ps[0].said())
	}
	return nil
}

// Ours returns a *Refusal for a tunnel of which somebody else runs one end: nothing
// can be read there, so nothing is planned.
func (t Tunnel) Ours(e Estate) error {
	for _, end := range t.Ends {
		if _, ours := e.Router(end.Router); !ours {
			return refuse("tunnel_foreign", "tunnel", t.Name, "site", end.Site)
		}
	}
	return nil
}

// In returns t as it stands in e: an end at a site that somebody else runs has no
// router, also where there was one when the definition was made.
func (t Tunnel) In(e Estate) Tunnel {
	for i := range t.Ends {
		if t.foreign(e, i) {
			t.Ends[i].Router = ""
		}
	}
	return t
}

// Foreign tells whether somebody else runs the router at one end.
func (t Tunnel) Foreign(e Estate) bool { return t.foreign(e, 0) || t.foreign(e, 1) }

// foreign tells whether somebody else runs the router at end i.
func (t Tunnel) foreign(e Estate, i int) bool {
	site, ok := e.Site(t.Ends[i].Site)
	return ok && site.Foreign
}

// checkRouter refuses a router on which a change would stop half-way.
func (e *held) checkRouter() error {
	// Since 6.45 identities stand apart from peers, and policies name their peer.
	oldest := schema.Version{Major: 6, Minor: 45}
	v, err := schema.ParseVersion(e.snap.Version)
	if err != nil || v.Compare(oldest) < 0 {
		return refuse("tunnel_version", "router", e.Router, "version", e.snap.Version)
	}
	if rows := e.snap.Menus[menuMode]; len(rows) > 0 {
		mode := rows[0]
		if isTrue(mode, menuMode, "flagged") {
			return refuse("flagged", "router", e.Router)
		}
		for _, feature := range []string{"ipsec", "scheduler"} {
			allowed, known := mode[feature]
			if !known && feature == "scheduler" && mode["mode"] == "home" {
				allowed, known = "no", true
			}
			if known && !isTrue(schema.Row{feature: allowed}, menuMode, feature) {
				return refuse("tunnel_mode", "router", e.Router, "mode", mode["mode"], "feature", feature)
			}
		}
	}
	for _, row := range e.snap.Menus[menuSafeMode] {
		if isTrue(row, menuSafeMode, "enabled") {
			return refuse("tunnel_safemode", "router", e.Router, "user", ReadableBytes(row["user"]))
		}
	}
	return nil
}

// unreadable refuses a row that matters and is not understood.
func (e *held) unreadable(o origin) error {
	return refuse("tunnel_row", "router", e.Router, "menu", o.menu, "row", o.key, "attribute", o.odd)
}

// rows returns those that where names, in the router's order.
func (e *held) rows(menu string, where schema.Row) []schema.Row {
	return e.snap.Rows(change.Query{Menu: menu, Where: where})
}

// identify returns what tells row apart from every other of its menu: the given
// attributes, and its comment when they do not suffice.
func (e *held) identify(menu string, row schema.Row, attrs ...string) (schema.Row, bool) {
	match := schema.Row{}
	for _, name := range attrs {
		match[name] = row[name]
	}
	if len(e.rows(menu, match)) > 1 {
		match["comment"] = row["comment"]
	}
	return match, len(e.rows(menu, match)) == 1
}
