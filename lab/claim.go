package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// claim makes a directory for a lab, with a file in it that is locked for as long
// as the lab's process lives, and removes directories whose processes do not.
func claim() (dir string, mine *os.File, err error) {
	stale, err := filepath.Glob(filepath.Join(os.TempDir(), "vpnbot-lab-*", "lock"))
	if err != nil {
		return "", nil, err
	}
	for _, name := range stale {
		if file, err := locked(name, 0); err == nil {
			err = os.RemoveAll(filepath.Dir(name))
			file.Close()
			if err != nil {
				return "", nil, err
			}
		}
	}
	if dir, err = os.MkdirTemp("", "vpnbot-lab-"); err != nil {
		return "", nil, err
	}
	// The lock is taken before the file has the name by which others find it.
	mine, err = locked(filepath.Join(dir, "new"), os.O_CREATE)
	if err == nil {
		err = os.Rename(mine.Name(), filepath.Join(dir, "lock"))
	}
	if err != nil {
		return "", nil, fmt.Errorf("claiming %s: %w", dir, err)
	}
	return dir, mine, nil
}

// locked opens a file that nobody else has locked, and locks it.
func locked(name string, flag int) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
