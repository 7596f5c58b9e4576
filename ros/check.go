package ros

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vpnbot/ros/schema"
)

// Report is what Check found out about a router.
type Report struct {
	Router      string
	Version     string
	Board       string
	Identity    string
	Read, Write Access
	Device      Device
	Certificate Certificate
	Warnings    []Warning
}

// Access is what one login may do.
type Access struct {
	User     string
	Group    string
	Policies []string // granted tokens, as the router orders them
	Known    bool     // false: the router did not tell (user not local, or not readable)
}

// Device is the device mode. Known is false on versions without one.
type Device struct {
	Known     bool
	Mode      string
	Flagged   bool
	Scheduler bool
}

// Certificate is what the router showed. It is empty on a plain connection.
type Certificate struct {
	Fingerprint string
	NotAfter    time.Time
}

// WarningKind names what is not as it should be.
type WarningKind string

// The warnings of Check.
const (
	WarnRightsUnknown WarningKind = "rights-unknown" // Detail: user
	WarnRightMissing  WarningKind = "right-missing"  // Detail: user and policy
	WarnRightTooMany  WarningKind = "right-too-many" // Detail: user and policy
	WarnFlagged       WarningKind = "flagged"
	WarnHomeMode      WarningKind = "home-mode"
	WarnExpires       WarningKind = "certificate-expires" // Detail: RFC 3339 time
	WarnNewer         WarningKind = "version-newer"       // Detail: version; our facts end before it
)

// Warning is one thing that an administrator should look at.
type Warning struct {
	Kind   WarningKind
	User   string
	Detail string
}

// expiryNotice is how long before its end a certificate is warned about.
const expiryNotice = 30 * 24 * time.Hour

// Rights each login must have and may have. Policies beside these let a stolen
// password do more than the product ever does.
var (
	readRights  = rights{need: []string{"api", "read"}, may: []string{"test"}}
	writeRights = rights{need: []string{"api", "read", "write"}, may: []string{"test"}}
)

type rights struct{ need, may []string }

// Check logs in with both logins, on new connections and whatever the breaker
// says, and reports what it finds. With an error the report holds what was
// learnt before it.
func (f *Fleet) Check(ctx context.Context, router string) (Report, error) {
	report := Report{Router: router}
	r, ctx, leave, err := f.enter(ctx, router)
	if err != nil {
		return report, err
	}
	defer leave()
	readErr := r.read.fresh(ctx, func(s *session) error {
		return r.read.inspect(ctx, s, &report)
	})
	if readErr != nil {
		readErr = fmt.Errorf("checking %s as %s: %w", router, r.read.login.User, readErr)
	}
	writeErr := r.write.fresh(ctx, func(s *session) error {
		var err error
		report.Write, err = r.write.access(ctx, s)
		return err
	})
	if writeErr != nil {
		writeErr = fmt.Errorf("checking %s as %s: %w", router, r.write.login.User, writeErr)
	}
	report.warn(time.Now(), readErr == nil, writeErr == nil)
	return report, errors.Join(readErr, writeErr)
}

// fresh runs f on a session of its own, which is closed afterwards.
func (p *pool) fresh(ctx context.Context, f func(*session) error) error {
	s, err := p.openNow(ctx)
	if err != nil {
		return err
	}
	defer p.drop(s)
	err = f(s)
	p.tell(ctx, err, s.broken)
	return err
}

// inspect fills in what the reading login can see.
func (p *pool) inspect(ctx context.Context, s *session, report *Report) error {
	if s.cert != nil {
		report.Certificate = Certificate{Fingerprint: Fingerprint(s.cert), NotAfter: s.cert.NotAfter}
	}
	resource, err := p.settings(ctx, s, "/system/resource")
	if err != nil {
		return err
	}
	report.Version, report.Board = resource["version"], resource["board-name"]
	identity, err := p.settings(ctx, s, "/system/identity")
	if err != nil {
		return err
	}
	report.Identity = identity["name"]
	mode, err := p.settings(ctx, s, "/system/device-mode")
	switch trap, trapped := errors.AsType[*TrapError](err); {
	case trapped && trap.Kind == KindUnknownCommand:
	case err != nil:
		return err
	default:
		report.Device = Device{
			Known: len(mode) > 0, Mode: mode["mode"],
			Flagged: isTrue(mode["flagged"]), Scheduler: isTrue(mode["scheduler"]),
		}
	}
	report.Read, err = p.access(ctx, s)
	return err
}

