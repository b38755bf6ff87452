package outage

import (
	"slices"
	"time"
)

// A trial is what one subject went through in one round.
type trial struct {
	samples    []sample // in the order in which the calls began
	down, back time.Duration
	dials      int // connects tried while the database was away
	limit      int // when it was back; 0: none that changes
}

// Figures are what a table says of one subject, over all rounds.
type Figures struct {
	// Calls counts those that began when the fault did or later.
	Calls, OK, Failed, Refused int
	// FailedAfter and RefusedAfter are parts of the calls that began after the
	// database's return.
	FailedAfter, RefusedAfter float64
	// Goodput is how many of the calls that began during the fault came to a good
	// end, per second: the median of the rounds.
	Goodput float64
	// Limits are what a limit that changes had come to when the fault ended, by
	// round.
	Limits []int
	// Watched is the part of the watched calls that came to a good end during the
	// fault; below 0 if there were none.
	Watched float64
	// Idle99 and Watched99 are what 99 of 100 watched calls that came to a good end
	// took at most, before the fault and during it.
	Idle99, Watched99 time.Duration
	// Steady50 and Steady99 are of the time that good calls took which began during
	// the fault: the medians of the rounds.
	Steady50, Steady99 time.Duration
	// Healthy is how long after the return the subject was healthy, median and
	// worst; [Never] if it was not while it was observed.
	Healthy, Worst time.Duration
	// P50 and P99 are of the time a call took, however it ended.
	P50, P99 time.Duration
	// Dials is how many connects per second were tried while the database was away.
	Dials float64
}

// Never stands for a time that did not come while it was waited for.
const Never = time.Duration(-1)

// figuresOf sums trials up.
func figuresOf(trials []trial) Figures {
	var f Figures
	var idle, amid, took, healthy, steady50, steady99 []time.Duration
	var goodput []float64
	var away time.Duration
	var after, failedAfter, refusedAfter, watched, watchedOK, dials int
	for _, t := range trials {
		away += t.back - t.down
		dials += t.dials
		healthy = append(healthy, healthyAfter(t))
		if t.limit > 0 {
			f.Limits = append(f.Limits, t.limit)
		}
		var steady []time.Duration
		for _, s := range t.samples {
			if s.start < t.down {
				if s.watched && s.outcome == OK {
					idle = append(idle, s.took)
				}
				continue
			}
			f.Calls++
			took = append(took, s.took)
			switch s.outcome {
			case OK:
				f.OK++
			case Failed:
				f.Failed++
			case Refused:
				f.Refused++
			}
			if s.start >= t.back {
				after++
				failedAfter += count(s.outcome == Failed)
				refusedAfter += count(s.outcome == Refused)
				continue
			}
			if s.outcome == OK {
				steady = append(steady, s.took)
			}
			watched += count(s.watched)
			if s.watched && s.outcome == OK {
				watchedOK++
				amid = append(amid, s.took)
			}
		}
		if t.back > t.down {
			goodput = append(goodput, float64(len(steady))/(t.back-t.down).Seconds())
		}
		if len(steady) == 0 {
			continue
		}
		steady50, steady99 = append(steady50, quantile(steady, 0.5)), append(steady99, quantile(steady, 0.99))
	}
	f.FailedAfter, f.RefusedAfter = part(failedAfter, after), part(refusedAfter, after)
	f.Watched = -1
	if watched > 0 {
		f.Watched = part(watchedOK, watched)
	}
	if away > 0 {
		f.Dials = float64(dials) / away.Seconds()
	}
	if len(goodput) > 0 {
		slices.Sort(goodput)
		f.Goodput = (goodput[(len(goodput)-1)/2] + goodput[len(goodput)/2]) / 2
	}
	f.Healthy, f.Worst = quantile(healthy, 0.5), quantile(healthy, 1)
	f.Idle99, f.Watched99 = quantile(idle, 0.99), quantile(amid, 0.99)
	f.P50, f.P99 = quantile(took, 0.5), quantile(took, 0.99)
	f.Steady50, f.Steady99 = quantile(steady50, 0.5), quantile(steady99, 0.5)
	return f
}

// steady is how many calls in a row have to come to a good end before their
// subject counts as healthy.
const steady = 20

// healthyAfter returns how long after the database's return the first of
// [steady] good calls ended, or [Never].
func healthyAfter(t trial) time.Duration {
	run, first := 0, time.Duration(0)
	for _, s := range t.samples {
		switch {
		case s.start < t.back:
		case s.outcome != OK:
			run = 0
		case run == 0:
			run, first = 1, s.end()
		default:
			run++
		}
		if run == steady {
			return first - t.back
		}
	}
	return Never
}

// quantile returns the smallest of times that at least the part q of them does
// not exceed; [Never] counts as longer than any time. Without times it is 0.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	// As unsigned numbers, Never is the largest.
	slices.SortFunc(times, func(a, b time.Duration) int {
		switch {
		case uint64(a) < uint64(b):
			return -1
		case uint64(a) > uint64(b):
			return 1
		}
		return 0
	})
	i := int(q*float64(len(times))+0.999999) - 1
	return times[min(max(i, 0), len(times)-1)]
}

func part(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
