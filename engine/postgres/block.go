package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sessionproxy/sessionproxy/engine/internal/assign"
	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// block holds rows in memory as received from the server, so that they can be
// read into any type as pgx does.
type block struct {
	fields []pgconn.FieldDescription
	data   []byte
	ends   []int // of each value in data; negative for NULL
	rows   int
}

func newBlock(fields []pgconn.FieldDescription) *block {
	return &block{fields: slices.Clone(fields)}
}

// add appends a row.
func (b *block) add(values [][]byte) {
	for _, v := range values {
		if v == nil {
			b.ends = append(b.ends, ^len(b.data))
			continue
		}
		b.data = append(b.data, v...)
		b.ends = append(b.ends, len(b.data))
	}
	b.rows++
}

// Len implements [backend.Block].
func (b *block) Len() int { return b.rows }

// value returns a value as received; nil for NULL.
func (b *block) value(i int) []byte {
	end := b.ends[i]
	if end < 0 {
		return nil
	}
	start := 0
	if i > 0 {
		if start = b.ends[i-1]; start < 0 {
			start = ^start
		}
	}
	if start == end {
		return []byte{} // which nil is not
	}
	return b.data[start:end:end]
}

// Scan implements [backend.Block].
func (b *block) Scan(row int, dest ...any) error {
	m := typeMaps.Get().(*pgtype.Map)
	defer typeMaps.Put(m)
	for i := range b.fields {
		if dest[i] == nil {
			continue
		}
		f, raw := &b.fields[i], b.value(row*len(b.fields)+i)
		if raw == nil && !holdsNull(dest[i]) {
			return assign.Failed(i, f.Name, scan.ErrNull)
		}
		if err := m.Scan(f.DataTypeOID, f.Format, raw, dest[i]); err != nil {
			return assign.Failed(i, f.Name, err)
		}
	}
	return nil
}

// Values implements [backend.Block].
func (b *block) Values(row int) ([]any, error) {
	m := typeMaps.Get().(*pgtype.Map)
	defer typeMaps.Put(m)
	values := make([]any, len(b.fields))
	for i := range b.fields {
		f := &b.fields[i]
		v, err := decode(m, f.DataTypeOID, f.Format, b.value(row*len(b.fields)+i))
		if err != nil {
			return nil, assign.Failed(i, f.Name, err)
		}
		values[i] = v
	}
	return values, nil
}
