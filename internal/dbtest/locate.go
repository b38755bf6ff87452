package dbtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// errMissing is matched when the machine lacks a binary.
var errMissing = errors.New("not installed")

// binaries maps the name of a program to its path.
type binaries map[string]string

// envPostgresBin names the folder of the PostgreSQL to start.
const envPostgresBin = "SESSIONPROXY_POSTGRES_BIN"

// chosen returns the folder of programs that the environment names for a kind of
// server, and the empty string if it names none.
func chosen(f flavor) string {
	if f.kind() != KindPostgres {
		return ""
	}
	return os.Getenv(envPostgresBin)
}

// programsOf finds the programs of a kind of server, and others.
func programsOf(f flavor, others ...string) (binaries, error) {
	first := chosen(f)
	found, err := locate(append(f.programs(), others...), f.folders(), first)
	if server := f.programs()[0]; err == nil && first != "" && server == "postgres" && found[server] != filepath.Join(first, server) {
		return nil, fmt.Errorf("dbtest: %s: no %s there", envPostgresBin, server)
	}
	return found, err
}

// locate finds programs: in the first folder unless it is empty, beside the
// first of them, on the PATH, and in folders, patterns of which match what
// distributions keep off the PATH. Beside the first comes before the PATH because
// a wrapper in /usr/bin may start another version.
func locate(programs, folders []string, first string) (binaries, error) {
	found := make(binaries, len(programs))
	places := newestFirst(folders)
	beside := first
	for _, program := range programs {
		path, err := search(program, beside, places)
		if err != nil {
			return nil, err
		}
		// The path itself is kept: some programs go by the name they are called.
		if resolved, err := filepath.EvalSymlinks(path); err == nil && beside == "" {
			beside = filepath.Dir(resolved)
		}
		found[program] = path
	}
	return found, nil
}

// search returns the first path of program in the order of [locate].
func search(program, beside string, places []string) (string, error) {
	if path := filepath.Join(beside, program); beside != "" && executable(path) {
		return path, nil
	}
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, place := range places {
		if path := filepath.Join(place, program); executable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("dbtest: find %s: %w", program, errMissing)
}

// executable reports whether path is a file that can be run.
func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// versionPart finds a major version in the name of a folder.
var versionPart = regexp.MustCompile(`\d+`)

// newestFirst expands patterns and sorts what they match by the first number in
// the name of the parent folder, the highest first: /usr/lib/postgresql/15/bin
// comes before 9.6's.
func newestFirst(patterns []string) []string {
	var folders []string
	for _, pattern := range patterns {
		// The patterns are constants: they are never malformed.
		matches, _ := filepath.Glob(pattern)
		folders = append(folders, matches...)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(versionPart.FindString(filepath.Base(filepath.Dir(path))))
		return n
	}
	slices.SortStableFunc(folders, func(a, b string) int { return version(b) - version(a) })
	return folders
}
