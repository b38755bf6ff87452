package dbtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// account is the user that a server runs as; nil means the current one.
type account struct{ uid, gid int }

// unprivileged returns the first of names that exists if root asks, and nil for
// anyone else: servers refuse to run as root.
func unprivileged(names []string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, fmt.Errorf("dbtest: look up user %s: %w", name, err)
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			return nil, fmt.Errorf("dbtest: look up user %s: %w", name, err)
		}
		return &account{uid, gid}, nil
	}
	return nil, fmt.Errorf("dbtest: look up a user to run as: none of %v exists", names)
}

// own gives a file to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// confine makes cmd run as the instance's account, in its folder, in a session
// of its own: an interrupt from the terminal is for the tests alone.
func (in *instance) confine(cmd *exec.Cmd) {
	cmd.Dir = in.folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if in.account != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{
			Uid: uint32(in.account.uid), Gid: uint32(in.account.gid),
		}
	}
}

// process is a server's process, running or not.
type process struct {
	*os.Process

	exited chan struct{} // closed once the process is gone
	err    error         // how it ended; read after exited
}

// launch starts the server's process, its output going to its log. Should the
// tests and their watchdog both be killed, the kernel ends the server: it sends
// the death signal when the thread that started it ends, so that this thread
// belongs to one goroutine which stays as long as the server.
func (in *instance) launch(c command) (*process, error) {
	log, err := os.OpenFile(in.log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	for name, text := range c.files {
		if err := in.write(name, text); err != nil {
			return nil, err
		}
	}
	cmd := in.bin.cmd(context.Background(), c)
	in.confine(cmd)
	cmd.SysProcAttr.Pdeathsig = in.flavor.deathSignal()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, log, log

	p := &process{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.Process = cmd.Process
	return p, nil
}

// write makes a file in the instance's folder that its account alone can read.
func (in *instance) write(name, text string) error {
	path := filepath.Join(in.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return in.account.own(path)
}

// within lists the processes whose working folder is folder or in it. A server
// works in its data folder, and so does everything that it starts, also when
// the server itself is gone and the kernel has given its children away.
func within(folder string) []int {
	var pids []int
	for _, pid := range numbersIn("/proc") {
		if cwd := workingFolder(pid); cwd == folder || strings.HasPrefix(cwd, folder+"/") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// workingFolder returns where a process works, or "" if it is gone or another
// user's. The first thread of a process may end before the last one, which
// still holds the process's sockets.
func workingFolder(pid int) string {
	root := "/proc/" + strconv.Itoa(pid)
	if cwd, err := os.Readlink(root + "/cwd"); err == nil {
		return cwd
	}
	for _, thread := range numbersIn(root + "/task") {
		if cwd, err := os.Readlink(root + "/task/" + strconv.Itoa(thread) + "/cwd"); err == nil {
			return cwd
		}
	}
	return ""
}

// numbersIn lists the entries of a folder that are numbers.
func numbersIn(folder string) []int {
	f, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	// What can't be listed has ended.
	names, _ := f.Readdirnames(-1)
	var numbers []int
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// procStat returns a process's name and state: R, S, D, T, Z …
func procStat(pid int) (name, state string) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", ""
	}
	// The name is in parentheses and may hold some itself.
	text := string(stat)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end+2 >= len(text) {
		return "", ""
	}
	return text[open+1 : end], text[end+2 : end+3]
}

// signalAll sends sig to processes; those that are gone are fine.
func signalAll(pids []int, sig syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig)
	}
}
