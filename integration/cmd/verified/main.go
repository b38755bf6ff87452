// Command verified runs what takes too long for every change, and keeps the
// result of each part, with its commit and date, in docs/verified.md. It is "make
// verify". With -only it runs the parts whose title holds a text; what the page
// says of the others stays.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := flag.String("only", "", "run only the parts whose title holds this text")
	flag.Parse()
	if err := run(ctx, *only); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string) error {
	root, err := output(ctx, ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	commit, err := output(ctx, root, "git", "describe", "--always")
	if err != nil {
		return err
	}
	changed, err := output(ctx, root, "git", "status", "--porcelain", "--", ".", ":!docs/verified.md")
	if err != nil {
		return err
	}
	if changed != "" {
		commit += ", changed"
	}
	kept, err := read(filepath.Join(root, "docs", "verified.md"))
	if err != nil {
		return err
	}
	var failed []error
	for _, part := range parts {
		if !strings.Contains(part.title, only) {
			continue
		}
		fmt.Println("==", part.title)
		began := time.Now()
		events, err := part.run(ctx, root)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", part.title, err))
		}
		section := fmt.Sprintf("%s\n\n%s\n%s Commit `%s`, %s.\n", part.says, part.table(events),
			verdict(events, err, time.Since(began)), commit, began.UTC().Format(time.DateOnly))
		fmt.Print(section)
		kept.sections[part.title] = section
		if err := kept.write(); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

// output is what a command prints.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func verdict(events []event, err error, took time.Duration) string {
	passed, failed, skipped := 0, 0, 0
	for _, e := range events {
		switch e.Action {
		case "pass":
			passed++
		case "fail":
			failed++
		case "skip":
			skipped++
		}
	}
	result := "Passed"
	if err != nil || failed > 0 {
		result = "**Failed**"
	}
	return fmt.Sprintf("%s: %d tests passed, %d failed, %d were skipped, in %s.", result, passed, failed, skipped, took.Round(time.Second))
}

// event is a line of go test -json that says how a test ended, or what it told
// with testing.T.Attr.
type event struct {
	Action  string `json:"Action"`
	Package string `json:"Package"`
	Test    string `json:"Test"`
	Key     string `json:"Key"`
	Value   string `json:"Value"`
	Output  string `json:"Output"`
}

// goTest runs tests of a module, whole, and prints what those print that fail.
func goTest(ctx context.Context, dir string, args ...string) ([]event, error) {
	return goTestIn(ctx, dir, []string{"SESSIONPROXY_VERIFY=1"}, args...)
}

// goTestIn is goTest with what the environment has besides.
func goTestIn(ctx context.Context, dir string, env []string, args ...string) ([]event, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json", "-count=1", "-timeout=3h"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "SESSIONPROXY_REQUIRE_SERVERS=1"), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err := cmd.Run()
	var events []event
	printed := map[string]*strings.Builder{}
	for d := json.NewDecoder(&out); ; {
		var e event
		if derr := d.Decode(&e); errors.Is(derr, io.EOF) {
			break
		} else if derr != nil {
			return events, errors.Join(err, derr)
		}
		key := e.Package + " " + e.Test
		switch {
		case e.Action == "build-output":
			fmt.Print(e.Output)
		case e.Action == "output":
			if printed[key] == nil {
				printed[key] = &strings.Builder{}
			}
			printed[key].WriteString(e.Output)
		case e.Action == "attr":
			events = append(events, e)
		case e.Test != "" && (e.Action == "pass" || e.Action == "skip" || e.Action == "fail"):
			events = append(events, e)
		}
		if e.Action == "fail" && printed[key] != nil {
			fmt.Print(printed[key].String())
		}
	}
	if err == nil && !slices.ContainsFunc(events, func(e event) bool { return e.Action == "pass" }) {
		err = fmt.Errorf("go test %s in %s: no test ran: mend the pattern", strings.Join(args, " "), dir)
	}
	return events, err
}
