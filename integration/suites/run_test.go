package suites_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// results are how tests ended, by name: pass, fail, skip, or died when the
// program ended before they did.
type results struct {
	ended  map[string]string
	output map[string]string
}

// count is how many tests, not counting subtests, ended so.
func (r results) count(how string) (n int) {
	for name, got := range r.ended {
		if got == how && !strings.Contains(name, "/") {
			n++
		}
	}
	return n
}

// runTests runs a program of tests in dir. A panic ends the program: it is run
// again for the tests that had no turn.
func runTests(t *testing.T, program, dir string, env []string, pattern, skip string) results {
	t.Helper()
	r := results{ended: map[string]string{}, output: map[string]string{}}
	skipped := []string{skip}
	if skip == "" {
		skipped = nil
	}
	for range 20 {
		before := len(r.ended)
		args := []string{"-test.v=test2json", "-test.timeout=8m", "-test.run=" + pattern}
		if len(skipped) > 0 {
			args = append(args, "-test.skip="+strings.Join(skipped, "|"))
		}
		died := r.run(t, program, dir, env, args)
		if !died || len(r.ended) == before {
			break
		}
		var had []string
		for name := range r.ended {
			had = append(had, name)
		}
		skipped = []string{exactly(had)}
		if skip != "" {
			skipped = append(skipped, skip)
		}
	}
	return r
}

// run runs the program once, and reports whether it ended before its tests did.
func (r results) run(t *testing.T, program, dir string, env, args []string) (died bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"tool", "test2json", program}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // each test tells for itself
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct {
			Action string `json:"Action"`
			Test   string `json:"Test"`
			Output string `json:"Output"`
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		if e.Action == "output" {
			r.output[e.Test] += e.Output
			died = died || strings.HasPrefix(e.Output, "panic: ") || strings.HasPrefix(e.Output, "fatal error: ")
		}
		if e.Test == "" {
			continue
		}
		switch e.Action {
		case "run":
			r.ended[e.Test] = "died"
		case "pass", "fail", "skip":
			r.ended[e.Test] = e.Action
		}
	}
	return died
}

// differences are the tests that ended otherwise, without those whose subtests
// say it better.
func differences(raw, ours results) []string {
	var differ []string
	for name, how := range raw.ended {
		if ours.ended[name] != how {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	return slices.DeleteFunc(slices.Clone(differ), func(name string) bool {
		return slices.ContainsFunc(differ, func(other string) bool { return strings.HasPrefix(other, name+"/") })
	})
}

// exactly is a pattern for the tests of which the names are those of others or
// of their subtests.
func exactly(names []string) string {
	var top []string
	for _, name := range names {
		first, _, _ := strings.Cut(name, "/")
		top = append(top, regexp.QuoteMeta(first))
	}
	slices.Sort(top)
	return "^(" + strings.Join(slices.Compact(top), "|") + ")$"
}
