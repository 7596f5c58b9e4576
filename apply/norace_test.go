//go:build !race

package apply_test

// sparse leaves most repetitions out.
const sparse = false
