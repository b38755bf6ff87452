package flush

import (
	"container/heap"
	"slices"

	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// exchange puts rows that are written into an order in which one that takes a
// unique value comes after the one that gives it up. Where they go round in a
// circle, a row gives up its value first, for NULL or for a value by chance; if its
// type has none, the order stays and the database says no. refs are the rows
// that others have to come after, by foreign keys; they are no circle.
func (p *Plan) exchange(rows []*change, refs map[*change][]edge) []*change {
	takes := takings(rows)
	if len(takes) == 0 {
		return rows
	}
	q := newQueue(rows, refs, takes)
	out := make([]*change, 0, len(rows)+1)
	for len(out) < len(rows)+q.added {
		row := q.next()
		if row == nil {
			stuck := q.stuck()
			for _, t := range q.takes[stuck] {
				if q.done[t.from] || q.gaveUp[t] {
					continue
				}
				if up := p.newGiveUp(t); up != nil {
					out, q.added = append(out, up), q.added+1
				} else {
					stuck.more().circle = t.unique
				}
				q.release(t)
			}
			continue
		}
		out = append(out, row)
		q.finish(row)
	}
	return out
}

// taking is a unique value that goes from one row to another.
type taking struct {
	from   *change
	unique *mapping.Unique
}

// takings finds out which rows take unique values of others that are updated in
// the same flush.
func takings(rows []*change) map[*change][]taking {
	var givers map[uniqueValue]*change
	for _, r := range rows {
		if r.kind != Update {
			continue
		}
		for u := range r.uniques() {
			if old := folded(r.where, u); old != "" && old != r.wanted(u) {
				if givers == nil {
					givers = map[uniqueValue]*change{}
				}
				givers[uniqueValue{u, old}] = r
			}
		}
	}
	if givers == nil {
		return nil
	}
	takes := map[*change][]taking{}
	for _, r := range rows {
		for u := range r.uniques() {
			v := r.wanted(u)
			if from := givers[uniqueValue{u, v}]; v != "" && from != nil && from != r {
				takes[r] = append(takes[r], taking{from, u})
			}
		}
	}
	return takes
}

// newGiveUp plans the UPDATE by which a row gives up a unique value; nil if its
// types have none in its place. The primary key is given up by a row alone that
// gets another one anyway: what refers to it follows twice.
func (p *Plan) newGiveUp(t taking) *change {
	table := t.from.st.Table
	c := &change{st: t.from.st, kind: giveUp, sent: table.Snapshot(t.from.where), where: t.from.where, rest: &rest{}}
	for _, nullable := range []bool{true, false} {
		for _, col := range t.unique.Columns {
			if col.PK && t.unique != table.Primary() {
				continue
			}
			if col.Nullable == nullable && col.SetTemporary(c.sent) {
				c.filled = []int{col.Index}
				c.text = dml.For(p.dialect, c.st.Table).Set(c.filled)
				return c
			}
		}
	}
	return nil
}

// queue gives rows out that wait for none, in their order.
type queue struct {
	rows  []*change
	place map[*change]int
	refs  map[*change][]edge
	takes map[*change][]taking

	takers map[taking][]*change
	after  map[*change][]*change // those that wait for a row
	waits  map[*change]int       // for how many a row waits
	done   map[*change]bool
	gaveUp map[taking]bool
	ready  places
	added  int
}

func newQueue(rows []*change, refs map[*change][]edge, takes map[*change][]taking) *queue {
	q := &queue{
		rows: rows, place: map[*change]int{}, refs: refs, takes: takes, takers: map[taking][]*change{},
		after: map[*change][]*change{}, waits: map[*change]int{}, done: map[*change]bool{}, gaveUp: map[taking]bool{},
	}
	for i, r := range rows {
		q.place[r] = i
	}
	for _, r := range rows {
		for _, e := range refs[r] {
			if e.to != r {
				q.wait(r, e.to)
			}
		}
		for _, t := range takes[r] {
			q.wait(r, t.from)
			q.takers[t] = append(q.takers[t], r)
		}
	}
	for i, r := range rows {
		if q.waits[r] == 0 {
			q.ready = append(q.ready, i)
		}
	}
	return q
}

func (q *queue) wait(r, to *change) {
	q.waits[r]++
	q.after[to] = append(q.after[to], r)
}

// next returns the first row that waits for none; nil if all do.
func (q *queue) next() *change {
	if len(q.ready) == 0 {
		return nil
	}
	return q.rows[heap.Pop(&q.ready).(int)]
}

// finish lets those go on that wait for a row.
func (q *queue) finish(r *change) {
	q.done[r] = true
	for _, other := range q.after[r] {
		q.less(other)
	}
	q.after[r] = nil
}

func (q *queue) less(r *change) {
	if q.waits[r]--; q.waits[r] == 0 {
		heap.Push(&q.ready, q.place[r])
	}
}

// stuck returns the first row that waits for unique values alone.
func (q *queue) stuck() *change {
	for _, r := range q.rows {
		if q.done[r] {
			continue
		}
		free := true
		for _, e := range q.refs[r] {
			free = free && (e.to == r || q.done[e.to])
		}
		if free {
			return r
		}
	}
	return nil
}

// release lets those go on that wait for a value of a row which has given it up.
func (q *queue) release(t taking) {
	q.gaveUp[t] = true
	for _, r := range q.takers[t] {
		i := slices.Index(q.after[t.from], r)
		q.after[t.from] = slices.Delete(q.after[t.from], i, i+1)
		q.less(r)
	}
}

// places are places of rows, the least first.
type places []int

func (p places) Len() int           { return len(p) }
func (p places) Less(i, j int) bool { return p[i] < p[j] }
func (p places) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }

// Push implements [heap.Interface].
func (p *places) Push(x any) { *p = append(*p, x.(int)) }

// Pop implements [heap.Interface].
func (p *places) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
