package scan

import (
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine/internal/raw"
)

// Reader reads the rows of one result with a [Plan]. If the dialect can decode
// values straight into their fields, Scan is not called, which takes less than
// half of the time. A Reader is used by one goroutine at a time.
type Reader struct {
	plan   *plan
	row    Row
	raw    raw.Rows     // nil: Scan reads every column
	decode []raw.Decode // by column; nil: Scan reads it
	rest   bool         // Scan reads some
	buf    []any
}

// Reader returns a reader of the rows of a result into values of the plan's
// type.
func (p *Type) Reader(row Row) *Reader { return new((*plan)(p).reader(row)) }

func (p *plan) reader(row Row) Reader {
	r := Reader{plan: p, row: row}
	rows, ok := row.(raw.Rows)
	if !ok || p.fresh != nil || len(p.links) > 0 {
		return r
	}
	decode, found := make([]raw.Decode, len(p.slots)), false
	for i := range p.slots {
		if s := &p.slots[i]; s.shape != adapted && s.shape != ignored {
			decode[i] = rows.Decoder(i, s.as)
		}
		found, r.rest = found || decode[i] != nil, r.rest || decode[i] == nil
	}
	if found {
		r.raw, r.decode = rows, decode
	}
	return r
}

// ScanAt copies the current row into the value at p, which is one of the plan's
// type. Errors are those of [Plan.Explain].
func (r *Reader) ScanAt(p unsafe.Pointer) error {
	if r.raw == nil || !r.decoded(p) {
		return r.scan(p, false)
	}
	if r.rest {
		return r.scan(p, true)
	}
	return nil
}

// decoded decodes the values that can be decoded, and reports whether those were
// all.
func (r *Reader) decoded(p unsafe.Pointer) bool {
	values, slots := r.raw.RawValues(), r.plan.slots
	if len(values) != len(slots) {
		return false
	}
	for i, decode := range r.decode {
		if decode != nil && !decode(unsafe.Add(p, slots[i].offset), values[i]) {
			return false
		}
	}
	return true
}

// scan reads a row with Scan, leaving out what was decoded.
func (r *Reader) scan(p unsafe.Pointer, rest bool) error {
	r.buf = r.plan.targets(p, r.buf)
	for i := range r.buf {
		if rest && r.decode[i] != nil {
			r.buf[i] = nil
		}
	}
	if err := r.row.Scan(r.buf...); err != nil {
		return r.plan.explain(err)
	}
	return nil
}
