package orm

import (
	"context"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/load"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// WithJoined returns the query reading the objects of these relations too, in the
// same statement: paths such as "Books" or "Books.Tags", or pointers to the fields of
// relations in a row of the query. It is worth it for relations to one object; of a relation to
// many the object's own columns are sent once for each, and [Select.With] is often
// faster.
//
// A relation that the query joins is filled from that join: with what the query's
// conditions find, and nothing else, as SQLAlchemy's contains_eager. Any other is
// joined for the purpose, outer and without conditions. A relation that was read before stays
// as it is, unless the query has [Select.PopulateExisting].
func (q Select[T]) WithJoined(relations ...any) Select[T] {
	for _, r := range relations {
		q.q.AddFill(r)
	}
	return q
}

// filled reads the objects, and those of the relations that are read along with them.
func (q Select[T]) filled(ctx context.Context, s *Session, t *mapping.Table) ([]memory.Pointer, error) {
	conn, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	text, args, fills, err := q.q.Filled(conn.Dialect(), t)
	if err != nil {
		return nil, err
	}
	width := len(fills) + 1
	var read []memory.Pointer
	l := load.Tuples{
		Statement: &dml.Bound{Text: text, Args: args}, Populate: q.populate,
		New: func() memory.Pointer {
			read = append(read, make([]memory.Pointer, width)...)
			return memory.Pointer(&read[len(read)-width])
		},
		At: func(i int) memory.Pointer { return memory.Pointer(&read[i*width]) },
	}
	l.Parts = append(l.Parts, load.Part{Table: t})
	for i, f := range fills {
		l.Parts = append(l.Parts, load.Part{Table: f.Relation.Other, Offset: uintptr(i+1) * memory.PointerSize})
	}
	if err := l.Read(ctx, conn); err != nil {
		return nil, err
	}
	if err := l.Finish(ctx, s.loader); err != nil {
		return nil, err
	}
	for i, f := range fills {
		s.fill(f, read, width, i+1, q.populate)
	}
	return once(read, width, 0), nil
}

// once returns the objects in a column of rows, each once, in order.
func once(read []memory.Pointer, width, column int) (out []memory.Pointer) {
	seen := map[memory.Pointer]bool{}
	for i := column; i < len(read); i += width {
		if p := read[i]; p != nil && !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// fill puts the objects in a column of rows into the relation of those in another.
func (s *Session) fill(f query.Fill, read []memory.Pointer, width, column int, populate bool) {
	members := map[memory.Pointer][]memory.Pointer{}
	known := map[[2]memory.Pointer]bool{}
	for i := 0; i < len(read); i += width {
		pair := [2]memory.Pointer{read[i+f.Owner], read[i+column]}
		if pair[0] != nil && pair[1] != nil && !known[pair] {
			known[pair] = true
			members[pair[0]] = append(members[pair[0]], pair[1])
		}
	}
	for _, owner := range once(read, width, f.Owner) {
		st := s.objects.At(owner)
		if st == nil || st.Status != identity.Persistent || st.Loaded(f.Relation) && !populate {
			continue
		}
		st.SetLoaded(f.Relation, members[owner])
		s.tx.journal().Saw(st)
	}
}
