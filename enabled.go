package sessionproxy

import "context"

// An Enabler is an [Interceptor] that can tell, before a call is even
// described, whether it has anything to do: one that is off for some contexts,
// such as tracing outside a trace. If every interceptor of a chain is off, an
// attachment performs a statement without the chain.
type Enabler interface {
	// Enabled reports whether the interceptor handles calls of op made with
	// ctx. It returns false only if each of them would pass through unchanged
	// and unobserved. It is called before each call, so it must be quick; it
	// changes nothing, does not block, and is safe for concurrent use.
	Enabled(ctx context.Context, op Op) bool
}

// Enabled returns a function for attachments that reports whether calls of op
// made with ctx have to pass through the chain. It returns nil if they always
// have to, because not every interceptor is an [Enabler].
func (c Chain) Enabled() func(ctx context.Context, op Op) bool {
	all := make([]Enabler, len(c.links))
	for i, link := range c.links {
		e, ok := link.(Enabler)
		if !ok {
			return nil
		}
		all[i] = e
	}
	if len(all) == 1 {
		return all[0].Enabled
	}
	return func(ctx context.Context, op Op) bool {
		for _, e := range all {
			if e.Enabled(ctx, op) {
				return true
			}
		}
		return false
	}
}
