//go:build !linux

package dbtest

import (
	"context"
	"fmt"
	"runtime"
)

// What follows says that there can be no private server here: ending one with
// all its processes, whatever happens to the tests, needs Linux. Servers named
// by the environment work.

type account struct{}

type process struct{}

var base home

type home struct{}

func (*home) leave() error { return nil }

func newInstance(context.Context, flavor, []setting) (*instance, error) { return nil, unsupported() }

func newPooler(flavor, []setting) (*instance, error) { return nil, unsupported() }

func (*instance) start(context.Context) error { return unsupported() }

func (*instance) resume(context.Context) error { return unsupported() }

func (*instance) kill() error { return unsupported() }

func (*instance) stop() error { return unsupported() }

func (*instance) pause() error { return unsupported() }

func (*instance) unpause() error { return unsupported() }

func (*instance) standby(context.Context) (*instance, error) { return nil, unsupported() }

func reap(string) error { return unsupported() }

func unsupported() error {
	return fmt.Errorf("dbtest: start a server on %s: %w", runtime.GOOS, errMissing)
}
