package mapping

import (
	"bytes"
	"unsafe"
)

// run is a sequence of columns that are adjacent in memory. If none of them
// points to data that can change, they are equal if their bytes are, which is
// faster than comparing each column: most objects have not changed.
type run struct {
	offset, size uintptr // size is 0 of a column that is compared by itself
	cols         []*Column
}

// runsOf groups columns, which are in the order of their fields, into runs.
func runsOf(cols []*Column) (runs []run) {
	for _, c := range cols {
		if !flat(c.Type) {
			runs = append(runs, run{cols: []*Column{c}})
			continue
		}
		if len(runs) > 0 {
			last := &runs[len(runs)-1]
			end := last.offset + last.size
			if last.size > 0 && c.offset >= end && c.offset-end < uintptr(c.Type.Align()) {
				last.size = c.offset + c.Type.Size() - last.offset
				last.cols = append(last.cols, c)
				continue
			}
		}
		runs = append(runs, run{c.offset, c.Type.Size(), []*Column{c}})
	}
	return runs
}

// same reports whether the bytes of a run are the same in two objects.
func (r *run) same(a, b unsafe.Pointer) bool {
	x, y := (*byte)(unsafe.Add(a, r.offset)), (*byte)(unsafe.Add(b, r.offset))
	return r.size > 0 && bytes.Equal(unsafe.Slice(x, r.size), unsafe.Slice(y, r.size))
}
