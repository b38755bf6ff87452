package breaker

import (
	"math"
	"runtime"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel/metric"

	"github.com/sessionproxy/sessionproxy/fault"
)

// config is what the options come to. It is shared by all circuits.
type config struct {
	failureRate float64
	minimum     int64
	consecutive int64 // 0 if off
	buckets     int
	period      time.Duration
	slow        time.Duration // 0 if off
	slowRate    float64
	firstOpen   time.Duration
	openTime    time.Duration
	maxWait     time.Duration // 0 if nobody waits
	maxWaiting  int
	probes      uint32
	lease       time.Duration
	maxTargets  int
	notices     notices
	provider    metric.MeterProvider
	adjust      []func(*gobreaker.Settings)
	err         error // of the first option with a bad value

	readyToTrip func(gobreaker.Counts) bool
	jitter      func(longest time.Duration) time.Duration
	prober      *prober // nil without WithProbe
	stripes     int
	start       time.Time
}

// maxStripes bounds the memory of a window.
const maxStripes = 8

// newConfig applies the options, gobreaker's settings last.
func newConfig(opts []Option) (*config, error) {
	c := defaultConfig()
	for _, o := range opts {
		if o != nil {
			o.apply(c)
		}
	}
	c.readyToTrip = c.failing
	for _, adjust := range c.adjust {
		c.adjustBy(adjust)
	}
	if c.err != nil {
		return nil, c.err
	}
	c.firstOpen = min(c.firstOpen, c.openTime)
	for c.stripes = 1; c.stripes < maxStripes && c.stripes < runtime.GOMAXPROCS(0); {
		c.stripes *= 2
	}
	c.start = time.Now()
	return c, nil
}

// now returns the time on the circuits' clock, which is monotonic.
func (c *config) now() time.Duration { return time.Since(c.start) }

// adjustBy lets adjust change the settings and takes them over.
func (c *config) adjustBy(adjust func(*gobreaker.Settings)) {
	s := gobreaker.Settings{
		MaxRequests:  c.probes,
		Interval:     time.Duration(c.buckets) * c.period,
		BucketPeriod: c.period,
		Timeout:      c.openTime,
		ReadyToTrip:  c.readyToTrip,
	}
	adjust(&s)
	if s.BucketPeriod <= 0 {
		s.BucketPeriod = s.Interval
	}
	switch {
	case s.Name != "" || s.IsSuccessful != nil || s.IsExcluded != nil:
		c.reject("WithGobreakerSettings: Name, IsSuccessful and IsExcluded can't be set")
	case s.MaxRequests < 1 || s.MaxRequests > maxProbes:
		c.reject("WithGobreakerSettings: MaxRequests %d: want 1 to %d", s.MaxRequests, maxProbes)
	case s.Timeout <= 0:
		c.reject("WithGobreakerSettings: Timeout %v: want more than 0", s.Timeout)
	case s.Interval <= 0 || s.BucketPeriod > math.MaxInt64/maxBuckets || (s.Interval-1)/s.BucketPeriod >= maxBuckets:
		c.reject("WithGobreakerSettings: Interval %v, BucketPeriod %v: want 1 to %d buckets", s.Interval, s.BucketPeriod, maxBuckets)
	case s.ReadyToTrip == nil:
		c.reject("WithGobreakerSettings: ReadyToTrip is nil: want a function")
	default:
		c.probes, c.openTime, c.readyToTrip = s.MaxRequests, s.Timeout, s.ReadyToTrip
		c.period, c.buckets = s.BucketPeriod, int((s.Interval-1)/s.BucketPeriod)+1
		c.watchWith(s.OnStateChange)
	}
}

// watchWith adds a watcher of gobreaker's kind, which knows gobreaker's states
// only.
func (c *config) watchWith(watch func(name string, from, to gobreaker.State)) {
	if watch == nil {
		return
	}
	known := map[State]gobreaker.State{
		StateClosed: gobreaker.StateClosed, StateHalfOpen: gobreaker.StateHalfOpen, StateOpen: gobreaker.StateOpen,
	}
	c.notices.watchers = append(c.notices.watchers, func(ch Change) {
		from, ok := known[ch.From]
		to, ok2 := known[ch.To]
		if ok && ok2 {
			watch(ch.Target.String(), from, to)
		}
	})
}

// failing reports whether failures have to open a circuit.
func (c *config) failing(n gobreaker.Counts) bool {
	if c.consecutive > 0 && int64(n.ConsecutiveFailures) >= c.consecutive {
		return true
	}
	requests := int64(n.Requests - n.TotalExclusions)
	return requests >= c.minimum && float64(n.TotalFailures) >= c.failureRate*float64(requests)
}

// mustOpen reports whether the counts, of which v is the latest, have to open
// a circuit, and the class of fault to blame.
func (c *config) mustOpen(n Counts, v verdict) (open bool, cause fault.Class) {
	if v.outcome == failed && c.readyToTrip(n.gobreaker()) {
		return true, v.class
	}
	if v.slow && n.Requests() >= c.minimum && float64(n.Slow) >= c.slowRate*float64(n.Requests()) {
		return true, fault.ClassNone
	}
	return false, fault.ClassNone
}

// gobreaker returns the counts after a failure in gobreaker's form.
func (c Counts) gobreaker() gobreaker.Counts {
	return gobreaker.Counts{
		Requests:            uint32(c.Requests() + c.Excluded),
		TotalSuccesses:      uint32(c.Successes),
		TotalFailures:       uint32(c.Failures),
		TotalExclusions:     uint32(c.Excluded),
		ConsecutiveFailures: uint32(c.ConsecutiveFailures),
	}
}
