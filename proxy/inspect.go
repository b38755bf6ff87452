package proxy

import (
	"iter"

	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/event"
	"github.com/sessionproxy/sessionproxy/orm/inspect"
)

// All is [orm.Session.All].
func (a *AsyncSession) All() iter.Seq[any] { return a.local().All() }

// Inspect is [orm.Session.Inspect].
func (a *AsyncSession) Inspect(obj any) (inspect.State, error) { return a.local().Inspect(obj) }

// Info is [orm.Session.Info].
func (a *AsyncSession) Info() map[any]any { return a.core.Info() }

// Listen is [orm.Session.Listen]. Call it, and stop, before the session is used,
// or when all of its operations have ended.
func (a *AsyncSession) Listen(l event.Listener[*orm.Session]) (stop func()) {
	return a.local().Listen(l)
}

// All is [orm.Session.All].
func (p *Proxy) All() iter.Seq[any] { return p.face.All() }

// Inspect is [orm.Session.Inspect].
func (p *Proxy) Inspect(obj any) (inspect.State, error) { return p.face.Inspect(obj) }

// Info is [orm.Session.Info].
func (p *Proxy) Info() map[any]any { return p.face.Info() }

// Listen is [orm.Session.Listen]; see [AsyncSession.Listen].
func (p *Proxy) Listen(l event.Listener[*orm.Session]) (stop func()) { return p.face.Listen(l) }
