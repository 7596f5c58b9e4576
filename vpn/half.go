package vpn

import "vpnbot/change"

// Menus that a status reads.
const (
	menuPeer        = "/ip/ipsec/peer"
	menuPolicy      = "/ip/ipsec/policy"
	menuActivePeers = "/ip/ipsec/active-peers"
	menuSA          = "/ip/ipsec/installed-sa"
)

// Half is what one router says at one time: its snapshot of StatusMenus, or why
// there is none. Without Err the snapshot counts as read. Router and At are set
// in any case; At is when the router was asked.
type Half struct {
	change.Snapshot
	Err error
}

// StatusMenus returns the menus whose rows Judge, Sessions and ServerOf read. Every
// attribute of them that is no secret is read: never a key of an SA. A router
// that lacks one of them gives no verdict but UNKNOWN.
func StatusMenus() []string {
	return []string{menuServer, menuAddress, menuActivePeers, menuSA, menuPeer, menuPolicy, menuActive}
}
