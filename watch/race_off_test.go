//go:build !race

package watch_test

// dayMinutes is how long TestWatch_Day plays.
const dayMinutes = 24 * 60
