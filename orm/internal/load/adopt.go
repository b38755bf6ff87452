package load

import (
	"context"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// Adopt returns the object of a row that was read elsewhere, with columns of
// these names.
func (l *Loader) Adopt(ctx context.Context, r *Rows, names []string, row memory.Pointer) (*identity.State, error) {
	if r.cols == nil {
		cols, err := columnsOf(r.Table, names)
		if err != nil {
			return nil, err
		}
		r.cols = cols
	}
	return l.object(ctx, r, row, r.cols)
}
