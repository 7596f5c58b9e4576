//go:build race

package watch_test

// dayMinutes is how long TestWatch_Day plays: the race detector makes everything
// several times as slow, and sees in three hours what it sees in a day.
const dayMinutes = 3 * 60
