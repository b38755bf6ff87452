package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// supported are the modules whose oldest and newest versions are tried.
var supported = []string{
	"github.com/jackc/pgx/v5", "github.com/go-sql-driver/mysql", "modernc.org/sqlite", "go.opentelemetry.io/otel",
	"go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/trace", "github.com/sony/gobreaker/v2", "github.com/ngrok/sqlmw",
}

// dependents are the packages whose tests tell.
var dependents = []string{
	"./driver/...", "./engine/...", "./fault", "./internal/dbname", "./tracing", "./breaker", "./retry", "./preset", "./middleware/...", "./orm",
}

const (
	pq = "github.com/lib/pq"
	// oldestPQ is the last version that has no Config, and many still use it.
	oldestPQ = "v1.10.9"
	// withPQConfig is the file of the integration suite that needs Config.
	withPQConfig = "target_names_pq_test.go"
)

// onPQ picks the tests that run for each driver, and lib/pq's part of them, but
// for what the oldest lacks: several hosts, and a cancel that a query heeds which
// has only just been sent.
var onPQ = []string{
	"-run=^(TestFaultPostgres.*|TestRealDriversLoseNothing|TestRawGivesTheDriversConnection|TestIsolationLevelsReachTheServer|" +
		"TestAConnectionThatOnlyReadsIsReplaced|TestAServerSaysWhetherATransactionIsOpen|TestALostCommitIsUnknownAndNotRepeated|" +
		"TestALostCommitIsVerified)$/^lib$/^pq",
	".",
}

// dependencies runs tests in copies of the modules with other versions.
func dependencies(ctx context.Context, root string) ([]event, error) {
	home, err := os.MkdirTemp("", "sessionproxy-versions-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home)
	if err := copyTracked(ctx, root, home); err != nil {
		return nil, err
	}
	suite := filepath.Join(home, "integration")
	events, err := tried(ctx, home, "the oldest", supported, dependents)
	for _, step := range []func() ([]event, error){
		func() ([]event, error) {
			if err := take(ctx, home, supported, newest); err != nil {
				return nil, err
			}
			return tried(ctx, home, "the newest", supported, dependents)
		},
		func() ([]event, error) {
			if err := take(ctx, suite, []string{pq}, func(context.Context, string, string) ([]string, error) { return []string{oldestPQ}, nil }); err != nil {
				return nil, err
			}
			if err := os.Remove(filepath.Join(suite, withPQConfig)); err != nil {
				return nil, err
			}
			return tried(ctx, suite, "the oldest lib/pq", []string{pq}, onPQ)
		},
		func() ([]event, error) {
			if err := take(ctx, suite, []string{pq}, newest); err != nil {
				return nil, err
			}
			return tried(ctx, suite, "the newest lib/pq", []string{pq}, onPQ)
		},
	} {
		found, serr := step()
		events, err = append(events, found...), errors.Join(err, serr)
	}
	return events, err
}

// tried runs tests and says with which versions.
func tried(ctx context.Context, dir, name string, modules, tests []string) ([]event, error) {
	versions, err := output(ctx, dir, "go", append([]string{"list", "-m"}, modules...)...)
	if err != nil {
		return nil, err
	}
	events, err := goTestIn(ctx, dir, nil, append([]string{bounded}, tests...)...)
	return summed(name, map[string]string{"versions": strings.ReplaceAll(versions, "\n", ", ")}, events), err
}

// newest returns the versions of a module, the newest first, and none that is
// not yet released.
func newest(ctx context.Context, dir, module string) ([]string, error) {
	list, err := output(ctx, dir, "go", "list", "-m", "-versions", module)
	if err != nil {
		return nil, err
	}
	versions := strings.Fields(list)[1:]
	versions = slices.DeleteFunc(versions, func(v string) bool { return strings.Contains(v, "-") })
	slices.Reverse(versions)
	return versions, nil
}

// take has a module require others at the first of their versions that can be
// had: a proxy may refuse some.
func take(ctx context.Context, dir string, modules []string, versionsOf func(ctx context.Context, dir, module string) ([]string, error)) error {
	for _, module := range modules {
		versions, err := versionsOf(ctx, dir, module)
		if err != nil {
			return err
		}
		for _, v := range versions[:min(len(versions), 5)] {
			if _, err = output(ctx, dir, "go", "mod", "download", module+"@"+v); err != nil {
				continue
			}
			_, err = output(ctx, dir, "go", "mod", "edit", "-require="+module+"@"+v)
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", module, err)
		}
	}
	_, err := output(ctx, dir, "go", "mod", "tidy")
	return err
}

// copyTracked copies the files that belong to the repository.
func copyTracked(ctx context.Context, from, to string) error {
	list, err := output(ctx, from, "git", "ls-files", "-z")
	if err != nil {
		return err
	}
	for path := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		if err := copyFile(filepath.Join(from, path), filepath.Join(to, path)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was read
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
