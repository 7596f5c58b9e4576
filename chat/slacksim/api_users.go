package slacksim

import (
	"slices"
	"time"
)

func apiTest(_ *Server, _ *state, c call) (answer, error) {
	if code := c.args.str("error"); code != "" {
		return nil, fail(code)
	}
	return answer{"args": map[string]any{}}, nil
}

func authTest(s *Server, _ *state, c call) (answer, error) {
	return answer{
		"url": c.base + "/", "team": s.opts.Team.Name, "team_id": s.opts.Team.ID,
		"user": s.opts.Bot.Name, "user_id": s.opts.Bot.UserID, "bot_id": s.opts.Bot.BotID,
		"is_enterprise_install": false,
	}, nil
}

func teamInfo(s *Server, _ *state, c call) (answer, error) {
	if id := c.args.str("team"); id != "" && id != s.opts.Team.ID {
		return nil, fail("team_not_found")
	}
	return answer{"team": map[string]any{
		"id": s.opts.Team.ID, "name": s.opts.Team.Name, "domain": s.opts.Team.Domain,
	}}, nil
}

func botsInfo(s *Server, _ *state, c call) (answer, error) {
	if c.args.str("bot") != s.opts.Bot.BotID {
		return nil, fail("bot_not_found")
	}
	return answer{"bot": map[string]any{
		"id": s.opts.Bot.BotID, "app_id": s.opts.Bot.AppID, "user_id": s.opts.Bot.UserID,
		"name": s.opts.Bot.Name, "deleted": false,
	}}, nil
}

// botUser is the app as a user.
func (s *Server) botUser() User {
	return User{
		ID: s.opts.Bot.UserID, Handle: s.opts.Bot.Name, Name: s.opts.Bot.Name,
		TeamID: s.opts.Team.ID, Bot: true,
	}
}

// profile is a user as users.info shows it.
func (s *Server) profile(u User, locale bool, now time.Time) map[string]any {
	zone, err := time.LoadLocation(u.TZ)
	if err != nil {
		zone = time.UTC
	}
	label, offset := now.In(zone).Zone()
	p := map[string]any{
		"id": u.ID, "team_id": u.TeamID, "name": u.Handle, "real_name": u.Name, "deleted": u.Deleted,
		"profile":       map[string]any{"real_name": u.Name, "display_name": u.Handle, "team": u.TeamID},
		"is_restricted": u.Restricted || u.UltraRestricted, "is_ultra_restricted": u.UltraRestricted,
		"is_bot": u.Bot, "is_app_user": false, "is_admin": false, "is_owner": false,
		"is_stranger": u.Stranger, "updated": 0,
	}
	if u.Deleted {
		return p // Slack leaves the zone out
	}
	p["tz"], p["tz_label"], p["tz_offset"] = zone.String(), label, offset
	if locale && u.TeamID == s.opts.Team.ID {
		p["locale"] = or(u.Locale, "en-US")
	}
	return p
}

func usersInfo(s *Server, st *state, c call) (answer, error) {
	id := c.args.str("user")
	u, ok := st.user(id)
	switch {
	case id == s.opts.Bot.UserID:
		u = s.botUser()
	case !ok:
		return nil, fail("user_not_found")
	}
	return answer{"user": s.profile(u, c.args.flag("include_locale"), c.now)}, nil
}

func usersList(s *Server, st *state, c call) (answer, error) {
	members := []any{s.profile(s.botUser(), false, c.now)}
	for _, u := range st.users {
		if !u.Stranger {
			members = append(members, s.profile(u, c.args.flag("include_locale"), c.now))
		}
	}
	return answer{"members": members, "response_metadata": map[string]any{"next_cursor": ""}}, nil
}

func groupsList(s *Server, _ *state, _ call) (answer, error) {
	groups := []any{}
	for _, g := range s.opts.Groups {
		groups = append(groups, map[string]any{
			"id": g.ID, "team_id": s.opts.Team.ID, "handle": g.Handle, "name": g.Name,
			"is_usergroup": true, "users": g.Users, "user_count": len(g.Users),
		})
	}
	return answer{"usergroups": groups}, nil
}

func groupUsers(s *Server, _ *state, c call) (answer, error) {
	i := slices.IndexFunc(s.opts.Groups, func(g Group) bool { return g.ID == c.args.str("usergroup") })
	if i < 0 {
		return nil, fail("no_such_subteam")
	}
	return answer{"users": s.opts.Groups[i].Users}, nil
}
