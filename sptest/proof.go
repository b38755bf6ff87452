package sptest

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy"
)

// proof is one use of EveryFault.
type proof[D any] struct {
	config
	t     testing.TB
	name  string
	setup func(t testing.TB, faults *Faults) D
	unit  func(ctx context.Context, db D) error
	check func(ctx context.Context, db D) (int, error)

	rival   func(ctx context.Context, db D) error
	counted bool // the rival does the unit's work
	atomic  bool // whatever the unit may write, it writes in a transaction
}

// run proves the unit.
func (p *proof[D]) run(faults []Fault) *Report {
	p.t.Helper()
	r := &Report{Unit: p.name}
	calls := p.rehearse()
	r.Calls = calls
	seen := map[callKey]int{}
	for _, c := range calls {
		k := keyOf(c)
		seen[k]++
		for i := range faults {
			if faults[i].strikes(&c) {
				r.Rows = append(r.Rows, p.try(c, seen[k], &faults[i]))
			}
		}
	}
	return r
}

// callKey is what calls of a unit are told apart by: one that comes at another time
// than in the rehearsal, since goroutines are not in step, is found again.
type callKey struct {
	op      sessionproxy.Op
	summary string
}

func keyOf(c Call) callKey { return callKey{c.Op, c.Summary} }

// rehearse runs the unit without a fault, to see its calls, and a second time, to see
// whether another caller's run can be told from its own.
func (p *proof[D]) rehearse() (calls []Call) {
	p.t.Helper()
	s := p.open()
	defer s.close()
	p.atomic = true
	s.faults.watch(func(c Call) {
		calls = append(calls, c)
		if c.Writes && !c.InTx {
			p.atomic = false
		}
	})
	err := s.perform(p.unit)
	s.faults.watch(nil)
	if err != nil {
		p.t.Fatalf("sptest: EveryFault: %s fails without any fault: %v", p.name, err)
	}
	if done, err := s.count(); err != nil || done != 1 {
		p.t.Fatalf("sptest: EveryFault: %s has succeeded without any fault, and check says that it is done %s: %v", p.name, times(done), err)
	}
	if len(calls) == 0 {
		p.t.Fatalf("sptest: EveryFault: no call of %s has passed the Faults that setup was given: put them innermost into its chain", p.name)
	}
	if p.rival == nil && !p.alone {
		if err := s.perform(p.unit); err == nil {
			if done, err := s.count(); err == nil && done == 2 {
				p.rival, p.counted = p.unit, true
			}
		}
	}
	return calls
}

// try runs the unit with one fault.
func (p *proof[D]) try(at Call, nth int, f *Fault) Row {
	p.t.Helper()
	s := p.open()
	defer s.close()
	row := Row{Call: at, Nth: nth, Fault: f.Name}
	rivals, own := 0, true
	var rivalErr error
	if f.Conflict && p.rival != nil {
		s.faults.setRival(func() {
			own = false
			defer func() { own = true }()
			if rivalErr = s.perform(p.rival); rivalErr == nil && p.counted {
				rivals++
			}
		})
	}
	if err := s.faults.Add(Rule{Fault: *f, Op: at.Op, Summary: at.Summary, Nth: nth}); err != nil {
		p.t.Fatal(err)
	}
	s.faults.watch(func(c Call) {
		if own && len(s.faults.strikes) > 0 && c.Op == sessionproxy.OpBegin { // it holds the lock
			row.Replays++
		}
	})
	row.Err = s.perform(p.unit)
	s.faults.watch(nil)
	row.Struck = len(s.faults.Strikes()) > 0
	s.faults.Clear()
	done, err := s.count()
	row.Done = done - rivals
	switch {
	case rivalErr != nil:
		row.Problem = fmt.Sprintf("the rival failed, does the pool have a second connection? %v", rivalErr)
	case err != nil:
		row.Problem = fmt.Sprintf("check: %v", err)
	default:
		row.Problem = p.problem(&row, rivals)
	}
	return row
}

// stage is a fresh database, and the unit on it.
type stage[D any] struct {
	*proof[D]
	scope  *scope
	faults *Faults
	db     D
	base   int
}

func (p *proof[D]) open() *stage[D] {
	p.t.Helper()
	s := &stage[D]{proof: p, scope: &scope{TB: p.t}, faults: &Faults{}}
	s.db = p.setup(s.scope, s.faults)
	base, err := p.check(p.t.Context(), s.db)
	if err != nil {
		p.t.Fatalf("sptest: EveryFault: check, before %s has run: %v", p.name, err)
	}
	s.base = base
	return s
}

func (s *stage[D]) close() { s.scope.close() }

// perform runs a unit; a panic is an error here.
func (s *stage[D]) perform(unit func(context.Context, D) error) (err error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), s.timeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the unit panicked: %v", v)
		}
	}()
	return unit(ctx, s.db)
}

// count returns how often the work was done since the database was opened.
func (s *stage[D]) count() (int, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), s.timeout)
	defer cancel()
	done, err := s.check(ctx, s.db)
	return done - s.base, err
}

// scope is the t of one run: what it is given to clean up is done at the run's end.
type scope struct {
	testing.TB
	cleanups []func()
}

// Cleanup is that of [testing.TB], for the run.
func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) close() {
	for _, cleanup := range slices.Backward(s.cleanups) {
		cleanup()
	}
}

// nameOf returns the name of a function, and where it is.
func nameOf(f any) string {
	fn := runtime.FuncForPC(reflect.ValueOf(f).Pointer())
	if fn == nil {
		return "the unit"
	}
	file, line := fn.FileLine(fn.Entry())
	name := fn.Name()
	return fmt.Sprintf("%s (%s:%d)", name[strings.LastIndexByte(name, '/')+1:], filepath.Base(file), line)
}
