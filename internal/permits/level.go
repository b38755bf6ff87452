package permits

// maxShares is how many shares of a level have a flow of their own while they
// wait; the others have one together.
const maxShares = 64

// level is those who wait with one priority: a flow for each share, which are
// served in turns, one permit each. That is deficit round robin (Shreedhar and
// Varghese, SIGCOMM 1995), where every packet is as long as the quantum.
type level struct {
	length int
	passed int  // permits that went to higher levels since this one was served
	turns  ring // of the flows in which somebody waits

	plain flow             // of the calls without a share
	own   map[string]*flow // of shares in which somebody waits
	rest  flow             // of the shares that have no flow of their own
	among map[string]int   // how many calls of a share wait in rest
	spare []*flow
}

func (v *level) init() { v.turns.init() }

// push puts w at the end of the flow of its share.
func (v *level) push(w *waiter) {
	f := v.of(w.share)
	if f.length == 0 {
		v.turns.add(f)
	}
	f.push(w)
	v.length++
}

// of returns the flow for one more call of a share. Calls of one share are never
// in two flows at once, so that they stay in order.
func (v *level) of(share string) *flow {
	if share == "" {
		return &v.plain
	}
	if f, ok := v.own[share]; ok {
		return f
	}
	if v.among[share] > 0 || len(v.own) >= maxShares {
		if v.among == nil {
			v.among = map[string]int{}
		}
		v.among[share]++
		return &v.rest
	}
	if v.own == nil {
		v.own = map[string]*flow{}
	}
	var f *flow
	if n := len(v.spare); n > 0 {
		f, v.spare = v.spare[n-1], v.spare[:n-1]
	} else {
		f = new(flow)
	}
	v.own[share] = f
	return f
}

// remove takes w out, wherever it stands.
func (v *level) remove(w *waiter) {
	f := w.flow
	f.remove(w)
	v.length--
	if v.length == 0 {
		v.passed = 0
	}
	if f == &v.rest {
		if v.among[w.share]--; v.among[w.share] == 0 {
			delete(v.among, w.share)
		}
	}
	if f.length > 0 {
		return
	}
	v.turns.remove(f)
	if f != &v.rest && f != &v.plain {
		delete(v.own, w.share)
		v.spare = append(v.spare, f)
	}
}

// flowOf returns how many wait in the flow that a call of share would join.
func (v *level) flowOf(share string) int {
	if share == "" {
		return v.plain.length
	}
	if f, ok := v.own[share]; ok {
		return f.length
	}
	if v.among[share] > 0 || len(v.own) >= maxShares {
		return v.rest.length
	}
	return 0
}

// ahead returns how many of the level are served before a call of share that
// comes now: all of its flow, and as many of each other.
func (v *level) ahead(share string) int {
	own := v.flowOf(share)
	if own == v.length {
		return own
	}
	n := 0
	for f := v.turns.first(); f != nil; f = v.turns.after(f) {
		n += min(f.length, own+1)
	}
	return n
}

// longest returns the flow in which most wait.
func (v *level) longest() *flow {
	longest := v.turns.first()
	for f := longest; f != nil; f = v.turns.after(f) {
		if f.length > longest.length {
			longest = f
		}
	}
	return longest
}

// flow is those who wait with one priority and share, in the order in which they
// came.
type flow struct {
	first, last *waiter
	length      int
	left, right *flow // in the ring
}

func (f *flow) push(w *waiter) {
	w.flow = f
	if f.last == nil {
		f.first = w
	} else {
		f.last.next, w.prev = w, f.last
	}
	f.last = w
	f.length++
}

func (f *flow) remove(w *waiter) {
	if w.prev == nil {
		f.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		f.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.flow = nil, nil, nil
	f.length--
}

// ring is the order in which flows are served.
type ring struct{ root flow }

func (r *ring) init() { r.root.left, r.root.right = &r.root, &r.root }

// add puts f at the end.
func (r *ring) add(f *flow) {
	f.left, f.right = r.root.left, &r.root
	f.left.right, r.root.left = f, f
}

func (r *ring) remove(f *flow) {
	f.left.right, f.right.left = f.right, f.left
	f.left, f.right = nil, nil
}

// first returns the flow that is next; nil for none.
func (r *ring) first() *flow { return r.after(&r.root) }

func (r *ring) after(f *flow) *flow {
	if f.right == &r.root {
		return nil
	}
	return f.right
}

// rotate puts the first flow at the end.
func (r *ring) rotate() {
	if f := r.first(); f != nil {
		r.remove(f)
		r.add(f)
	}
}
