package dbtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// envWatch names the folder to watch over in the environment of a watchdog.
const envWatch = "SESSIONPROXY_DBTEST_WATCH"

// base is where this test binary keeps its servers.
var base home

// home is the folder of all servers of a test binary, and the watchdog that
// removes it.
type home struct {
	mu       sync.Mutex
	folder   string    // empty before the first server
	made     int       // how many folders were handed out
	lease    io.Closer // the pipe that tells the watchdog that we live
	watchdog *exec.Cmd
}

// folderFor makes a folder for a server that runs as who.
func (h *home) folderFor(name string, who *account) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.folder == "" {
		if err := h.open(); err != nil {
			return "", fmt.Errorf("dbtest: make a folder: %w", err)
		}
	}
	h.made++
	folder := filepath.Join(h.folder, name+"-"+strconv.Itoa(h.made))
	if err := errors.Join(os.Mkdir(folder, 0o700), who.own(folder)); err != nil {
		return "", fmt.Errorf("dbtest: make a folder: %w", err)
	}
	return folder, nil
}

// open makes the folder and starts its watchdog: this very binary, told by its
// environment to be one. A pipe from us to it is all they share: when we end,
// however that is, the kernel closes it.
func (h *home) open() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "sessionproxy-dbtest-")
	if err != nil {
		return err
	}
	// Servers run as another user and must get to their own folders.
	if err := os.Chmod(folder, 0o711); err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = read.Close() }()
	h.watchdog = exec.Command(self)
	h.watchdog.Dir = "/"
	h.watchdog.Env = []string{envWatch + "=" + folder, "PATH=" + os.Getenv("PATH")}
	h.watchdog.Stdin = read
	h.watchdog.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := h.watchdog.Start(); err != nil {
		return errors.Join(err, write.Close(), os.RemoveAll(folder))
	}
	h.folder, h.lease = folder, write
	return nil
}

// leave lets the watchdog do its work and waits for it.
func (h *home) leave() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.folder == "" {
		return nil
	}
	err := errors.Join(h.lease.Close(), h.watchdog.Wait())
	if err != nil {
		return fmt.Errorf("dbtest: end all servers in %s: %w", h.folder, err)
	}
	h.folder = ""
	return nil
}

// init turns a process that was started as a watchdog into one. It must come
// before anything that the test binary would do.
func init() {
	folder := os.Getenv(envWatch)
	if folder == "" {
		return
	}
	// Nothing is ever sent: this returns when the other end is closed.
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := reap(folder); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}
