package vpn

import (
	"net/netip"
	"slices"
	"strings"

	"vpnbot/change"
	"vpnbot/ros/schema"
)

// summary is the plan's first line, for someone who is no network engineer.
func (a AddAccount) summary() change.Text {
	account := a.Intent.Account
	if account.Handover != "" {
		return change.T("plan.adduser.summary_handover", "account", account.Name, "site", a.Intent.Site,
			"owner", account.Owner, "reader", account.Handover)
	}
	return change.T("plan.adduser.summary", "account", account.Name, "site", a.Intent.Site, "owner", account.Owner)
}

// blast says who and what the plan touches.
func (a AddAccount) blast() []change.Text {
	blast := []change.Text{
		change.T("plan.adduser.blast", "router", a.DialIn.Router),
		change.T("plan.adduser.blast_sessions", "count", len(Sessions(a.Snapshot))),
		change.T("plan.adduser.blast_reader", "reader", a.Intent.Account.Reader()),
	}
	if address := a.Intent.Account.Address; address != "" {
		blast = append(blast, change.T("plan.adduser.blast_address", "address", address))
	} else {
		blast = append(blast, change.T("plan.adduser.blast_pool", "pool", a.DialIn.Pool))
	}
	if at := a.Intent.Account.Expires; !at.IsZero() {
		blast = append(blast, change.T("plan.account.covered", "at", at))
	}
	return blast
}

// warnings says what will keep the account from working, or make it weaker than
// it looks.
func (a AddAccount) warnings() []change.Text {
	var list []change.Text
	warn := func(id string, pairs ...any) { list = append(list, change.T("plan.warn."+id, pairs...)) }
	if a.DialIn.PSK == "" {
		warn("psk_unknown", "site", a.Intent.Site)
	}
	a.warnServer(warn)
	a.warnProfile(warn)
	a.warnAddress(warn)
	return list
}

func (a AddAccount) warnServer(warn func(string, ...any)) {
	server := a.row(menuServer, nil)
	router := a.DialIn.Router
	switch server["use-ipsec"] {
	case "required":
	case "yes":
		warn("ipsec_optional", "router", router)
	default:
		warn("ipsec_off", "router", router)
	}
	if methods := server["authentication"]; methods != "" && !slices.Contains(strings.Split(methods, ","), "mschap2") {
		warn("mschap2", "router", router, "methods", methods)
	}
}

func (a AddAccount) warnProfile(warn func(string, ...any)) {
	name := a.DialIn.Profile
	profile := a.row(menuProfile, schema.Row{"name": name})
	if name == "default" || name == "default-encryption" {
		warn("profile_default", "profile", name)
	}
	if profile["local-address"] == "" {
		warn("profile_local", "profile", name)
	}
	if a.Intent.Account.Address != "" {
		return
	}
	switch pool := profile["remote-address"]; pool {
	case "":
		warn("profile_remote", "profile", name)
		return
	case a.DialIn.Pool:
	default:
		warn("profile_pool", "profile", name, "pool", ReadableBytes(pool), "defined", a.DialIn.Pool)
	}
	a.warnPool(warn, profile["remote-address"])
}

// warnPool tells about a pool that is not there or that live sessions fill.
func (a AddAccount) warnPool(warn func(string, ...any), name string) {
	if _, err := netip.ParseAddr(name); err == nil {
		return // one fixed address instead of a pool: profile_pool says so
	}
	pool := a.row(menuPool, schema.Row{"name": name})
	if pool == nil {
		warn("pool_missing", "pool", ReadableBytes(name), "router", a.DialIn.Router)
		return
	}
	used := 0
	for _, s := range Sessions(a.Snapshot) {
		if ip, err := netip.ParseAddr(s.Address); err == nil && inRanges(pool["ranges"], ip) {
			used++
		}
	}
	if total := size(pool["ranges"]); pool["next-pool"] == "" && used >= total {
		warn("pool_full", "pool", ReadableBytes(name), "used", used, "total", total)
	}
}

func (a AddAccount) warnAddress(warn func(string, ...any)) {
	ip, err := netip.ParseAddr(a.Intent.Account.Address)
	if err != nil {
		return
	}
	for _, p := range a.Site.LAN {
		if p.Contains(ip) {
			warn("address_lan", "address", ip.String(), "network", p.String())
			return
		}
	}
}
