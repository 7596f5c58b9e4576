package lab

// Logs returns what both daemons logged about the last attempt.
func Logs(l *Lab) []string {
	lines := []string{"-- initiator"}
	lines = append(lines, l.sites[0].daemon.since(0)...)
	lines = append(lines, "-- responder")
	return append(lines, l.sites[1].daemon.since(0)...)
}
