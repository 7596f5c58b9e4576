package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name: it is held by a thread of
// this process and by the processes that were started in it, and all of those
// die with this process, however that ends. So nothing has to be swept up after
// a lab that was killed, and two labs never meet.
type namespace struct {
	work chan func()
	done chan struct{}
	file *os.File // the namespace itself, for moving links into it
}

// newNamespace makes a namespace with its loopback up.
func newNamespace() (*namespace, error) {
	ns := &namespace{work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go ns.serve(ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	if err := ns.ip("link set lo up"); err != nil {
		ns.close()
		return nil, err
	}
	return ns, nil
}

// serve runs work on one thread. It never unlocks the thread, so the thread ends
// with it, and what was started with a death signal ends with the thread.
func (ns *namespace) serve(ready chan<- error) {
	runtime.LockOSThread()
	defer close(ns.done)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		ready <- fmt.Errorf("making a network namespace: %w", err)
		return
	}
	file, err := os.Open("/proc/thread-self/ns/net")
	ns.file = file
	ready <- err
	if err != nil {
		return
	}
	for f := range ns.work {
		f()
	}
}

// do runs f inside the namespace. What f opens stays in the namespace.
func (ns *namespace) do(f func() error) error {
	errs := make(chan error, 1)
	select {
	case ns.work <- func() { errs <- f() }:
		return <-errs
	case <-ns.done:
		return errors.New("the namespace is closed")
	}
}

func (ns *namespace) close() {
	close(ns.work)
	<-ns.done
	ns.file.Close()
}

// path names the namespace to other processes.
func (ns *namespace) path() string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.file.Fd())
}

// start starts a process in the namespace; it is killed when the namespace is
// closed or this process ends.
func (ns *namespace) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return ns.do(cmd.Start)
}

// ip runs lines of the ip command in one batch.
func (ns *namespace) ip(lines ...string) error {
	return ns.run(strings.Join(lines, "\n")+"\n", "ip", "-batch", "-")
}

// run runs a program in the namespace with input and waits for it.
func (ns *namespace) run(input string, args ...string) error {
	var out strings.Builder
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &out
	err := ns.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}

// sysctl sets a kernel parameter of the namespace.
func (ns *namespace) sysctl(name, value string) error {
	return ns.do(func() error {
		return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)
	})
}
