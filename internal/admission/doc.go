// Package admission is what interceptors have in common that let calls in, hold
// them up or refuse them.
package admission

import (
	"context"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// GaveUp judges err, the error of a caller whose context ended while its call
// waited to be let in, and returns it: nothing was sent.
func GaveUp(ctx context.Context, call *sp.Call, err error) error {
	call.Judge(ctx, err, fault.PhaseAcquire, fault.ProgressUnsent)
	return err
}
