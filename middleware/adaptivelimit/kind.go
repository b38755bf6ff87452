package adaptivelimit

import (
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// maxKinds is how many kinds of calls are told apart; those beyond are one.
const maxKinds = 1024

// kind is what is known of the calls with one summary. What two calls learn at
// the same moment may be learnt once.
type kind struct {
	n    atomic.Int32
	mean atomic.Uint64 // of the binary logarithms of their times, as a float64
}

const (
	learned  = 16  // how many calls tell what a kind takes
	learning = 128 // how many calls it learns from later, when the database is at ease
)

// ratio returns the ratio of a call's time to that of its kind, as a binary
// logarithm, if that is known. A kind that is new learns from its first calls, at
// a time when others have ratios of level; one that is known goes on to learn, slowly,
// only while the database is at ease: otherwise it would take a load for its own.
func (k *kind) ratio(took time.Duration, level float64, atEase bool) (ratio float64, known bool) {
	x := binary(took)
	mean := math.Float64frombits(k.mean.Load())
	ratio = x - mean
	switch {
	case k.n.Load() < learned:
		k.learn(mean + (ratio-level)/float64(k.n.Add(1)))
		return 0, false
	case atEase:
		k.learn(mean + ratio/learning)
	}
	return ratio, true
}

// known is ratio without learning.
func (k *kind) known(took time.Duration) (ratio float64, known bool) {
	return binary(took) - math.Float64frombits(k.mean.Load()), k.n.Load() >= learned
}

// binary returns the binary logarithm of a time in nanoseconds.
func binary(d time.Duration) float64 { return math.Log2(float64(max(d, time.Microsecond))) }

func (k *kind) learn(mean float64) { k.mean.Store(math.Float64bits(mean)) }

// kinds finds the kind of a call: by the summary of its text, or by the name of
// the operation that a transaction is. A kind that is known is found without a
// lock.
type kinds struct {
	texts *sqltext.Cache[*kind]

	named atomic.Pointer[map[string]*kind] // replaced as a whole
	mu    sync.Mutex                       // held while named is replaced
}

func newKinds() *kinds {
	s := &kinds{texts: sqltext.NewCache[*kind](0, 0)}
	s.named.Store(&map[string]*kind{})
	return s
}

func (s *kinds) of(call *sp.Call) *kind {
	text := call.Text
	if text == "" {
		if text = call.Marks.Name; text == "" {
			text = call.Op.String()
		}
		return s.name(text)
	}
	d := telemetry.DialectOf(call.Target)
	k, ok := s.texts.Get(d, text)
	if !ok {
		k = s.name(telemetry.Describe(d, telemetry.UseOf(call), text).Summary)
		s.texts.Put(d, text, k)
	}
	return k
}

// name returns the kind with a name; the one of all others past maxKinds.
func (s *kinds) name(name string) *kind {
	if k := (*s.named.Load())[name]; k != nil {
		return k
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.named.Load()
	if len(old) >= maxKinds {
		name = ""
	}
	if k := old[name]; k != nil {
		return k
	}
	next := maps.Clone(old)
	next[name] = new(kind)
	s.named.Store(&next)
	return next[name]
}
