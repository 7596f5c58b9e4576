package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"vpnbot/ros/schema"
)

const menuNAT = "/ip/firewall/nat"

// tunnelLink is where the daemon takes packets to encrypt.
const tunnelLink = "ipsec0"

// quiet are the attributes of a NAT rule that change no packet.
var quiet = map[string]bool{
	schema.ID: true, "comment": true, "log": true, "log-prefix": true, "bytes": true, "packets": true,
	"disabled": true, "dynamic": true, "invalid": true,
}

// SetNAT gives the initiator's router the rules of its /ip/firewall/nat, in
// their order; none takes address translation away. Of connections that exist,
// it changes nothing. A rule with what the lab does not know is an error, and
// then nothing has changed.
func (l *Lab) SetNAT(ctx context.Context, rows []schema.Row) error {
	release, err := l.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	script, err := natScript(rows)
	if err != nil {
		return err
	}
	return l.sites[0].router.run(script, "nft", "-f", "-")
}

// covered is the mark of packets that a policy takes, in a lab that has policies
// beside its daemons.
const covered = "0x76706e"

// natScript writes the rules as one transaction of nft.
func natScript(rows []schema.Row) (string, error) {
	var b strings.Builder
	b.WriteString("add table ip vpnbot\ndelete table ip vpnbot\n")
	b.WriteString("table ip vpnbot {\n chain srcnat {\n  type nat hook postrouting priority 100; policy accept;\n")
	for _, r := range rows {
		if on(r, "disabled") || on(r, "invalid") {
			continue
		}
		rule, err := natRule(r)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "  %s\n", rule)
	}
	b.WriteString(" }\n}\n")
	return b.String(), nil
}

// natRule writes one rule. What leaves by the daemon's own link leaves by the
// outside interface in RouterOS, where a policy takes it only after translation.
func natRule(r schema.Row) (string, error) {
	var rule []string
	links := []string{"wan", tunnelLink}
	bound := false
	for _, name := range r.Names() {
		value := r[name]
		bad := &unknown{menuNAT, r[schema.ID], name, value}
		switch name {
		case "chain":
			if value != "srcnat" {
				return "", bad
			}
		case "src-address", "dst-address":
			prefix := parsePrefix(value)
			if !prefix.IsValid() {
				return "", bad
			}
			rule = append(rule, "ip", name[:1]+"addr", prefix.String())
		case "out-interface", "out-interface-list":
			bound = true
		case "ipsec-policy":
			links, bound = map[string][]string{"out,none": {"wan"}, "out,ipsec": {tunnelLink}}[value], true
			if links == nil {
				return "", bad
			}
			if value == "out,none" {
				rule = append(rule, "meta mark != "+covered)
			}
		case "action", "to-addresses":
		default:
			if !quiet[name] {
				return "", bad
			}
		}
	}
	if bound {
		rule = append([]string{"oifname {", strings.Join(links, ", "), "}"}, rule...)
	}
	action, err := natAction(r)
	return strings.Join(append(rule, action), " "), err
}

func natAction(r schema.Row) (string, error) {
	switch action := or(r, "action", "accept"); action {
	case "accept", "masquerade":
		return action, nil
	case "src-nat":
		if a, err := netip.ParseAddr(r["to-addresses"]); err == nil {
			return "snat to " + a.String(), nil
		}
		return "", &unknown{menuNAT, r[schema.ID], "to-addresses", r["to-addresses"]}
	default:
		return "", &unknown{menuNAT, r[schema.ID], "action", action}
	}
}

// between puts address translation between the two ends: what the initiator
// sends from own is seen as from seen.
func (s *site) between(own, seen netip.Addr) error {
	script := "add table ip between\ndelete table ip between\n"
	if own != seen {
		script += fmt.Sprintf("table ip between {\n chain out {\n  type nat hook postrouting priority 110;\n"+
			"  oifname wan ip saddr %s meta l4proto udp snat to %s\n }\n}\n", own, seen)
	}
	if script == s.translation {
		return nil
	}
	if err := s.router.run(script, "nft", "-f", "-"); err != nil {
		return err
	}
	s.translation = script
	return nil
}