// settings reads a menu that has one row.
func (p *pool) settings(ctx context.Context, s *session, path string) (schema.Row, error) {
	rows, err := p.print(ctx, s, path, nil)
	if err != nil || len(rows) == 0 {
		return schema.Row{}, err
	}
	return rows[0], nil
}

// access reads what the router says about the login's own user.
func (p *pool) access(ctx context.Context, s *session) (Access, error) {
	a := Access{User: p.login.User}
	users, err := p.print(ctx, s, "/user", []string{"name", "group"})
	if errors.Is(err, ErrPermission) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	i := slices.IndexFunc(users, func(u schema.Row) bool { return u["name"] == a.User })
	if i < 0 {
		return a, nil
	}
	a.Group = users[i]["group"]
	groups, err := p.print(ctx, s, "/user/group", []string{"name", "policy"})
	if err != nil {
		return a, err
	}
	if i = slices.IndexFunc(groups, func(g schema.Row) bool { return g["name"] == a.Group }); i < 0 {
		return a, nil
	}
	a.Known = true
	for token := range strings.SplitSeq(groups[i]["policy"], ",") {
		if token != "" && !strings.HasPrefix(token, "!") {
			a.Policies = append(a.Policies, token)
		}
	}
	return a, nil
}

// warn adds what an administrator should look at.
func (r *Report) warn(now time.Time, read, write bool) {
	if read {
		r.judge(r.Read, readRights)
	}
	if write {
		r.judge(r.Write, writeRights)
	}
	if r.Device.Flagged {
		r.Warnings = append(r.Warnings, Warning{Kind: WarnFlagged})
	}
	if r.Device.Mode == "home" {
		r.Warnings = append(r.Warnings, Warning{Kind: WarnHomeMode})
	}
	if read && newer(r.Version) {
		r.Warnings = append(r.Warnings, Warning{Kind: WarnNewer, Detail: r.Version})
	}
	if end := r.Certificate.NotAfter; !end.IsZero() && end.Before(now.Add(expiryNotice)) {
		r.Warnings = append(r.Warnings, Warning{Kind: WarnExpires, Detail: end.UTC().Format(time.RFC3339)})
	}
}

// judge compares what a login may do with what it should.
func (r *Report) judge(a Access, want rights) {
	if !a.Known {
		r.Warnings = append(r.Warnings, Warning{Kind: WarnRightsUnknown, User: a.User})
		return
	}
	for _, policy := range want.need {
		if !slices.Contains(a.Policies, policy) {
			r.Warnings = append(r.Warnings, Warning{Kind: WarnRightMissing, User: a.User, Detail: policy})
		}
	}
	for _, policy := range a.Policies {
		if !slices.Contains(want.need, policy) && !slices.Contains(want.may, policy) {
			r.Warnings = append(r.Warnings, Warning{Kind: WarnRightTooMany, User: a.User, Detail: policy})
		}
	}
}

// The newest version that facts about menus were taken from, whatever its patch
// level.
const knownMajor, knownMinor = 7, 24

// newer tells whether a router's version is one that nobody here has looked at. It
// is used like the newest that is known: what differs shows in refusals and in
// rows that are read back.
func newer(version string) bool {
	v, err := schema.ParseVersion(version)
	v.Patch = 0
	return err != nil || v.Compare(schema.Version{Major: knownMajor, Minor: knownMinor}) > 0
}

func isTrue(value string) bool { return value == "true" || value == "yes" }
