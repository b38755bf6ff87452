package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// part is a section of the page.
type part struct {
	title, says string
	run         func(ctx context.Context, root string) ([]event, error)
	table       func([]event) []byte
}

var parts = []part{
	{
		title: "Other projects' tests on top of us",
		says: "Each suite, of the version in go.mod, runs as it is and then on each chain; the figures are tests that pass. " +
			"Every test that differs is in the list of `integration/suites/differences_test.go`, with its reason.",
		run: func(ctx context.Context, root string) ([]event, error) {
			return goTest(ctx, filepath.Join(root, "integration"), "-run=^TestSuites$", "./suites")
		},
		table: suiteTable,
	},
	{
		title: "A retry changes nothing",
		says: "Random sequences of statements, states and faults on scripted servers, each compared with a run that never retries " +
			"(`integration/model`).",
		run: func(ctx context.Context, root string) ([]event, error) {
			return goTest(ctx, filepath.Join(root, "integration"), "./model")
		},
		table: func(events []event) []byte {
			return attrTable("attachment", events, "sequences", "with a fault", "retried")
		},
	},
	{
		title: "No password is seen",
		says: "20,000 odd passwords for each way to open a database, each beside one that differs in its letters alone: errors, targets and spans " +
			"are equal (`integration/secrets_dsn_test.go`).",
		run: func(ctx context.Context, root string) ([]event, error) {
			return goTest(ctx, filepath.Join(root, "integration"), "-run=^TestNothingThatIsSeenDependsOnThePassword$", ".")
		},
		table: func(events []event) []byte { return attrTable("way in", events, "passwords") },
	},
	{
		title: "No literal is seen",
		says: "Random texts of what lexers stumble over, in each mode of each server: what the server itself takes as data is in no sanitised " +
			"text and in no summary (`integration/literals`).",
		run: func(ctx context.Context, root string) ([]event, error) {
			return goTest(ctx, filepath.Join(root, "integration"), "./literals")
		},
		table: func(events []event) []byte {
			return attrTable("server", events, "texts", "understood", "literals")
		},
	},
	{
		title: "Every text is read in linear time",
		says:  "Steps, counted, of each function that reads a text, for texts of repeated awkward tokens up to 64 KiB (`internal/sqltext/linear_test.go`).",
		run: func(ctx context.Context, root string) ([]event, error) {
			return goTest(ctx, root, "-run=^TestEveryTextIsReadInLinearTime$", "./internal/sqltext")
		},
		table: func(events []event) []byte {
			return attrTable("", events, "texts", "most steps for a byte")
		},
	},
	{
		title: "Newer PostgreSQL",
		says: "The integration suite on the newest release, and the packages that speak to PostgreSQL on those between it and Debian's, which " +
			"everything else runs on.",
		run:   newerPostgres,
		table: func(events []event) []byte { return attrTable("PostgreSQL", events, "tests", "passed", "failed") },
	},
	{
		title: "The oldest and the newest of each dependency",
		says: "The oldest are those that `go.mod` requires. Packages: `" + strings.Join(dependents, "`, `") + "`; for lib/pq the integration suite's tests " +
			"that run on it.",
		run:   dependencies,
		table: func(events []event) []byte { return attrTable("", events, "versions", "passed", "failed") },
	},
	{
		title: "Ten thousand outages",
		says: "Histories of a simulated database in virtual time, which crashes, restarts, fails over, hangs, flaps and browns out under " +
			"the chain with its defaults (`internal/simulation`). The bounds on recovery, on probes and on refusals are exact there.",
		run: func(ctx context.Context, root string) ([]event, error) {
			return goTest(ctx, root, "-run=^TestOutages$", "./internal/simulation")
		},
		table: func(events []event) []byte {
			return attrTable("chain", events, "outages", "first seed", "slowest recovery")
		},
	},
}

// suiteTable has a row for each suite.
func suiteTable(events []event) []byte {
	return attrTable("suite", events, "version", "without us", "empty chain", "one link", "kit", "differences that are meant")
}

// attrTable has a row for each subtest of the first level that told something,
// with what it told under the keys. A test's deeper subtests speak for it.
func attrTable(what string, events []event, keys ...string) []byte {
	rows := map[string]map[string]string{}
	var names []string
	for _, e := range events {
		if e.Action != "attr" {
			continue
		}
		_, name, _ := strings.Cut(e.Test, "/")
		name = attrName(name, events)
		if rows[name] == nil {
			rows[name] = map[string]string{}
			names = append(names, name)
		}
		rows[name][e.Key] = e.Value
	}
	slices.Sort(names)
	out := fmt.Appendf(nil, "| %s |", what)
	columns := make([]string, len(keys))
	for i, k := range keys {
		columns[i] = strings.ReplaceAll(k, " ", "-")
		out = fmt.Appendf(out, " %s |", k)
	}
	out = append(append(out, "\n| --- |"...), strings.Repeat(" --- |", len(keys))...)
	for _, name := range names {
		out = fmt.Appendf(out, "\n| %s |", rows[name]["name"])
		for _, c := range columns {
			out = fmt.Appendf(out, " %s |", rows[name][c])
		}
	}
	return append(out, '\n')
}

// attrName is the longest test that told its name and is name or above it.
func attrName(name string, events []event) string {
	best := ""
	for _, e := range events {
		_, other, _ := strings.Cut(e.Test, "/")
		if e.Action == "attr" && e.Key == "name" && (other == name || strings.HasPrefix(name, other+"/")) && len(other) > len(best) {
			best = other
		}
	}
	return best
}
