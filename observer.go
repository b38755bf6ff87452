package sessionproxy

// An Observer is an [Interceptor] that only observes: it calls next once, with
// the call as it is, returns what next returns, and does what it has to do at the
// end of a call in a finish hook. Tracing, metrics, logs and their like are
// observers; what retries, refuses, limits or changes calls is none. Observers
// can be used where a call can't be acted on, such as behind a driver's own hooks.
type Observer interface {
	Interceptor
	// OnlyObserves is never called: having it is the declaration.
	OnlyObserves()
}

// Observing declares that an interceptor only observes, as [Observer] wants it.
// A nil interceptor stays nil.
func Observing(i Interceptor) Interceptor {
	switch i.(type) {
	case nil, Observer:
		return i
	}
	if b, ok := i.(Bystander); ok {
		return observingBystander{observing{i}, b}
	}
	return observing{i}
}

type observing struct{ Interceptor }

// OnlyObserves declares it.
func (observing) OnlyObserves() {}

type observingBystander struct {
	observing
	Bystander
}

// Observers returns the chain of those links that are [Observer]s, in their
// order.
func (c Chain) Observers() Chain {
	var links []Interceptor
	for _, link := range c.links {
		if _, ok := link.(Observer); ok {
			links = append(links, link)
		}
	}
	return NewChain(links...)
}

// Actors returns those links that are no [Observer]s: they may act on calls.
func (c Chain) Actors() []Interceptor {
	var links []Interceptor
	for _, link := range c.links {
		if _, ok := link.(Observer); !ok {
			links = append(links, link)
		}
	}
	return links
}
