package change

import (
	"time"

	"vpnbot/ros/schema"
)

// AccountAct is what a change does to an account.
type AccountAct string

// The acts. Ending an account, by removal, switching off or expiry, ends its
// sessions too.
const (
	AccountNew      AccountAct = ""         // made
	AccountRemove   AccountAct = "remove"   // taken off the router
	AccountDisable  AccountAct = "disable"  // switched off, and kept
	AccountEnable   AccountAct = "enable"   // switched on again
	AccountPassword AccountAct = "password" // given a new password
	AccountExtend   AccountAct = "extend"   // given another date, or none
	AccountKick     AccountAct = "kick"     // sessions ended, nothing else
	AccountExpire   AccountAct = "expire"   // switched off because its date has come
	AccountRestore  AccountAct = "restore"  // made again as it was, with a new password
)

// Ends tells whether nobody can use the account any more after the act.
func (a AccountAct) Ends() bool {
	return a == AccountRemove || a == AccountDisable || a == AccountExpire
}

// Reveals tells whether the act makes a password that somebody has to be given.
func (a AccountAct) Reveals() bool {
	return a == AccountNew || a == AccountPassword || a == AccountRestore
}

// AccountIntent is what is wanted of an account.
type AccountIntent struct {
	Name     string     `json:"name"`
	Do       AccountAct `json:"do,omitempty"`
	Owner    PersonID   `json:"owner,omitempty"`    // empty: nobody knows
	Handover PersonID   `json:"handover,omitempty"` // hands the credentials over to an owner outside Slack
	Address  string     `json:"address,omitempty"`  // fixed address in the tunnel; empty: from the pool
	Note     string     `json:"note,omitempty"`
	// Expires is when a new or extended account ends by itself; zero: never. The
	// approval of the change covers it.
	Expires time.Time `json:"expires,omitzero"`
	// Was is the date that an extension replaces.
	Was time.Time `json:"was,omitzero"`
	// Kick ends the sessions that go on with the old password, too.
	Kick bool `json:"kick,omitempty"`
}

// Reader returns the person who may open the account's credentials.
func (a AccountIntent) Reader() PersonID {
	if a.Handover != "" {
		return a.Handover
	}
	return a.Owner
}

// Account is what the bot knows of an account that it made or changed. What the
// router holds of it is read there.
type Account struct {
	Version uint64    `json:"version,omitempty"` // a ledger refuses a record that has moved since
	Site    string    `json:"site"`
	Router  string    `json:"router"`
	Name    string    `json:"name"`
	Owner   PersonID  `json:"owner"`  // empty: nobody knows
	Reader  PersonID  `json:"reader"` // who could open its credentials
	Address string    `json:"address,omitempty"`
	Note    string    `json:"note,omitempty"`
	Request string    `json:"request"` // that made it, or first changed it
	Number  int64     `json:"number"`
	Created time.Time `json:"created"`
	// Adopted tells that somebody made it by hand.
	Adopted   bool       `json:"adopted,omitempty"`
	Connected *time.Time `json:"connected,omitempty"` // first session seen
	// Keyed is the ID of the request that gave it its password; empty: nobody knows
	// who did.
	Keyed string `json:"keyed,omitempty"`
	// Expires is when it ends by itself, by the approval of the request ExpiresBy;
	// zero: never. Set is since when that is so, Warned when its people were
	// reminded last.
	Expires   time.Time `json:"expires,omitzero"`
	ExpiresBy string    `json:"expiresBy,omitempty"`
	Set       time.Time `json:"set,omitzero"`
	Warned    time.Time `json:"warned,omitzero"`
	// Due is the ID of the request that ends it because its date has come.
	Due string `json:"due,omitempty"`
	// Off is the number of the request that switched it off; zero: none did.
	// Expired tells that it did because the date had come.
	Off     int64     `json:"off,omitempty"`
	Expired bool      `json:"expired,omitempty"`
	Removed time.Time `json:"removed,omitzero"`
}

// After returns what is known of the account once r, which is about it, is
// applied. Of an account that the bot did not know a is the zero Account.
func (a Account) After(now time.Time, r Request) Account {
	want := r.Plan.Intent.Account
	router := a.Router
	if len(r.Plan.Routers) > 0 {
		router = r.Plan.Routers[0]
	}
	switch {
	case want.Do == AccountNew:
		a = Account{Version: a.Version, Address: want.Address, Note: want.Note, Request: r.ID, Number: r.Number, Created: now}
	case a.Request == "" || !a.Removed.IsZero() && want.Do != AccountRestore: // somebody has made one by hand
		a = Account{Version: a.Version, Request: r.ID, Number: r.Number, Created: now, Adopted: true}
	}
	a.Site, a.Router, a.Name = r.Plan.Intent.Site, router, want.Name
	if want.Do.Reveals() {
		a.Owner, a.Reader, a.Keyed, a.Removed = want.Owner, want.Reader(), r.ID, time.Time{}
	}
	switch want.Do {
	case AccountRemove:
		a.Removed = now
	case AccountDisable, AccountExpire:
		a.Expired = want.Do == AccountExpire
		if r.Plan.switches(schema.Disable) {
			a.Off = r.Number // otherwise somebody else did
		}
	case AccountEnable:
		a.Off, a.Expired = 0, false
	case AccountNew, AccountExtend, AccountRestore:
		a = a.until(want.Expires, r.ID, now)
		if r.Plan.switches(schema.Enable) {
			a.Off, a.Expired = 0, false
		}
		if want.Do == AccountExtend { // even where somebody had switched the account on by hand
			a.Expired = false
		}
	}
	return a
}

// until gives a another date.
func (a Account) until(t time.Time, by string, now time.Time) Account {
	if t.IsZero() {
		by = ""
	}
	a.Expires, a.ExpiresBy, a.Set, a.Warned, a.Due = t, by, now, time.Time{}, ""
	return a
}
