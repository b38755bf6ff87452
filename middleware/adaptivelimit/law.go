package adaptivelimit

import (
	"math"
	"time"
)

// law moves a limit by what windows have counted. It knows no clock and no lock.
//
// Calls are compared with what their kind has taken before, as a ratio. What
// counts is the middle of the ratios of a window, against that of a time with
// fewer calls at work: the base. As long as the others take hardly longer than
// at the base, the limit grows; where they take longer it shrinks, since then most
// of the added calls wait inside the database.
type law struct {
	least, most float64

	limit  float64
	known  bool    // the base is
	base   float64 // the middle with few calls at work, as a binary logarithm
	bases  float64 // how many measurements the base is the mean of, at most so many
	atBase float64 // the limit when it was found

	probing bool
	search  bool          // the last probe has shown that the limit is far too high
	before  float64       // the middle before the probe
	recent  float64       // the mean of the latest ones since the probe
	fresh   int           // how many there are
	trial   float64       // the limit meanwhile
	times   float64       // as many calls were at work before
	probed  time.Duration // when the last probe began
	took    time.Duration
}

// The numbers of the law.
const (
	tolerance     = 1.3 // how much longer calls may take than at the base, with many at work
	allowance     = 0.6 // divided by the limit, on top of that: with few at work, one more may only fill gaps
	queueing      = 0.9 // times as much longer as there are more at work: nearly all that come on top wait
	fewer         = 0.6 // part of the calls that are at work in a probe
	fewerYet      = 0.5 // and while little is known of the base
	gain          = 0.4 // part of the way, in logarithms, that the limit goes in a window
	noise         = 0.5 // binary logarithm: two bases that are as near are one
	meanOf        = 4   // measurements of the base
	probeEvery    = 8 * time.Second
	probeRarely   = 20          // times as long as a probe takes, which costs less than half of that
	probeAgain    = time.Second // after the first one
	probeSoonest  = 500 * time.Millisecond
	fallen        = 0.7 // part of the limit at the base at which the base is found anew
	faster        = 0.7 // than at the base, at which it is found anew: the database has become faster
	onFaults      = 0.7 // factor of the limit after overload faults
	faultsInCalls = 50  // one fault in so many calls is overload
)

// summary is what a window has counted.
type summary struct {
	now     time.Duration
	n       int     // ratios
	middle  float64 // of them
	faults  int
	busiest int  // the most permits in use
	heldUp  bool // calls found no permit free
}

// effective returns the limit that holds now.
func (l *law) effective() int {
	n := l.limit
	if l.probing {
		n = l.trial
	}
	return int(math.Round(min(max(n, l.least), l.most)))
}

// settled returns the limit that holds when there is no probe.
func (l *law) settled() int { return int(math.Round(l.limit)) }

// decide draws the conclusion of a window, and reports whether the next one has to
// wait until as few calls are at work as the limit says now.
func (l *law) decide(s summary) (drain bool) {
	if s.faults > 0 && s.faults*faultsInCalls >= s.n {
		l.probing = false
		l.to(l.limit * onFaults)
		return false
	}
	if s.n < fewest {
		l.probing = false
		return false
	}
	switch {
	case l.probing:
		l.found(s)
		return false
	case float64(s.busiest) < l.limit/2: // at ease
		if !l.known {
			l.known, l.base, l.bases = true, s.middle, 1
		}
		l.base += (s.middle - l.base) / 4
		l.atBase = l.limit
		return false
	case !l.known:
		l.recent = s.middle
		return l.probe(s)
	}
	slower, bound := math.Exp2(s.middle-l.base), l.bound()
	if l.fresh++; l.fresh == 1 {
		l.recent = s.middle
	}
	l.recent += (s.middle - l.recent) / 2
	if l.search {
		return l.probe(s)
	}
	if by := math.Pow(bound/slower, gain); by < 1 || s.heldUp {
		l.to(l.limit * min(max(by, 0.7), 1.25))
	}
	if age := s.now - l.probed; age >= l.interval(s.heldUp) || (l.limit < fallen*l.atBase || slower < faster) && age >= probeSoonest {
		return l.probe(s)
	}
	return false
}

// probe begins to find the base, with fewer calls at work.
func (l *law) probe(s summary) (drain bool) {
	l.probing, l.probed = true, s.now
	l.before, l.fresh = l.recent, 0
	now := math.Round(min(l.limit, float64(s.busiest)))
	part := fewer
	if l.bases < meanOf {
		part = fewerYet
	}
	l.trial = max(min(math.Ceil(part*now), now-1), 1)
	l.times = now / l.trial
	return true
}

// interval returns how long after a probe the next one is due: sooner while little
// is known of the base and calls wait.
func (l *law) interval(heldUp bool) time.Duration {
	usual := max(probeEvery, probeRarely*l.took)
	if heldUp && l.bases < meanOf {
		return min(usual, max(time.Duration(l.bases*float64(probeAgain)), 5*l.took))
	}
	return usual
}

// bound returns how much longer calls may take than at the base.
func (l *law) bound() float64 { return tolerance + allowance/l.limit }

// found ends a probe with what it has found.
func (l *law) found(s summary) {
	if l.known && math.Abs(s.middle-l.base) < noise {
		l.bases = min(l.bases+1, meanOf)
		weight := 1 / l.bases
		if s.middle < l.base { // as few calls as now were not at work before, or not alone
			weight = max(weight, 0.5)
		}
		l.base += (s.middle - l.base) * weight
	} else {
		l.known, l.base, l.bases = true, s.middle, 1
	}
	slower := math.Exp2(l.before - s.middle)
	switch l.search = l.times > 1 && slower > queueing*l.times; {
	case l.search: // fewer calls get as much done, or nearly
		l.to(1.2 * l.trial)
	case slower > l.bound():
		l.to(l.limit * l.bound() / slower)
	}
	l.probing, l.atBase = false, l.limit
	l.took = s.now - l.probed
}

func (l *law) to(limit float64) { l.limit = min(max(limit, l.least), l.most) }
