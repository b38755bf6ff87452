package preset

import (
	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
	"github.com/sessionproxy/sessionproxy/middleware/slowquery"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// builder makes the interceptors of a configuration, the outermost first, and
// keeps the errors of those that can't be made.
type builder struct {
	config
	links []sessionproxy.Interceptor
	errs  []error
}

// add appends an interceptor that was made, unless it could not be.
func add[T sessionproxy.Interceptor](b *builder, link T, err error) T {
	if err != nil {
		b.errs = append(b.errs, err)
		return link
	}
	b.links = append(b.links, link)
	return link
}

func (b *builder) build() *Preset {
	p := &Preset{}
	b.watching()
	b.outside()
	b.inside(p)
	if b.page == nil || len(b.errs) > 0 {
		p.chain = sessionproxy.NewChain(b.links...)
		return p
	}
	page, err := statusz.New(append(b.sources(p), *b.page...)...)
	if err != nil {
		b.errs = append(b.errs, err)
		return p
	}
	p.page = page
	links := append([]sessionproxy.Interceptor{page}, b.links...)
	p.chain = sessionproxy.NewChain(append(links, page.Innermost())...)
	return p
}

// watching adds what only looks at calls.
func (b *builder) watching() {
	if b.tracing != nil {
		opts := *b.tracing
		if b.meters != nil {
			opts = append([]tracing.Option{tracing.WithMeterProvider(b.meters)}, opts...)
		}
		link, err := tracing.New(opts...)
		add(b, link, err)
	}
	if b.logger != nil {
		link, err := logging.New(b.logger, b.logging...)
		add(b, link, err)
	}
	if b.slowLogger != nil {
		link, err := slowquery.New(b.slowLogger, b.slowThreshold, b.slow...)
		add(b, link, err)
	}
}

// outside adds what belongs outside the retry.
func (b *builder) outside() {
	if b.recovery != nil {
		link, err := recovery.New(*b.recovery...)
		add(b, link, err)
	}
	b.links = append(b.links, b.own...)
	if b.timeout != nil {
		link, err := timeout.New(b.timeout.limit, b.timeout.opts...)
		add(b, link, err)
	}
}

// inside adds the limit, the retry, and what belongs inside it.
func (b *builder) inside(p *Preset) {
	if b.limit != nil {
		opts := b.limit.opts
		if b.meters != nil {
			opts = append([]limit.Option{limit.WithMeterProvider(b.meters)}, opts...)
		}
		link, err := limit.New(b.limit.n, opts...)
		p.limiter = add(b, link, err)
	}
	if b.adaptive != nil {
		opts := *b.adaptive
		if b.meters != nil {
			opts = append([]adaptivelimit.Option{adaptivelimit.WithMeterProvider(b.meters)}, opts...)
		}
		link, err := adaptivelimit.New(opts...)
		p.adaptive = add(b, link, err)
	}
	if b.retry != nil {
		p.budget = b.addRetry()
	}
	if b.hedge != nil {
		opts := *b.hedge
		if b.meters != nil {
			opts = append([]hedge.Option{hedge.WithMeterProvider(b.meters)}, opts...)
		}
		link, err := hedge.New(opts...)
		add(b, link, err)
	}
	if b.throttle != nil {
		opts := append([]throttle.Option{throttle.WithFactor(throttleFactor)}, *b.throttle...)
		if b.meters != nil {
			opts = append([]throttle.Option{throttle.WithMeterProvider(b.meters)}, opts...)
		}
		link, err := throttle.New(opts...)
		p.throttler = add(b, link, err)
	}
	if b.breaker != nil {
		opts := *b.breaker
		if b.meters != nil {
			opts = append([]breaker.Option{breaker.WithMeterProvider(b.meters)}, opts...)
		}
		link, err := breaker.New(opts...)
		p.breaker = add(b, link, err)
	}
	if b.attempt != nil {
		link, err := timeout.New(b.attempt.limit, b.attempt.opts...)
		add(b, link, err)
	}
}

// throttleFactor has calls throttled before the breaker opens, at a failure
// rate of a half.
const throttleFactor = 1.5

// addRetry adds the retry, with a budget that the page can show.
func (b *builder) addRetry() *retry.Budget {
	budget, err := retry.NewBudget()
	if err != nil {
		b.errs = append(b.errs, err)
		return nil
	}
	opts := []retry.Option{retry.WithBudget(budget)}
	if b.meters != nil {
		opts = append(opts, retry.WithMeterProvider(b.meters))
	}
	link, err := retry.New(append(opts, *b.retry...)...)
	add(b, link, err)
	return budget
}

// budgetCapacity is the number of tokens of a full budget; see
// [retry.NewBudget].
const budgetCapacity = 500

// sources are what the page shows of the interceptors.
func (b *builder) sources(p *Preset) []statusz.Option {
	var opts []statusz.Option
	if p.breaker != nil {
		opts = append(opts, statusz.WithBreakers(p.breaker.States, circuit))
	}
	if p.budget != nil {
		opts = append(opts, statusz.WithBudget(p.budget.Remaining, budgetCapacity))
	}
	if p.limiter != nil {
		opts = append(opts, statusz.WithLimit(func() statusz.Limit { return statusz.Limit(p.limiter.Stats()) }))
	}
	if p.adaptive != nil {
		opts = append(opts, statusz.WithAdaptiveLimits(p.adaptive.Stats, adaptive))
	}
	return opts
}

// adaptive says what the page shows of an adaptive limit.
func adaptive(s adaptivelimit.Stats) statusz.AdaptiveLimit {
	out := statusz.AdaptiveLimit{
		Target: s.Target, Name: s.Name, Limit: s.Limit, InUse: s.InUse, Queue: s.Queue, Waiting: s.Waiting,
		Rejected: s.Rejected, Passed: s.Passed, Latency: s.Latency,
	}
	for _, p := range s.Course {
		out.Course = append(out.Course, statusz.LimitPoint(p))
	}
	return out
}

// circuit says what the page shows of a circuit.
func circuit(s breaker.Status) statusz.Circuit {
	return statusz.Circuit{
		Target: s.Target, State: s.State.String(), Since: s.Since, RetryAfter: s.RetryAfter,
		Cause: s.Cause, Requests: s.Counts.Requests(), Failures: s.Counts.Failures,
	}
}
