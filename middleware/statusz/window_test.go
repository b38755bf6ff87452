package statusz_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

func TestLatenciesAreOfTheLastWindows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		took := func(d time.Duration) script {
			return func(context.Context, *sp.Call) error { time.Sleep(d); return nil }
		}
		run(t, took(time.Second), sp.OpQuery, "SELECT 1 FROM a", p)
		time.Sleep(6 * time.Minute) // the next window
		run(t, took(10*time.Millisecond), sp.OpQuery, "SELECT 1 FROM a", p)
		s := look(t, p)
		if l := s.latencyOf(t, "SELECT a"); l.Count != 2 || l.Max != 1 {
			t.Errorf("this window and the last: %+v", l)
		}
		time.Sleep(5 * time.Minute)
		s = look(t, p)
		if l := s.latencyOf(t, "SELECT a"); l.Count != 1 || l.Max != 0.01 {
			t.Errorf("the last window, with none in this: %+v", l)
		}
		run(t, took(20*time.Millisecond), sp.OpQuery, "SELECT 1 FROM a", p)
		s = look(t, p)
		if l := s.latencyOf(t, "SELECT a"); l.Count != 2 || l.Max != 0.02 {
			t.Errorf("the first of a window: %+v", l)
		}
		time.Sleep(time.Hour)
		if s = look(t, p); len(s.Latencies) != 0 {
			t.Errorf("after an hour: %+v", s.Latencies)
		}
		run(t, took(30*time.Millisecond), sp.OpQuery, "SELECT 1 FROM a", p)
		s = look(t, p)
		if l := s.latencyOf(t, "SELECT a"); l.Count != 1 || s.Statements.Calls != 4 {
			t.Errorf("after an hour of nothing: %+v of %+v", l, s.Statements)
		}
	})
}

func TestTrafficIsOfTheLastFiveMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		for range 70 {
			run(t, returns(nil), sp.OpExec, "", p)
			run(t, returns(unique), sp.OpExec, "", p)
			time.Sleep(5 * time.Second)
		}
		s := look(t, p)
		if len(s.Traffic) != 60 {
			t.Fatalf("%d ticks", len(s.Traffic))
		}
		for i, tick := range s.Traffic[:59] {
			if tick.Calls != 2 || tick.Failed != 1 {
				t.Errorf("tick %d: %+v", i, tick)
			}
		}
		if last := s.Traffic[59]; last.Calls != 0 {
			t.Errorf("the tick at work: %+v", last)
		}
		time.Sleep(time.Hour)
		for i, tick := range look(t, p).Traffic {
			if tick.Calls != 0 {
				t.Errorf("after an hour, tick %d: %+v", i, tick)
			}
		}
	})
}

func TestEventsAreOfTheLastWindows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		queued := func(d time.Duration) sp.Interceptor {
			return event(sp.Event{Kind: sp.EventQueued, Delay: d, Detail: "limit"}, 0)
		}
		run(t, returns(nil), sp.OpExec, "", p, queued(time.Second))
		run(t, returns(nil), sp.OpExec, "", p, queued(3*time.Second))
		run(t, returns(nil), sp.OpExec, "", p, event(sp.Event{Kind: sp.EventPipelined, Attempt: 4}, 0))
		s := look(t, p)
		if len(s.Events) != 1 || s.Events[0].Kind != "queued" || s.Events[0].Detail != "limit" ||
			s.Events[0].Count != 2 || s.Events[0].Mean != 2 || s.Events[0].Max != 3 {
			t.Errorf("events: %+v", s.Events)
		}
		time.Sleep(6 * time.Minute)
		run(t, returns(nil), sp.OpExec, "", p, queued(time.Second))
		if s = look(t, p); s.Events[0].Count != 3 {
			t.Errorf("this window and the last: %+v", s.Events)
		}
		time.Sleep(5 * time.Minute)
		if s = look(t, p); s.Events[0].Count != 1 || s.Events[0].Max != 1 {
			t.Errorf("the last window: %+v", s.Events)
		}
		time.Sleep(time.Hour)
		if s = look(t, p); len(s.Events) != 0 {
			t.Errorf("after an hour: %+v", s.Events)
		}
	})
}

// TestEventsAreBounded floods the page with details that come once, and holds
// that it hears what comes later.
func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		h := func(detail string) sp.Handler {
			return sp.NewChain(p, event(sp.Event{Kind: "custom", Detail: detail}, 0)).Then(attach.Perform)
		}
		c := new(sp.Call) // one, so that all events are heard at one place
		call := func(detail string) {
			attach.Reset(c, returns(nil))
			c.Op, c.Target = sp.OpExec, orders
			_, _ = attach.Run(t.Context(), c, h(detail))
		}
		for i := range 100 {
			call(fmt.Sprint("once ", i))
		}
		if s := look(t, p); len(s.Events) != 64 {
			t.Errorf("%d sorts of events", len(s.Events))
		}
		time.Sleep(11 * time.Minute)
		call("late")
		if s := look(t, p); len(s.Events) != 1 || s.Events[0].Detail != "late" {
			t.Errorf("after the flood: %+v", s.Events)
		}
	})
}

// TestSummariesAreBounded floods the page with statements of different tables,
// as migrations do, and holds that those of later are counted again.
func TestSummariesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		for i := range 500 {
			run(t, returns(nil), sp.OpExec, fmt.Sprintf("CREATE TABLE t%d (id int)", i), p)
		}
		run(t, returns(nil), sp.OpQuery, "SELECT 1 FROM late", p)
		s := look(t, p)
		if len(s.Latencies) != 401 || s.latencyOf(t, "(other statements)").Count != 101 || s.Overall.Count != 501 {
			t.Errorf("%d summaries, %d of %d calls have none of their own",
				len(s.Latencies), s.latencyOf(t, "(other statements)").Count, s.Overall.Count)
		}
		time.Sleep(11 * time.Minute) // nothing is left to show of the flood
		run(t, returns(nil), sp.OpQuery, "SELECT 1 FROM late", p)
		run(t, returns(nil), sp.OpExec, "CREATE TABLE t7 (id int)", p)
		s = look(t, p)
		if len(s.Latencies) != 2 || s.latencyOf(t, "SELECT late").Count != 1 || s.latencyOf(t, "CREATE TABLE t7").Count != 1 {
			t.Errorf("after the flood: %+v", s.Latencies)
		}
	})
}

func TestDatabasesAreBounded(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	h := sp.NewChain(p).Then(attach.Perform)
	for i := range 100 {
		for _, user := range []string{"reader", "writer"} {
			c := newCall(returns(nil), sp.OpCommit, "")
			c.Target = &sp.Target{System: sp.MySQL, Host: fmt.Sprint("tenant", i), User: user}
			if _, err := attach.Run(t.Context(), c, h); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := newCall(returns(nil), sp.OpCommit, "")
	c.Target = nil
	_, _ = attach.Run(t.Context(), c, h)
	s := look(t, p)
	if len(s.Latencies) != 65 || s.Overall.Count != 201 {
		t.Errorf("%d databases, %d calls", len(s.Latencies), s.Overall.Count)
	}
	for _, l := range s.Latencies {
		want := 2
		if l.Target == "other_sql/(others)" {
			want = 73
		}
		if l.Count != want {
			t.Errorf("%s: %d calls, want %d: users share a row", l.Target, l.Count, want)
		}
	}
}
