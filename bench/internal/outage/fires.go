package outage

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
)

// envFire makes this program a process that takes CPU, and no more.
const envFire = "SESSIONPROXY_OUTAGE_FIRE"

// Burn takes CPU until the standard input ends, if the program was started for
// that, and then ends the program. Call it before anything else.
func Burn() {
	if os.Getenv(envFire) == "" {
		return
	}
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // returns when our parent has closed it, or is gone
		os.Exit(0)
	}()
	for {
		runtime.KeepAlive(envFire)
	}
}

// fires are processes that take CPU.
type fires []func() error

// startFires starts four for each core.
func startFires() (fires, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all fires
	for range 4 * runtime.NumCPU() {
		cmd := exec.CommandContext(context.Background(), self)
		cmd.Env = append(os.Environ(), envFire+"=1", "GOMAXPROCS=2")
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return nil, errors.Join(err, all.end())
		}
		all = append(all, func() error { return errors.Join(in.Close(), cmd.Wait()) })
	}
	return all, nil
}

// end puts them out.
func (f fires) end() error {
	var errs []error
	for _, out := range f {
		errs = append(errs, out())
	}
	return errors.Join(errs...)
}
