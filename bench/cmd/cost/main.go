// Command cost measures what a program pays for a library before it runs:
// requirements, lines of go.sum, the size of the binary, and the time to build
// it. It writes the table in docs/performance.md.
//
//	go run -C bench ./cmd/cost
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

// Where the table stands in the page.
const (
	begin = "<!-- the table is written by go run -C bench ./cmd/cost -->\n"
	end   = "<!-- end of the table -->"
)

func run(ctx context.Context) (err error) {
	root, err := output(ctx, ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "sessionproxy-cost-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	standard := filepath.Join(home, "standard")
	if _, _, err := build(ctx, root, standard, "std"); err != nil {
		return err
	}
	var table strings.Builder
	table.WriteString("\n| program | requirements | lines of go.sum | MB | MB, stripped | build, s | again, s |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, p := range programs {
		c, err := p.measure(ctx, root, filepath.Join(home, p.dir()), standard)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		row := fmt.Sprintf("| %s | %d | %d | %.1f | %.1f | %.0f | %.1f |\n", p.name, c.requirements, c.sums,
			float64(c.size)/1e6, float64(c.stripped)/1e6, c.clean.Seconds(), c.again.Seconds())
		fmt.Print(row)
		table.WriteString(row)
	}
	return replace(filepath.Join(root, "docs", "performance.md"), table.String()+"\n")
}

// cost is what a program pays.
type cost struct {
	requirements, sums int
	size, stripped     int64
	clean, again       time.Duration
}

// measure makes a module of the program, in the versions of this one's go.mod,
// and builds it: with the standard library compiled, then again after a change of
// its own.
func (p program) measure(ctx context.Context, root, dir, standard string) (c cost, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return c, err
	}
	main := filepath.Join(dir, "main.go")
	if err := os.WriteFile(main, []byte(p.text()), 0o600); err != nil {
		return c, err
	}
	versions, err := output(ctx, filepath.Join(root, "bench"), "go", append([]string{"list", "-m", "-f", "-require={{.Path}}@{{.Version}}"}, p.modules...)...)
	if err != nil {
		return c, err
	}
	edit := append([]string{"mod", "edit", "-replace=" + ours + "=" + root}, strings.Fields(versions)...)
	for _, args := range [][]string{{"mod", "init", "hello"}, edit, {"mod", "tidy"}} {
		if _, err := output(ctx, dir, "go", args...); err != nil {
			return c, err
		}
	}
	if c.requirements, c.sums, err = p.count(ctx, dir); err != nil {
		return c, err
	}
	cache := filepath.Join(dir, "cache")
	if _, err := output(ctx, dir, "cp", "--archive", "--reflink=auto", standard, cache); err != nil {
		return c, err
	}
	if c.clean, c.size, err = build(ctx, dir, cache, "."); err != nil {
		return c, err
	}
	if err := os.WriteFile(main, []byte(p.text()+"\nvar _ = 1\n"), 0o600); err != nil {
		return c, err
	}
	if c.again, _, err = build(ctx, dir, cache, "."); err != nil {
		return c, err
	}
	_, c.stripped, err = build(ctx, dir, cache, "-ldflags=-s -w", ".")
	return c, err
}

// count returns how many modules the program's go.mod requires, and how many
// lines its go.sum has. This library is taken from its folder, without the two
// lines that it has elsewhere.
func (p program) count(ctx context.Context, dir string) (requirements, sums int, err error) {
	list, err := output(ctx, dir, "go", "mod", "edit", "-print")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(list) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && strings.HasPrefix(fields[1], "v") {
			requirements++
		}
	}
	sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	sums = bytes.Count(sum, []byte("\n"))
	if p.ours() {
		sums += 2
	}
	return requirements, sums, err
}

// build builds packages and returns what it took of the processor and, of a
// program, how large it is.
func build(ctx context.Context, dir, cache string, args ...string) (took time.Duration, size int64, err error) {
	program := filepath.Join(cache, "hello")
	if args[len(args)-1] == "." {
		args = append([]string{"-o", program}, args...)
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), "GOCACHE="+cache), os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, 0, err
	}
	took = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if info, err := os.Stat(program); err == nil {
		size = info.Size()
	}
	return took, size, nil
}

// replace puts the table into the page.
func replace(path, table string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return fmt.Errorf("%s has no place for the table", path)
	}
	return os.WriteFile(path, []byte(head+begin+table+end+tail), 0o644)
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, complaints.String())
	}
	return strings.TrimSpace(string(out)), nil
}
