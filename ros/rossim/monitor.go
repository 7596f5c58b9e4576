package rossim

import (
	"time"

	"vpnbot/ros/schema"
)

// monitoring is a command that tells the state of rows again and again.
type monitoring struct {
	ids      string
	once     bool
	interval time.Duration
	props    []string
}

func parseMonitor(args schema.Row) (monitoring, error) {
	m := monitoring{interval: time.Second}
	var err error
	for _, name := range args.Names() {
		switch value := args[name]; name {
		case schema.ID, "numbers", "interface":
			m.ids = value
		case "once":
			m.once = true
		case "interval", "freeze-frame-interval":
			m.interval, err = schema.ParseDuration(value)
		case "duration":
			_, err = schema.ParseDuration(value)
		case "proplist", ".proplist":
			m.props = splitList(value)
		case "as-value", "without-paging", "append", "do", "file":
		default:
			return m, errUnknownParameter(name)
		}
		if err != nil || m.interval < 20*time.Millisecond {
			return m, errInvalid(name)
		}
	}
	return m, nil
}

// monitor answers one sentence a row, and with no "once" the same again at every
// interval until the command is cancelled.
func (c *conn) monitor(k call, m *menu, command string) {
	asked, err := parseMonitor(k.args)
	if err == nil && asked.ids == "" && m.list {
		err = errMissing([]string{map[string]string{"monitor": "numbers", "monitor-traffic": "interface"}[command]})
	}
	var rows []schema.Row
	if err == nil {
		rows, err = c.r.monitored(m, command, asked.ids)
	}
	if err != nil {
		c.refuse(k, err)
		return
	}
	if asked.once {
		c.send(append(sentences(k, rows, asked.props), k.reply("!done"))...)
		return
	}
	c.beside(k, func(f *follow) bool {
		for err == nil {
			c.send(sentences(k, rows, asked.props)...)
			if !wait(asked.interval, f.stop, c.done) {
				return false
			}
			rows, err = c.r.monitored(m, command, asked.ids)
		}
		c.send(k.trap(err), k.reply("!done"))
		return true
	})
}

// monitored is the state of the rows with these ids or names.
func (r *Router) monitored(m *menu, command, ids string) ([]schema.Row, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !m.list {
		row := r.st.setting(m.path)
		return []schema.Row{{"cpu-used": row["cpu-load"], "free-memory": row["free-memory"]}}, nil
	}
	recs, err := r.st.findAll(m, ids)
	if err != nil {
		return nil, err
	}
	var rows []schema.Row
	for _, rec := range recs {
		rows = append(rows, r.st.condition(command, rec))
	}
	return rows, nil
}

// condition is the state of one interface. Nothing is counted per interface.
func (s *state) condition(command string, rec *record) schema.Row {
	shown := s.show(rec.home, rec)
	if command == "monitor-traffic" {
		row := schema.Row{"name": rec.name()}
		for _, way := range []string{"rx", "tx", "fp-rx", "fp-tx"} {
			row[way+"-packets-per-second"], row[way+"-bits-per-second"] = "0", "0"
		}
		for _, name := range []string{"rx-drops", "tx-drops", "rx-errors", "tx-errors", "tx-queue-drops"} {
			row[name+"-per-second"] = "0"
		}
		return row
	}
	up := shown["running"] == "true"
	switch rec.home.rule.Type {
	case "ether":
		if up {
			return schema.Row{"name": rec.name(), "status": "link-ok", "auto-negotiation": "done", "rate": "1Gbps", "full-duplex": "true"}
		}
		return schema.Row{"name": rec.name(), "status": "no-link", "auto-negotiation": "incomplete"}
	case "bridge":
		return schema.Row{"state": "enabled", "root-bridge": "true", "root-path-cost": "0", "port-count": "0", "designated-port-count": "0"}
	}
	row := schema.Row{"status": "disconnected"}
	if up {
		row["status"] = "connected"
	}
	for _, name := range []string{"uptime", "user", "caller-id", "encoding", "mtu", "mru"} {
		if v, ok := shown[name]; ok {
			row[name] = v
		}
	}
	return row
}
