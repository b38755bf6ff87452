package dbtest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// reap ends all processes in folder and removes it. PostgreSQL's may take their
// shared memory along; who does not go gently in time is killed.
func reap(folder string) error {
	const gently = 3 * time.Second
	for _, pid := range within(folder) {
		last := syscall.SIGKILL
		if name, _ := procStat(pid); name == "postgres" {
			last = syscall.SIGQUIT
		}
		signalAll([]int{pid}, last)
		signalAll([]int{pid}, syscall.SIGCONT)
	}
	ctx, cancel := context.WithTimeout(context.Background(), briefly)
	defer cancel()
	begun := time.Now()
	err := poll(ctx, func() (bool, error) {
		left := within(folder)
		if time.Since(begun) > gently {
			signalAll(left, syscall.SIGKILL)
		}
		return len(left) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("dbtest: end the processes in %s: %w", folder, err)
	}
	releaseShared(folder)
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("dbtest: remove a server's folder: %w", err)
	}
	return nil
}

// releaseShared removes the System V shared memory of PostgreSQL servers that
// were killed: the kernel keeps it for ever, and allows a few thousand. Its id
// is the second number of the last but one line of postmaster.pid
// (src/include/utils/pidfile.h), a file that is there only after a kill.
func releaseShared(folder string) {
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "postmaster.pid" {
			return nil // what can't be read is not ours
		}
		const line = 7
		text, _ := os.ReadFile(path)
		lines := strings.Split(string(text), "\n")
		if len(lines) < line {
			return nil
		}
		if ids := strings.Fields(lines[line-1]); len(ids) == 2 {
			_ = exec.Command("ipcrm", "-m", ids[1]).Run()
		}
		return nil
	})
}
