package adaptivelimit

import (
	"math"
	"time"
)

// law moves a limit by what it is told of calls. It knows no clock.
//
// Calls are compared with what their kind has taken before, as a ratio. What
// counts is the median of the ratios of a window, against that of a time with
// half as many calls at work: the base. As long as twice as many calls at work
// take not even half as long again, the limit grows; where they take longer it
// shrinks, since then most of the added calls wait inside the database.
type law struct {
	least, most float64

	limit  float64
	known  bool    // the base is
	base   float64 // the median with few calls at work, as a binary logarithm
	atBase float64 // the limit when it was found

	since   time.Time // only calls that began later count
	ratios  [buckets]int32
	n       int
	faults  int
	heldUp  int64 // of the permits, when the window began
	busiest int

	probing  bool
	trial    float64 // the limit meanwhile
	draining bool
	probed   time.Time // when the last probe began
	took     time.Duration
}

// The numbers of the law.
const (
	tolerance     = 1.3 // how much longer calls may take than at the base
	shortest      = 100 * time.Millisecond
	longest       = time.Second
	enough        = 120 // calls of a window
	fewest        = 10  // calls of a window that lasted longest
	noise         = 0.5 // binary logarithm: two bases that are as near are one
	probeEvery    = 5 * time.Second
	probeRarely   = 40 // times as long as a probe takes, which costs half of that
	probeSoonest  = 500 * time.Millisecond
	probeLongest  = 2 * time.Second
	fallen        = 0.7 // part of the limit at the base at which the base is found anew
	faster        = 0.7 // than at the base, at which it is found anew: the database has become faster
	onFaults      = 0.7 // factor of the limit after overload faults
	faultsInCalls = 50  // one fault in so many calls is overload
)

// A histogram of binary logarithms, from a sixteenth to sixteen times.
const (
	perDoubling = 16
	doublings   = 4
	buckets     = 2 * doublings * perDoubling
)

// outcome is what a call says of the database.
type outcome uint8

const (
	says       outcome = iota // its time counts
	nothing                   // it says nothing
	overloaded                // the database is overloaded
)

// told is one call that has ended.
type told struct {
	outcome      outcome
	began, ended time.Time
	ratio        float64 // of its time to that of its kind, as a binary logarithm
	known        bool    // the ratio is
	inUse        int     // permits, at its end
	heldUp       int64   // calls that found none, until its end
}

// observe takes in a call, and returns the limit.
func (l *law) observe(c told) int {
	if l.draining && (c.inUse <= l.effective() || c.ended.Sub(l.probed) > longest) {
		l.draining = false
		l.reset(c)
	}
	l.busiest = max(l.busiest, c.inUse)
	switch {
	case c.outcome == overloaded:
		l.faults++
	case c.outcome == says && c.known && !l.draining && !c.began.Before(l.since):
		l.ratios[bucketOf(c.ratio)]++
		l.n++
	}
	if l.since.IsZero() {
		l.reset(c)
	}
	if !l.draining && l.due(c.ended) {
		l.decide(c)
		l.reset(c)
	}
	return l.effective()
}

// due reports whether a window is over.
func (l *law) due(now time.Time) bool {
	age := now.Sub(l.since)
	if l.probing && age > probeLongest {
		return true
	}
	return age >= shortest && l.n+l.faults >= max(enough, 2*int(l.limit)) || age >= longest && l.n+l.faults >= fewest
}

func (l *law) reset(c told) {
	l.since, l.heldUp = c.ended, c.heldUp
	l.ratios, l.n, l.faults, l.busiest = [buckets]int32{}, 0, 0, c.inUse
}

// effective returns the limit that holds now.
func (l *law) effective() int {
	n := l.limit
	if l.probing {
		n = l.trial
	}
	return int(math.Round(min(max(n, l.least), l.most)))
}

// decide draws the conclusion of a window.
func (l *law) decide(c told) {
	if l.faults > 0 && l.faults*faultsInCalls >= l.n {
		l.probing = false
		l.to(l.limit * onFaults)
		return
	}
	if l.n < fewest {
		l.probing = false
		return
	}
	median := l.median()
	if l.probing {
		if l.known && math.Abs(median-l.base) < noise {
			median = (median + l.base) / 2
		}
		l.probing, l.known, l.base, l.atBase = false, true, median, l.limit
		l.took = c.ended.Sub(l.probed)
		return
	}
	held := c.heldUp > l.heldUp
	if float64(l.busiest) < l.limit/2 { // at ease
		if !l.known {
			l.known, l.base = true, median
		}
		l.base += (median - l.base) / 4
		l.atBase = l.limit
		return
	}
	if !l.known {
		l.probe(c)
		return
	}
	slower := math.Exp2(median - l.base)
	switch {
	case slower > tolerance:
		l.to(l.limit * max(0.7, (1+tolerance/slower)/2))
	case held:
		l.to(l.limit + max(0.25, 0.1*l.limit*min(1, (tolerance-slower)/(tolerance-1))))
	}
	if age := c.ended.Sub(l.probed); age >= max(probeEvery, probeRarely*l.took) || (l.limit < fallen*l.atBase || slower < faster) && age >= probeSoonest {
		l.probe(c)
	}
}

// probe begins to find the base, with half as many calls at work.
func (l *law) probe(c told) {
	l.probing, l.draining, l.probed = true, true, c.ended
	l.trial = min(l.limit, float64(l.busiest)) / 2
}

func (l *law) to(limit float64) { l.limit = min(max(limit, l.least), l.most) }

// median returns the median of the window's ratios.
func (l *law) median() float64 {
	half := float64(l.n) / 2
	for i, n := range l.ratios {
		if float64(n) >= half && n > 0 {
			return (float64(i)+half/float64(n))/perDoubling - doublings
		}
		half -= float64(n)
	}
	return doublings
}

func bucketOf(ratio float64) int {
	return min(max(int((ratio+doublings)*perDoubling), 0), buckets-1)
}

// kind is what is known of the statements with one summary. The lock of its
// target guards it.
type kind struct {
	n    int
	mean float64 // of the binary logarithms of their times
}

// learned is how many calls tell what a kind takes.
const learned = 16

// ratio returns the ratio of a call's time to that of its kind, if that is known,
// and has the kind learn from it: slowly, once it is known, and only of times in
// which the database is at ease.
func (k *kind) ratio(took time.Duration, atEase bool) (ratio float64, known bool) {
	x := math.Log2(float64(max(took, time.Microsecond)))
	if k.n < learned {
		k.n++
		k.mean += (x - k.mean) / float64(k.n)
		return 0, false
	}
	ratio = x - k.mean
	if atEase {
		k.mean += ratio / 128
	}
	return ratio, true
}
