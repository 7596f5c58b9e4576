package vpn

import (
	"time"

	"vpnbot/change"
)

// Window is how far back Judge looks for packets: samples older than that before
// the newest are not compared.
const Window = 5 * time.Minute

// StaleAfter is how old a sample may be before it says nothing of now.
const StaleAfter = 3 * time.Minute

// Server is a site's dial-in server as the router runs it.
type Server struct {
	Enabled  bool
	IPsec    string // use-ipsec: no, yes or required
	Sessions []SessionRow
}

// ServerOf returns the dial-in server of a snapshot of StatusMenus and who is
// connected. The second result is false when the snapshot does not tell.
func ServerOf(s change.Snapshot) (Server, bool) {
	rows, ok := s.Menus[menuServer]
	if !ok || len(rows) != 1 {
		return Server{}, false
	}
	if _, ok := s.Menus[menuActive]; !ok {
		return Server{}, false
	}
	return Server{
		Enabled: isTrue(rows[0], menuServer, "enabled"), IPsec: defaulted(menuServer, rows[0], "use-ipsec"), Sessions: Sessions(s),
	}, true
}
