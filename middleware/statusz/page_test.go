package statusz_test

import (
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
)

func TestStatementsAreCountedBySummary(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	for range 3 {
		run(t, returns(nil), sp.OpQuery, "SELECT name FROM users WHERE id = 7", p)
	}
	run(t, returns(unique), sp.OpExec, "INSERT INTO users VALUES ($1)", p)
	run(t, returns(nil), sp.OpCommit, "", p)
	run(t, returns(nil), sp.OpTransaction, "", p)
	run(t, returns(nil), sp.OpClose, "", p)
	run(t, returns(nil), sp.SessionOp("add"), "", p)

	s := look(t, p)
	if s.Statements.Calls != 5 || s.Statements.Failed != 1 || s.Statements.Canceled != 0 {
		t.Errorf("statements: %+v", s.Statements)
	}
	if n := len(s.Traffic); n != 1 || s.Traffic[0].Calls != 5 {
		t.Errorf("traffic: %+v", s.Traffic)
	}
	if l := s.latencyOf(t, "SELECT users"); l.Count != 3 || l.Failed != 0 || l.Target != "postgresql://db1:5432/orders" {
		t.Errorf("select: %+v", l)
	}
	if l := s.latencyOf(t, "INSERT users"); l.Count != 1 || l.Failed != 1 {
		t.Errorf("insert: %+v", l)
	}
	if s.latencyOf(t, "COMMIT").Count != 1 || s.latencyOf(t, "transaction").Count != 1 || len(s.Latencies) != 4 {
		t.Errorf("latencies: %+v", s.Latencies)
	}
	if s.Overall.Count != 5 {
		t.Errorf("overall counts units of work too: %+v", s.Overall)
	}
	if s.InFlight != 0 {
		t.Errorf("in flight: %+v", s.Calls)
	}
}
