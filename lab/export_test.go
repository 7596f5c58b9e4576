package lab

import "vpnbot/ros/schema"

// Logs returns what both daemons logged about the last attempt.
func Logs(l *Lab) []string {
	lines := []string{"-- initiator"}
	lines = append(lines, l.sites[0].daemon.since(0)...)
	lines = append(lines, "-- responder")
	return append(lines, l.sites[1].daemon.since(0)...)
}

// Silent tells whether the initiator sends nothing, so that no daemon judges.
func Silent(a schema.Attempt) bool {
	_, silent, _ := prepare(a)
	return silent != nil
}

// Dir returns the lab's directory.
func Dir(l *Lab) string { return l.dir }

// PIDs returns the process ids of the daemons.
func PIDs(l *Lab) []int {
	return []int{l.sites[0].daemon.cmd.Process.Pid, l.sites[1].daemon.cmd.Process.Pid}
}

// Asked tells whether the responder's daemon has refused an attempt.
func Asked(l *Lab) bool {
	return logged(l.sites[1].daemon.since(0), cannotDecrypt)
}
