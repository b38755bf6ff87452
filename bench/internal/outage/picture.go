package outage

import (
	"fmt"
	"io"
	"math"
	"time"
)

// The measures of a picture: a row for each subject, in it throughput on the left
// and latency on the right.
const (
	picName    = 190.0
	picPlot    = 330.0
	picGap     = 60.0
	picRow     = 74.0
	picPlotted = 54.0 // of a row
	picTop     = 62.0
	picBottom  = 30.0
	picWidth   = picName + 2*picPlot + picGap + 20
)

// a picture has some bins to a plot.
const picBins = 110

// WritePicture draws the first round: how many calls ended well, failed and were
// refused over time, and how long they took.
func (r Report) WritePicture(w io.Writer) error {
	p := painter{length: r.length(), most: 1}
	p.width = p.length / picBins
	var rows [][]bin
	var totals []time.Duration
	for _, t := range r.first {
		rows = append(rows, timeline(t.samples, p.length, p.width))
		for _, b := range rows[len(rows)-1] {
			totals = append(totals, time.Duration(b.total()))
		}
	}
	p.most = max(1, int(quantile(totals, 0.98))) // what has piled up and comes at once is cut off
	p.text("h", "start", 10, 20, r.Scenario.Name+": "+r.Scenario.Title)
	p.legend()
	for i, bins := range rows {
		t := r.first[i]
		p.row(picTop+float64(i)*picRow, r.Rows[i].Subject, bins, t.down, t.back)
	}
	bottom := picTop + float64(len(rows))*picRow
	p.axis(bottom)
	return p.writeTo(w, picWidth, bottom+picBottom)
}

// length returns the time that the picture shows.
func (r Report) length() time.Duration {
	length := time.Second
	for _, t := range r.first {
		length = max(length, t.back+r.Options.After)
	}
	return length
}

// A painter draws a report.
type painter struct {
	svg

	length, width time.Duration // of the whole and of a bin
	most          int           // calls in a bin
}

func (p *painter) legend() {
	x := picName
	for _, l := range []struct{ class, name string }{{"ok", "ok"}, {"failed", "failed"}, {"refused", "refused"}, {"away", "the fault"}} {
		p.rect(l.class, x, 36, 10, 10)
		p.text("n", "start", x+14, 45, l.name)
		x += 72
	}
	right := picName + picPlot + picGap
	p.line("p50", []point{{x: right, y: 41}, {x: right + 16, y: 41}})
	p.text("n", "start", right+20, 45, "p50")
	p.line("p99", []point{{x: right + 60, y: 41}, {x: right + 76, y: 41}})
	p.text("n", "start", right+80, 45, "p99, logarithmic")
	perSecond := float64(p.most) / p.width.Seconds()
	p.text("n", "end", picName+picPlot, 20, fmt.Sprintf("calls, full height %.0f/s", perSecond))
}

// x returns where a time is within a plot.
func (p *painter) x(at time.Duration) float64 {
	return picPlot * float64(at) / float64(p.length)
}

// y returns how high a latency is, on a scale from 0.1 ms to 1 s.
func y(d time.Duration) float64 {
	const low, high = 1e-4, 1.0
	v := min(max(d.Seconds(), low), high)
	return picPlotted * (1 - math.Log(v/low)/math.Log(high/low))
}

func (p *painter) row(top float64, name string, bins []bin, down, back time.Duration) {
	right := picName + picPlot + picGap
	p.text("n", "end", picName-10, top+picPlotted/2, name)
	for _, left := range []float64{picName, right} {
		p.rect("away", left+p.x(down), top, p.x(back)-p.x(down), picPlotted)
		p.line("axis", []point{{x: left, y: top + picPlotted}, {x: left + picPlot, y: top + picPlotted}})
	}
	for _, at := range []time.Duration{time.Millisecond, time.Second} {
		p.text("n", "end", right-4, top+y(at)+8, short(at))
	}
	w := picPlot / float64(len(bins))
	var p50, p99 []point
	var bars [Refused + 1][]bar
	for i, b := range bins {
		x, at := picName+float64(i)*w, top+picPlotted
		for o, n := range b.counts {
			h := min(picPlotted*float64(n)/float64(p.most), at-top)
			at -= h
			bars[o] = append(bars[o], bar{x, at, w, h})
		}
		mid := right + (float64(i)+0.5)*w
		p50 = append(p50, point{mid, top + y(b.p50), b.total() == 0})
		p99 = append(p99, point{mid, top + y(b.p99), b.total() == 0})
	}
	for o, class := range []string{"ok", "failed", "refused"} {
		p.bars(class, bars[o])
	}
	p.line("p50", p50)
	p.line("p99", p99)
}

// axis names some times below the plots.
func (p *painter) axis(top float64) {
	step := time.Second
	for p.length/step > 8 {
		step *= 2
	}
	for _, left := range []float64{picName, picName + picPlot + picGap} {
		for at := time.Duration(0); at <= p.length; at += step {
			p.text("n", "middle", left+p.x(at), top+4, fmt.Sprintf("%.0f s", at.Seconds()))
		}
	}
}
