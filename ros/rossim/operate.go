package rossim

import "time"

// operate carries out the commands that change no configuration.
func (s *state) operate(c change) (string, []touched, error) {
	var recs []*record
	switch c.action {
	case "reset-counters-all":
		recs = s.rows(c.menu)
	case "reset-counters", "expire-password", "blink":
		var err error
		if recs, err = s.targets(c); err != nil {
			return "", nil, err
		}
	case "clear":
		return s.clearLog(c)
	}
	for _, rec := range recs {
		s.operateOn(rec, c.action)
		s.changed(rec, false)
	}
	return "", nil, nil
}

func (s *state) operateOn(rec *record, action string) {
	switch action {
	case "reset-counters", "reset-counters-all":
		for _, name := range []string{"bytes", "packets"} {
			if m, ok := rec.meters[name]; ok {
				rec.meters[name] = meter{rate: m.rate, since: time.Now()}
			}
		}
	case "expire-password":
		rec.vals = rec.vals.Clone()
		rec.vals["expired"] = "true"
	}
}

// clearLog forgets what a logging action has kept. Only memory keeps anything
// here.
func (s *state) clearLog(c change) (string, []touched, error) {
	name := c.values["action"]
	if name == "" {
		return "", nil, errMissing([]string{"action"})
	}
	if !s.exists(c.menu.path, name) {
		return "", nil, errNoMatch("action")
	}
	if name == "memory" {
		s.tables["/log"] = nil
	}
	return "", nil, nil
}
