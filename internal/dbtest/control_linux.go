package dbtest

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// briefly is how long the kernel may take to end or stop processes.
const briefly = 20 * time.Second

// killAll kills the server and everything it started, the server first, so that
// it can neither notice nor start more, and waits until all are gone.
func (in *instance) killAll(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), briefly)
	defer cancel()
	_ = p.Signal(syscall.SIGKILL)
	return poll(ctx, func() (bool, error) {
		left := within(in.folder)
		signalAll(left, syscall.SIGKILL)
		return len(left) == 0 && p.gone(), nil
	})
}

// gone reports whether the process has ended and has been waited for.
func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// kill is [PrivateServer.Kill].
func (in *instance) kill() error {
	return in.withRunning("kill", func(p *process) error {
		in.running = nil
		return in.killAll(p)
	})
}

// stop is [PrivateServer.Stop].
func (in *instance) stop() error {
	return in.withRunning("stop", func(p *process) error {
		in.running = nil
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = p.Signal(in.flavor.stopSignal())
		signalAll(in.tree(p), syscall.SIGCONT)
		err := poll(ctx, func() (bool, error) { return len(within(in.folder)) == 0 && p.gone(), nil })
		if err != nil {
			_ = in.killAll(p)
		}
		return err
	})
}

// pause is [PrivateServer.Pause]. It waits until the kernel has stopped every
// process, the server first, so that it can't start more.
func (in *instance) pause() error {
	return in.withRunning("pause", func(p *process) error {
		ctx, cancel := context.WithTimeout(context.Background(), briefly)
		defer cancel()
		return poll(ctx, func() (bool, error) {
			tree := in.tree(p)
			signalAll(tree, syscall.SIGSTOP)
			moving := slices.ContainsFunc(tree, func(pid int) bool {
				_, state := procStat(pid)
				return state != "T" && state != "Z" && state != ""
			})
			return !moving, nil
		})
	})
}

// unpause is [PrivateServer.Resume].
func (in *instance) unpause() error {
	return in.withRunning("resume", func(p *process) error {
		signalAll(in.tree(p), syscall.SIGCONT)
		return nil
	})
}

// tree lists the server's processes, the server first.
func (in *instance) tree(p *process) []int {
	pids := within(in.folder)
	if i := slices.Index(pids, p.Pid); i > 0 {
		pids[0], pids[i] = pids[i], pids[0]
	}
	return pids
}

// withRunning calls do with the running server; with none it does nothing. Its
// error names what was tried and ends with the server's log.
func (in *instance) withRunning(what string, do func(p *process) error) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.running == nil {
		return nil
	}
	if err := do(in.running); err != nil {
		return fmt.Errorf("dbtest: %s %s: %w; end of its log:\n%s", what, in.flavor.kind(), err, in.logTail())
	}
	return nil
}
