package change

import "slices"

// Intent is what was asked, after parsing and before any router was read. Verb
// says which of the other fields are set.
type Intent struct {
	Verb    string         `json:"verb"`
	Site    string         `json:"site"`
	Account *AccountIntent `json:"account,omitempty"`
	// Tunnel names the tunnel that is to be changed. Site is then the site of its
	// first end, Far that of its second.
	Tunnel string `json:"tunnel,omitempty"`
	Far    string `json:"far,omitempty"`
	// Settings are values that the tunnel's definition is to have, in the order in
	// which they were asked for.
	Settings []Setting `json:"settings,omitempty"`
	// Handover hands a dial-in server's new key over to the users of accounts that
	// nobody is known to own.
	Handover PersonID `json:"handover,omitempty"`
	// Release names the request that "resolve N release" unlocks.
	Release int64  `json:"release,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Resume names the request that needs attention and is to be finished, Towards
	// the rows on which it is to end.
	Resume  int64    `json:"resume,omitempty"`
	Towards Decision `json:"towards,omitempty"`
	// Undo names the applied request that is to be taken back.
	Undo int64 `json:"undo,omitempty"`
	// Undoes is what that one was asked for with, where it is not about an account.
	Undoes string `json:"undoes,omitempty"`
}

// Setting is one value of a definition: "exchange" and "ike2", or for one end of a
// tunnel "hq.role" and "respond". Lists are joined by commas.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Sites returns every site that the intent touches.
func (i Intent) Sites() []string {
	if i.Far == "" {
		return []string{i.Site}
	}
	return []string{i.Site, i.Far}
}

// Grants tells whether p has the role need at every site that the intent
// touches: what asking, approving and taking over need.
func (i Intent) Grants(p Person, need Role) bool {
	return !slices.ContainsFunc(i.Sites(), func(site string) bool { return !p.May(need, site) })
}

// Concerns tells whether p may read of the intent: one of its sites is theirs.
func (i Intent) Concerns(p Person) bool {
	return slices.ContainsFunc(i.Sites(), func(site string) bool { return p.May(Viewer, site) })
}
