package depgraph

import "slices"

// visited is what is known of a node of a graph.
type visited struct {
	index, low int // by Tarjan's names
	at         int // on the stack, or -1
}

// frame is a node whose successors are looked at.
type frame[N comparable] struct {
	node N
	next []N
	*visited
}

// Components returns the strongly connected components of a graph by
// Tarjan's algorithm: what leads to each other in circles is together, and a
// component comes after those that it leads to. It takes time that is linear in
// nodes and edges, and no stack of its own.
func Components[N comparable](nodes []N, next func(N) []N) (found [][]N) {
	known := make(map[N]*visited, len(nodes))
	var stack []N
	var frames []frame[N]
	enter := func(n N) {
		v := &visited{index: len(known) + 1, low: len(known) + 1, at: len(stack)}
		known[n] = v
		stack = append(stack, n)
		frames = append(frames, frame[N]{n, next(n), v})
	}
	for _, root := range nodes {
		if known[root] == nil {
			enter(root)
		}
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			if len(f.next) > 0 {
				to := f.next[0]
				f.next = f.next[1:]
				if v := known[to]; v == nil {
					enter(to)
				} else if v.at >= 0 {
					f.low = min(f.low, v.index)
				}
				continue
			}
			done := *f
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				up := frames[len(frames)-1]
				up.low = min(up.low, done.low)
			}
			if done.low != done.index {
				continue
			}
			component := slices.Clone(stack[done.at:])
			stack = stack[:done.at]
			for _, n := range component {
				known[n].at = -1
			}
			found = append(found, component)
		}
	}
	return found
}
