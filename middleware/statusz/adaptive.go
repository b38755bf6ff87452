package statusz

import (
	"errors"
	"fmt"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// AdaptiveLimit is the state of a limit that follows its database, at one moment
// and over the last minutes.
type AdaptiveLimit struct {
	// Target is the database. Its user is not shown.
	Target sp.Target
	// Name distinguishes the limit from others; it may be empty.
	Name string
	// Limit is how many calls may run at once now.
	Limit int
	// InUse is how many are running.
	InUse int
	// Queue is how many calls may wait.
	Queue int
	// Waiting is how many are waiting.
	Waiting int
	// Rejected is how many calls have been refused so far.
	Rejected int64
	// Passed is how many calls have passed without a permit so far.
	Passed int64
	// Latency is how long calls took lately, on average; 0 if that is not known.
	Latency time.Duration
	// Course is how it was, the oldest first. Points have to be 5 s apart; some
	// may be missing.
	Course []LimitPoint
}

// LimitPoint is what an adaptive limit was like for 5 s.
type LimitPoint struct {
	// At is when they began.
	At time.Time
	// Limit is how many calls could run at once, at the end.
	Limit int
	// InUse is the highest number of calls that ran at once.
	InUse int
	// Latency is how long calls took, on average; 0 if that is not known.
	Latency time.Duration
}

// WithAdaptiveLimits shows limits that follow their databases, with their course
// over the last five minutes, as described by describe. For one of package
// adaptivelimit:
//
//	statusz.WithAdaptiveLimits(limiter.Stats, func(s adaptivelimit.Stats) statusz.AdaptiveLimit {
//		out := statusz.AdaptiveLimit{
//			Target: s.Target, Name: s.Name, Limit: s.Limit, InUse: s.InUse, Queue: s.Queue,
//			Waiting: s.Waiting, Rejected: s.Rejected, Passed: s.Passed, Latency: s.Latency,
//		}
//		for _, p := range s.Course {
//			out.Course = append(out.Course, statusz.LimitPoint(p))
//		}
//		return out
//	})
//
// Both functions have to be quick and safe for concurrent use. The option may be
// given several times.
func WithAdaptiveLimits[S any](stats func() []S, describe func(S) AdaptiveLimit) Option {
	return optionFunc(func(c *config) error {
		if stats == nil || describe == nil {
			return errors.New("statusz: WithAdaptiveLimits: want two functions")
		}
		c.adaptive = append(c.adaptive, func(yield func(AdaptiveLimit)) {
			for _, s := range stats() {
				yield(describe(s))
			}
		})
		return nil
	})
}

// adaptiveView is a limit that follows its database.
type adaptiveView struct {
	Target string `json:"target"`
	limitView
	Latency span        `json:"latency_seconds"`
	Course  []pointView `json:"course"`
}

// pointView is what it was like for an interval.
type pointView struct {
	Start   time.Time `json:"start"`
	Limit   int       `json:"limit"`
	InUse   int       `json:"in_use"`
	Latency span      `json:"latency_seconds"`
}

func (p *Page) adaptiveViews() []adaptiveView {
	out := []adaptiveView{}
	for _, limits := range p.adaptive {
		limits(func(l AdaptiveLimit) {
			v := adaptiveView{
				Target:    l.Target.String(),
				limitView: limitView{l.Name, l.Limit, l.InUse, l.Queue, l.Waiting, l.Rejected, l.Passed},
				Latency:   span(l.Latency), Course: []pointView{},
			}
			for _, c := range l.Course {
				v.Course = append(v.Course, pointView{c.At.UTC(), c.Limit, c.InUse, span(c.Latency)})
			}
			out = append(out, v)
		})
	}
	return out
}

// adaptiveRow is a row of the table of adaptive limits. Its bars have the heights
// of what was in use, with the limit above them, and of the latency.
type adaptiveRow struct {
	adaptiveView
	Bars    []bar // what was in use; the part at the foot is none
	Limits  []bar // a line at the limit
	Delays  []bar // the latency
	Highest int   // limit
	Longest span
}

// The size of a course in its own units: a bar for each interval.
const (
	courseHeight = 30
	courseWidth  = ticks * barPitch
)

func adaptiveRows(s *snapshot) (rows []adaptiveRow) {
	for _, v := range s.Adaptive {
		r := adaptiveRow{adaptiveView: v, Highest: 1}
		for _, p := range v.Course {
			r.Highest = max(r.Highest, p.Limit, p.InUse)
			r.Longest = max(r.Longest, p.Latency)
		}
		for _, p := range v.Course {
			ago := s.Time.Sub(p.Start) / interval
			if ago < 0 || ago >= ticks {
				continue
			}
			x := float64(courseWidth - (int(ago)+1)*barPitch)
			title := fmt.Sprintf("%s: %d in use of %d, %s", p.Start.Format("15:04:05"), p.InUse, p.Limit, p.Latency)
			at := func(part float64) float64 { return courseHeight * (1 - part) }
			used, limit := float64(p.InUse)/float64(r.Highest), float64(p.Limit)/float64(r.Highest)
			r.Bars = append(r.Bars, bar{X: x, Width: barPitch - 2, Top: at(used), Height: courseHeight * used, Title: title})
			r.Limits = append(r.Limits, bar{X: x, Width: barPitch, Top: min(at(limit), courseHeight-2), Height: 2})
			if p.Latency > 0 {
				part := float64(p.Latency) / float64(r.Longest)
				r.Delays = append(r.Delays, bar{X: x, Width: barPitch - 2, Top: at(part), Height: courseHeight * part, Title: title})
			}
		}
		rows = append(rows, r)
	}
	return rows
}
