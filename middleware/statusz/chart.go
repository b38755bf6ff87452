package statusz

import (
	"fmt"
	"time"
)

// The charts are SVG: shapes with attributes, which a policy without inline
// styles allows.

// chart is the statements of the last minutes, a bar for each interval.
type chart struct {
	Bars   []bar
	Peak   string // statements per second at the top
	Minute counts // in the last minute
	Span   span   // that the minute covers, shorter at the beginning
}

// bar is a bar of a chart, in the chart's units from the left and the top.
type bar struct {
	X, Width    float64
	Top, Height float64
	FailedTop   float64 // of the part at the foot that failed
	Failed      float64 // its height
	Title       string
}

// The size of the chart in its own units.
const (
	chartHeight = 60
	barPitch    = 10
)

// newChart makes the chart. Its last bar is the interval at work, which still
// grows.
func newChart(s *snapshot) chart {
	c := chart{Span: span(min(time.Duration(s.Up), time.Minute))}
	var peak int64 = 1
	for _, t := range s.Traffic {
		peak = max(peak, t.Calls)
	}
	c.Peak = rate(peak, span(interval))
	empty := ticks - len(s.Traffic)
	for i, t := range s.Traffic {
		if len(s.Traffic)-i <= int(time.Minute/interval) {
			c.Minute.Calls += t.Calls
			c.Minute.Failed += t.Failed
			c.Minute.Canceled += t.Canceled
		}
		if t.Calls == 0 {
			continue
		}
		scale := func(n int64) float64 {
			if n == 0 {
				return 0
			}
			return max(1, float64(n)/float64(peak)*chartHeight)
		}
		b := bar{X: float64((empty + i) * barPitch), Width: barPitch - 2, Height: scale(t.Calls), Failed: scale(t.Failed)}
		b.Top, b.FailedTop = chartHeight-b.Height, chartHeight-b.Failed
		b.Title = fmt.Sprintf("%s: %d statements, %d failed, %d canceled", t.Start.Format("15:04:05"), t.Calls, t.Failed, t.Canceled)
		c.Bars = append(c.Bars, b)
	}
	return c
}

// latencyRow is a row of the latency table.
type latencyRow struct {
	latencyView
	Share float64 // of the time of all rows, in percent
	Bars  []bar
	Slow  bool // its 99th percentile is past the threshold
}

// maxRows is how many summaries the page shows; JSON has them all.
const maxRows = 50

// latencyRows makes the rows. Their histograms have one scale of time, so that
// they can be compared at a glance.
func latencyRows(s *snapshot) (rows []latencyRow) {
	first, last := octaves(s.Latencies)
	var total span
	for _, l := range s.Latencies {
		total += l.Total
	}
	for _, l := range s.Latencies[:min(len(s.Latencies), maxRows)] {
		rows = append(rows, latencyRow{
			latencyView: l, Share: 100 * float64(l.Total) / float64(max(total, 1)),
			Bars: histogramBars(l, first, last), Slow: l.P99 >= s.SlowAfter,
		})
	}
	return rows
}

// octaveOf returns the number of the power of two that a bucket is in.
func octaveOf(b bucketView) int {
	return (bucketOf(time.Duration(b.Upper)-1) + perOctave - 1) / perOctave
}

// octaves returns the first and the last power of two that something is in.
func octaves(all []latencyView) (first, last int) {
	first = buckets
	for _, l := range all {
		if n := len(l.Histogram); n > 0 {
			first = min(first, octaveOf(l.Histogram[0]))
			last = max(last, octaveOf(l.Histogram[n-1]))
		}
	}
	return first, last
}

// The size of a histogram in its own units.
const (
	histogramWidth  = 120
	histogramHeight = 22
)

func histogramBars(l latencyView, first, last int) (bars []bar) {
	counts := make([]int64, last-first+1)
	uppers := make([]span, last-first+1)
	var peak int64 = 1
	for _, b := range l.Histogram {
		n := octaveOf(b) - first
		counts[n] += b.Count
		uppers[n] = max(uppers[n], b.Upper)
		peak = max(peak, counts[n])
	}
	pitch := float64(histogramWidth) / float64(len(counts))
	for i, n := range counts {
		if n == 0 {
			continue
		}
		height := max(1, float64(n)/float64(peak)*histogramHeight)
		bars = append(bars, bar{
			X: float64(i) * pitch, Width: max(pitch-1, 1), Top: histogramHeight - height, Height: height,
			Title: fmt.Sprintf("up to %s: %d", uppers[i], n),
		})
	}
	return bars
}

// poolBar is how much of something with a bound is in use.
type poolBar struct {
	poolView
	UsedWidth float64 // of 100
	IdleWidth float64
	Full      bool
}

// poolBars makes the bars of the pools.
func poolBars(s *snapshot) (bars []poolBar) {
	known := func(n *int64) float64 {
		if n == nil {
			return 0
		}
		return float64(*n)
	}
	for _, p := range s.Pools {
		b := poolBar{poolView: p}
		whole := max(known(p.Max), known(p.Used)+known(p.Idle), 1)
		b.UsedWidth, b.IdleWidth = 100*known(p.Used)/whole, 100*known(p.Idle)/whole
		b.Full = p.Max != nil && known(p.Used) >= known(p.Max)
		bars = append(bars, b)
	}
	return bars
}

// meter is how much of a whole there is, in percent.
type meter struct {
	Width float64
	Full  bool // it calls for attention
}

// newMeter makes the meter of what is bad when it is full.
func newMeter(part, whole int) meter {
	return meter{100 * float64(min(max(part, 0), whole)) / float64(max(whole, 1)), part >= whole}
}

// newReserve makes the meter of what is bad when it is used up.
func newReserve(left, whole int) meter {
	m := newMeter(left, whole)
	m.Full = m.Width < 20
	return m
}

// circuitRow is a row of the table of breakers.
type circuitRow struct {
	circuitView
	History []changeView // the latest first
}

// maxHistory is how many changes of a circuit the page shows; JSON has more.
const maxHistory = 6

func circuitRows(s *snapshot) (rows []circuitRow) {
	for _, c := range s.Breakers {
		row := circuitRow{circuitView: c}
		for _, change := range s.Changes {
			if change.Target == c.Target && len(row.History) < maxHistory {
				row.History = append(row.History, change)
			}
		}
		rows = append(rows, row)
	}
	return rows
}
