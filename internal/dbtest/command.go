package dbtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// command is a program to run: its name without path, arguments, what it adds
// to the environment, what it reads, and files that a server finds in its folder.
// Secrets travel in the last three, where a list of processes does not show them.
type command struct {
	program string
	args    []string
	env     []string
	input   string
	files   map[string]string
}

// cmd prepares c. The environment is the same on every machine: no locale, no
// time zone, and none of the variables that clients and servers listen to.
func (b binaries) cmd(ctx context.Context, c command) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b[c.program], c.args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}, c.env...)
	cmd.Stdin = strings.NewReader(c.input)
	// A child of the killed program may hold its output open.
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs c in folder, as the user whom adjust sets, and returns what it
// printed. An error holds what it complained about.
func (b binaries) run(ctx context.Context, c command, adjust func(*exec.Cmd)) (string, error) {
	cmd := b.cmd(ctx, c)
	if adjust != nil {
		adjust(cmd)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", c.program, err, lastLines(stderr.String()+stdout.String()))
	}
	return stdout.String(), nil
}

// lastLines returns the end of a text: enough to see what went wrong.
func lastLines(text string) string {
	const most = 40
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
