package preset

import (
	"errors"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
	"github.com/sessionproxy/sessionproxy/retry"
)

// Preset is the recommended chain and its parts. Create it with [New]. It is
// safe for concurrent use. Use one for all databases of a service: circuits and
// budgets are kept per target.
type Preset struct {
	chain     sessionproxy.Chain
	page      *statusz.Page
	breaker   *breaker.Breaker
	limiter   *limit.Limiter
	adaptive  *adaptivelimit.Limiter
	throttler *throttle.Throttler
	budget    *retry.Budget
}

// New returns the recommended chain. It fails if an option, or an option of an
// interceptor, has a bad value; the error names each of them. It connects to
// nothing and starts no goroutine.
func New(opts ...Option) (*Preset, error) {
	c := defaultConfig()
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	b := builder{config: c}
	p := b.build()
	if err := errors.Join(b.errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// Chain returns the chain, for any number of handles.
func (p *Preset) Chain() sessionproxy.Chain { return p.chain }

// Page returns the live page, an [net/http.Handler] to be mounted where only
// those who run the service can reach it; nil after [WithoutPage].
func (p *Preset) Page() *statusz.Page { return p.page }

// Breaker returns the circuit breaker, nil after [WithoutBreaker].
func (p *Preset) Breaker() *breaker.Breaker { return p.breaker }

// Limiter returns the limit, nil without [WithLimit].
func (p *Preset) Limiter() *limit.Limiter { return p.limiter }

// AdaptiveLimiter returns the adaptive limit, nil without [WithAdaptiveLimit].
func (p *Preset) AdaptiveLimiter() *adaptivelimit.Limiter { return p.adaptive }

// Throttler returns the throttle, nil after [WithoutThrottle].
func (p *Preset) Throttler() *throttle.Throttler { return p.throttler }

// Budget returns the budget of the retry, nil after [WithoutRetry].
func (p *Preset) Budget() *retry.Budget { return p.budget }

// Close ends the background work of interceptors, which is only the probes of
// [breaker.WithProbe], and waits for it. The chain remains usable. Close always
// returns nil.
func (p *Preset) Close() error {
	if p.breaker == nil {
		return nil
	}
	return p.breaker.Close()
}
