package orm

import "github.com/sessionproxy/sessionproxy/orm/mapping"

// save adds what the relations of an object hold, and what the relations of
// these hold, as far as they cascade.
func (o *orphans) save(m *objects, j *journal, st *state) {
	for _, r := range st.table.Relations() {
		if r.Cascade&mapping.CascadeSave == 0 {
			continue
		}
		now := st.members(r)
		if st.status != pending {
			now = difference(now, st.linked(r))
		}
		for _, p := range now {
			if m.at(p) == nil {
				o.save(m, j, m.addPending(j, r.Other, p))
			}
		}
		if r.Cascade&mapping.CascadeOrphan != 0 {
			o.track(m, now)
		}
	}
}
