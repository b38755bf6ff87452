package orm

import "unsafe"

// baseline is what the relations of an object held when a flush was planned.
type baseline struct {
	st    *state
	held  [][]unsafe.Pointer
	whole bool // there are no others
}

func baselineOf(st *state) baseline {
	out := baseline{st: st, whole: st.status == pending, held: make([][]unsafe.Pointer, len(st.table.Relations()))}
	for i, r := range st.table.Relations() {
		out.held[i] = st.members(r)
	}
	return out
}

// commit makes what relations held what changes of them are compared with.
func (s *dependencies) commit(j *journal) {
	for _, b := range s.baselines {
		b.st.commitRelations(b.held, b.whole)
		if !j.began(b.st) {
			j.touch(b.st, nil)
		}
	}
}
