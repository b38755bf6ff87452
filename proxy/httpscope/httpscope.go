// Package httpscope gives each request of a net/http server a session of its
// own: see [Middleware].
package httpscope

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// An Option changes how [Middleware] works.
type Option interface{ apply(c *config) error }

type optionFunc func(c *config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	awaited  bool
	refuse   http.Handler
	report   func(r *http.Request, err error)
	priority func(r *http.Request) sessionproxy.Priority
	share    func(r *http.Request) string
}

func defaultConfig() config {
	return config{
		refuse: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		}),
		report: func(*http.Request, error) {},
	}
}

// WithAsync gives requests async sessions.
func WithAsync() Option {
	return optionFunc(func(c *config) error {
		c.awaited = true
		return nil
	})
}

// WithErrorHandler sets the handler for requests whose commit has failed: by
// default status 500 and its text. [CommitError] returns the error.
func WithErrorHandler(h http.Handler) Option {
	return optionFunc(func(c *config) error {
		if h == nil {
			return errors.New("httpscope: WithErrorHandler(nil): want a handler")
		}
		c.refuse = h
		return nil
	})
}

// WithReport sets a function for errors that can't be sent to the client: of a
// commit that failed after the response had begun, and of closing a session. It
// is called on the request's goroutine. By default they are dropped.
func WithReport(report func(r *http.Request, err error)) Option {
	return optionFunc(func(c *config) error {
		if report == nil {
			return errors.New("httpscope: WithReport(nil): want a function")
		}
		c.report = report
		return nil
	})
}

// WithPriority sets a function that returns the priority of a request's calls,
// see [sessionproxy.WithPriority]: by its path, say. It is called on the
// request's goroutine before the handler. By default calls have the priority of
// the request's context.
func WithPriority(of func(r *http.Request) sessionproxy.Priority) Option {
	return optionFunc(func(c *config) error {
		if of == nil {
			return errors.New("httpscope: WithPriority(nil): want a function")
		}
		c.priority = of
		return nil
	})
}

// WithShare sets a function that returns the share of a request's calls, see
// [sessionproxy.WithShare]: the tenant, the route. Derive it from something the
// client can't choose, or a flooding client chooses many. It is called on the
// request's goroutine before the handler. By default calls have the share of
// the request's context.
func WithShare(of func(r *http.Request) string) Option {
	return optionFunc(func(c *config) error {
		if of == nil {
			return errors.New("httpscope: WithShare(nil): want a function")
		}
		c.share = of
		return nil
	})
}

type commitErrorKey struct{}

// CommitError returns, in the handler of [WithErrorHandler], the error of the
// request's commit; otherwise nil.
func CommitError(ctx context.Context) error {
	err, _ := ctx.Value(commitErrorKey{}).(error)
	return err
}

// Middleware returns a middleware that puts a new session into the context of
// each request, where [proxy.FromContext] finds it. The session is created on
// first use. If the status is below 500, it is committed before the response
// begins; otherwise, or if the handler panics, it is rolled back. At the end it
// is closed. A response of 400 or above, such as 409, is sent as it is after a
// failed flush. If the commit fails otherwise, the handler's response is discarded and
// [WithErrorHandler]'s sent instead.
//
// Work that the handler does with the session after its response has begun is
// rolled back. If a handler writes no response, the session is committed when
// it returns. An option with a bad value is an error that names it.
func Middleware(m *proxy.Maker, opts ...Option) (func(next http.Handler) http.Handler, error) {
	if m == nil {
		return nil, errors.New("httpscope: Middleware(nil): want a maker")
	}
	c := defaultConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	return func(next http.Handler) http.Handler { return &handler{config: c, maker: m, next: next} }, nil
}

type handler struct {
	config
	maker *proxy.Maker
	next  http.Handler
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if h.priority != nil {
		ctx = sessionproxy.WithPriority(ctx, h.priority(r))
	}
	if h.share != nil {
		ctx = sessionproxy.WithShare(ctx, h.share(r))
	}
	if h.awaited {
		ctx = h.maker.AsyncScope(ctx)
	} else {
		ctx = h.maker.Scope(ctx)
	}
	r = r.WithContext(ctx)
	defer func() { // also if the handler panics
		if err := proxy.Remove(ctx); err != nil {
			h.report(r, fmt.Errorf("httpscope: close: %w", err))
		}
	}()
	a := &answer{ResponseWriter: w, handler: h, request: r}
	h.next.ServeHTTP(a, r)
	a.begin(http.StatusOK)
}

// answer is a response that begins with the end of the transaction.
type answer struct {
	http.ResponseWriter
	handler *handler
	request *http.Request
	begun   bool
	refused bool // the commit has failed: what the handler writes is thrown away
}

// begin ends the transaction, as the status says.
func (a *answer) begin(status int) {
	if a.begun {
		return
	}
	a.begun = true
	p := proxy.Used(a.request.Context())
	if p == nil {
		return
	}
	ctx := a.request.Context()
	if status >= http.StatusInternalServerError {
		a.rollback(p)
		return
	}
	err := p.Commit(ctx).Await(ctx)
	if status >= http.StatusBadRequest && undone(err) {
		a.rollback(p)
		return
	}
	if err != nil {
		a.refused = true
		a.handler.report(a.request, fmt.Errorf("httpscope: commit: %w", err))
		header := a.Header()
		for name := range header { // they were about the answer that is not given
			header.Del(name)
		}
		a.handler.refuse.ServeHTTP(a.ResponseWriter, a.request.WithContext(context.WithValue(ctx, commitErrorKey{}, err)))
	}
}

// undone reports whether a commit has failed because something had failed before,
// of which the handler's answer tells.
func undone(err error) bool {
	return errors.Is(err, orm.ErrPendingRollback) || errors.Is(err, engine.ErrTxAborted)
}

func (a *answer) rollback(p *proxy.Proxy) {
	ctx := a.request.Context()
	if err := p.Rollback(ctx).Await(ctx); err != nil {
		a.handler.report(a.request, fmt.Errorf("httpscope: roll back: %w", err))
	}
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols { // others follow
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.begin(status)
	if !a.refused {
		a.ResponseWriter.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	a.begin(http.StatusOK)
	if a.refused {
		return len(b), nil
	}
	return a.ResponseWriter.Write(b)
}

// Flush implements [http.Flusher].
func (a *answer) Flush() {
	a.begin(http.StatusOK)
	_ = http.NewResponseController(a.ResponseWriter).Flush() // a writer that can't is no failure
}

// Unwrap gives [http.ResponseController] the server's own writer.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
