package change

// Intent is what was asked, after parsing and before any router was read. Verb
// says which of the other fields are set.
type Intent struct {
	Verb    string         `json:"verb"`
	Site    string         `json:"site"`
	Account *AccountIntent `json:"account,omitempty"`
	// Release names the request that "resolve N release" unlocks.
	Release int64  `json:"release,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// AccountIntent is what "adduser" asks for.
type AccountIntent struct {
	Name     string   `json:"name"`
	Owner    PersonID `json:"owner"`
	Handover PersonID `json:"handover,omitempty"` // hands the credentials over to an owner outside Slack
	Address  string   `json:"address,omitempty"`  // fixed address in the tunnel; empty: from the pool
	Note     string   `json:"note,omitempty"`
}

// Reader returns the person who may open the account's credentials.
func (a AccountIntent) Reader() PersonID {
	if a.Handover != "" {
		return a.Handover
	}
	return a.Owner
}
