package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden sees to it that no core file and no debugger of the same user shows a
// secret.
func harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switching core files off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("switching memory dumps off: %w", err)
	}
	return nil
}
