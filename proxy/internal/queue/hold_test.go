package queue

import (
	"testing"
)

func TestAHeldQueueBeginsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(4)
	d.q.Hold()
	first, second := d.do(t.Context(), value(1, nil)), d.do(t.Context(), value(2, nil))
	if d.q.state != idle || len(d.q.waiting) != 2 {
		t.Error("it began")
	}
	d.q.Release()
	if v, err := second.Await(t.Context()); v != 2 || err != nil {
		t.Error(v, err)
	}
	// An operation that holds the queue ends, and what is after it waits.
	op, begun, open := gate()
	holds := d.do(t.Context(), op)
	<-begun
	after := d.do(t.Context(), value(3, nil))
	d.q.Hold()
	open()
	if _, err := holds.Await(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case <-after.Done():
		t.Error("it went on")
	default:
	}
	d.q.Release()
	if v, err := after.Await(t.Context()); v != 3 || err != nil {
		t.Error(v, err)
	}
	if v, err := first.Await(t.Context()); v != 1 || err != nil {
		t.Error(v, err)
	}
}

func TestErrorsOfAnInnerQueueAreTheOutersToTell(t *testing.T) {
	t.Parallel()
	outer, inner := newDesk(4), &desk{}
	inner.q = outer.q.Inner(4, errs)
	inner.q.Release()
	<-inner.do(t.Context(), value(0, errFailed)).Done()
	if err := inner.q.Unseen(); err != nil {
		t.Error(err)
	}
	if err := outer.q.Unseen(); err == nil {
		t.Error("the error is lost")
	}
}
