package rossim

import (
	"fmt"
	"slices"
)

// Tables are behaviours of menus and rows that no source proves. The zero value
// is what a router most likely does.
type Tables struct {
	// Texts words the refusals that versions word differently: "classic" (the
	// default); "oldest", with a number behind a missing item; "named", with the
	// name of an unknown parameter; "newest", as 7.23 does.
	Texts string
	// InUseDangles removes a profile, proposal, mode config or policy group that
	// other rows name, and leaves them with its id; otherwise it is refused.
	InUseDangles bool
	// SecretPerService takes a second secret of one name for another service.
	SecretPerService bool
	// IdentityPerID refuses a second identity of one peer and remote-id, switched off
	// or not; otherwise the peer takes it.
	IdentityPerID bool
	// StaticFirst lets a static row stand before the dynamic ones of an ordered
	// menu; otherwise it lands behind them.
	StaticFirst bool
	// PartWay makes a command for several rows do those before the one that does
	// not exist; otherwise it does none.
	PartWay bool
	// HostsAsWritten keeps the mask of a host prefix in a firewall rule; otherwise
	// the address alone is shown.
	HostsAsWritten bool
	// StrictProplist refuses a .proplist that names what the menu lacks; otherwise
	// the name is ignored.
	StrictProplist bool
}

func (t Tables) validate() error {
	if !slices.Contains([]string{"", "classic", "oldest", "named", "newest"}, t.Texts) {
		return fmt.Errorf("refusals worded %q: want classic, oldest, named or newest", t.Texts)
	}
	return nil
}
