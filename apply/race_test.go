//go:build race

package apply_test

// sparse leaves most repetitions out: with the race detector each takes five times
// as long, and it has seen all that it can see in a few.
const sparse = true
