// Command outage does to private PostgreSQL servers what befalls databases, and
// compares what callers see with raw pgx, a retry written by hand, gobreaker,
// failsafe-go and this library, all with their defaults and side by side.
//
//	go run -C bench ./cmd/outage [-rounds 5] [-outage 60s] [-after 5s] [-pictures ../docs/img] [restart crash …]
//
// Without scenarios it performs all of them but one: sweep compares the adaptive
// limits with fixed ones, as subjects of their own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sessionproxy/sessionproxy/bench/internal/outage"
)

func main() {
	outage.Burn()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	o := outage.Options{Log: func(line string) { fmt.Fprintln(os.Stderr, line) }}
	flag.IntVar(&o.Rounds, "rounds", 3, "rounds of each scenario, of which medians are taken")
	flag.DurationVar(&o.Before, "before", time.Second, "time under load before the fault")
	flag.DurationVar(&o.After, "after", 5*time.Second, "time under load after the database's return")
	long := flag.Duration("outage", 10*time.Second, "length of the long outage")
	pictures := flag.String("pictures", "", "folder to draw pictures into, one for each scenario; empty: none")
	only := flag.String("subject", "", "measure the subjects whose name matches this expression")
	flag.Parse()
	sweep, limits := outage.Sweep()
	all, names := outage.Scenarios(*long), flag.Args()
	if len(names) > 0 {
		all = append(all, sweep)
	}
	scenarios, err := chosen(all, names)
	if err != nil {
		return err
	}
	fmt.Printf("%s, %s, %s/%s, %d CPUs; rounds: %d; `outage %s`\n\n", time.Now().Format(time.DateOnly), runtime.Version(),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.Rounds, strings.Join(os.Args[1:], " "))
	for _, s := range scenarios {
		subjects := outage.Subjects()
		if s.Name == sweep.Name {
			subjects = limits
		}
		if subjects, err = matching(subjects, *only); err != nil {
			return err
		}
		report, err := outage.Run(ctx, s, subjects, o)
		if err == nil {
			err = report.WriteTable(os.Stdout)
		}
		if err == nil && *pictures != "" {
			err = draw(report, filepath.Join(*pictures, "outage-"+s.Name+".svg"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// chosen returns the scenarios with the names, or all if there are none.
func chosen(all []outage.Scenario, names []string) ([]outage.Scenario, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []outage.Scenario
	for _, name := range names {
		i := slices.IndexFunc(all, func(s outage.Scenario) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("scenario %q: want one of %s", name, strings.Join(outage.Names(all), ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func matching(all []outage.Subject, text string) ([]outage.Subject, error) {
	match, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("-subject: %w", err)
	}
	out := slices.DeleteFunc(all, func(s outage.Subject) bool { return !match.MatchString(s.Name) })
	if len(out) == 0 {
		return nil, fmt.Errorf("-subject %q matches none", text)
	}
	return out, nil
}

func draw(report outage.Report, path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return report.WritePicture(f)
}
