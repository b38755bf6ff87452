package sessionproxy

import "context"

// A Bystander is an [Interceptor] that can tell, before a call is even
// described, that it would only pass it on: one that is off for some contexts,
// such as tracing outside a trace. If every interceptor of a chain says so, an
// attachment performs a statement without the chain.
type Bystander interface {
	// Unconcerned reports whether every call of op made with ctx would pass
	// through the interceptor unchanged and unobserved. It is called before
	// each call, so it must be quick; it changes nothing, does not block, and
	// is safe for concurrent use.
	Unconcerned(ctx context.Context, op Op) bool
}

// Screen returns a function for attachments that reports whether calls of op
// made with ctx may be performed without the chain. It returns nil if that
// can't be known in advance, because not every interceptor is a [Bystander].
func (c Chain) Screen() func(ctx context.Context, op Op) bool {
	all := make([]Bystander, len(c.links))
	for i, link := range c.links {
		b, ok := link.(Bystander)
		if !ok {
			return nil
		}
		all[i] = b
	}
	if len(all) == 1 {
		return all[0].Unconcerned
	}
	return func(ctx context.Context, op Op) bool {
		for _, b := range all {
			if !b.Unconcerned(ctx, op) {
				return false
			}
		}
		return true
	}
}
