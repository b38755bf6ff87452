package sessionproxy

// An Observer is an [Interceptor] that only observes: it calls next once, with
// the unchanged call, returns what next returns, and handles the end of the
// call in a finish hook. Tracing, metrics and logs are observers; interceptors
// that retry, refuse, limit or change calls are not. Observers also work where
// calls can't be influenced, such as in a driver's own hooks.
type Observer interface {
	Interceptor
	// OnlyObserves is never called: implementing it is the declaration.
	OnlyObserves()
}

// Observing declares that an interceptor only observes, as described by
// [Observer]. A nil interceptor stays nil.
func Observing(i Interceptor) Interceptor {
	switch i.(type) {
	case nil, Observer:
		return i
	}
	if e, ok := i.(Enabler); ok {
		return observingEnabler{observing{i}, e}
	}
	return observing{i}
}

type observing struct{ Interceptor }

// OnlyObserves implements [Observer].
func (observing) OnlyObserves() {}

type observingEnabler struct {
	observing
	Enabler
}

// Observers returns a chain of those interceptors that are an [Observer], in
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

// Actors returns the interceptors that are not an [Observer]: they may retry,
// refuse or change calls.
func (c Chain) Actors() []Interceptor {
	var links []Interceptor
	for _, link := range c.links {
		if _, ok := link.(Observer); !ok {
			links = append(links, link)
		}
	}
	return links
}
