package flush

import "errors"

// ErrFlush is matched by a flush that could not be carried out, by more than the
// database's refusal of a statement.
var ErrFlush = errors.New("orm: flush")

// ErrCircular is matched by rows that refer to each other in a circle of which
// no part can be NULL.
var ErrCircular = errors.New("rows refer to each other in a circle, and none of the references can be NULL")
