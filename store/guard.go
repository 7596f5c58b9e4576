package store

import (
	"fmt"
	"runtime/debug"
)

// guard runs f and turns a panic of bbolt, or a fault of the mapped file (a disk
// that fails, a file that somebody cut), into ErrDamaged.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return f()
}
