package orm

import "github.com/sessionproxy/sessionproxy/orm/mapping"

// expunge takes an object out of the session, with those that go with it.
func expunge(m *objects, st *state) {
	m.remove(st)
	eachMember(m, st, mapping.CascadeExpunge, func(other *state) { expunge(m, other) })
}

// expireWith expires an object and those that go with it, each once.
func expireWith(m *objects, st *state) { expireUnseen(m, st, map[*state]bool{}) }

func expireUnseen(m *objects, st *state, seen map[*state]bool) {
	if seen[st] || st.status != persistent {
		return
	}
	seen[st] = true
	st.expire()
	eachMember(m, st, mapping.CascadeRefresh, func(other *state) { expireUnseen(m, other, seen) })
}

// eachMember calls fn for what the relations of an object hold in the session,
// as far as they cascade.
func eachMember(m *objects, st *state, c mapping.Cascade, fn func(st *state)) {
	for _, r := range st.table.Relations() {
		if r.Cascade&c == 0 {
			continue
		}
		for _, p := range st.members(r) {
			if other := m.at(p); other != nil {
				fn(other)
			}
		}
	}
}
