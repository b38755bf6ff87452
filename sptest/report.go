package sptest

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Report is what [EveryFault] has found out.
type Report struct {
	// Unit is the unit's name.
	Unit string
	// Calls are those that the unit makes when nothing fails, in order.
	Calls []Call
	// Rows has a row for each call and each fault that can strike there.
	Rows []Row
}

// Row is one run of the unit, with one fault.
type Row struct {
	// Call is the call that was to be struck.
	Call Call
	// Nth is which of the unit's calls of the same summary it is, from 1.
	Nth int
	// Fault is the fault's name.
	Fault string
	// Struck says that the fault came to be: rows that break off after the first
	// do not if there is one alone.
	Struck bool
	// Err is what the unit's caller got.
	Err error
	// Replays is how many transactions were begun after the fault.
	Replays int
	// Done is how often the unit's work was done in the end.
	Done int
	// Problem says why that does not agree; "" if it does.
	Problem string
}

// Wrong returns the rows with a problem.
func (r *Report) Wrong() (rows []Row) {
	for _, row := range r.Rows {
		if row.Problem != "" {
			rows = append(rows, row)
		}
	}
	return rows
}

// String returns the report as a table.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d calls, %d runs, %d wrong\n", r.Unit, len(r.Calls), len(r.Rows), len(r.Wrong()))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "call\tfault\treplays\tthe caller got\tdone\t")
	for _, row := range r.Rows {
		mark := "✓"
		switch {
		case row.Problem != "":
			mark = "✗ " + row.Problem
		case !row.Struck:
			mark = "✓ (it could not strike)"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\n", row.at(), row.Fault, row.Replays, row.told(), row.Done, mark)
	}
	_ = w.Flush()
	return b.String()
}

func (r *Row) at() string {
	if r.Nth > 1 {
		return fmt.Sprintf("%s (#%d)", r.Call, r.Nth)
	}
	return r.Call.String()
}

// told says in a word what the caller got.
func (r *Row) told() string {
	switch {
	case r.Err == nil:
		return "no error"
	case errors.Is(r.Err, sessionproxy.ErrCommitUnknown):
		return "commit unknown"
	}
	if class := fault.Of(r.Err, fault.Situation{}).Class; class != fault.ClassUnknown {
		return class.String()
	}
	return fmt.Sprintf("%T", r.Err)
}

// times returns a number in words.
func times(n int) string {
	switch n {
	case 0:
		return "not at all"
	case 1:
		return "once"
	default:
		return fmt.Sprintf("%d times", n)
	}
}

// problem says why the caller's error does not agree with what is done.
func (p *proof[D]) problem(r *Row, rivals int) string {
	switch {
	case r.Err == nil && r.Done == 1, r.Err != nil && r.Done == 0, r.Done == 1 && p.unknown(r.Err):
		return ""
	case r.Done < 1 && rivals > 0 && (r.Err == nil || r.Done < 0):
		return "what another caller did meanwhile is lost: does the unit use what it read outside of the transaction?"
	case r.Err == nil && r.Done < 1:
		return "the caller was told that it is done: is an error swallowed, or a commit believed in that was another's?"
	case r.Done > 1:
		return "what had taken effect was done again: is something marked idempotent that is not, or repeated by hand?"
	case r.Done == 1:
		return "it is done, and the error says that it is not"
	default:
		return "that is less than nothing"
	}
}

// unknown reports whether an error leaves open whether the work was done.
func (p *proof[D]) unknown(err error) bool {
	if errors.Is(err, sessionproxy.ErrCommitUnknown) {
		return true
	}
	return !p.atomic && fault.Of(err, fault.Situation{}).Outcome == fault.OutcomeUnknown
}
