package outage

import "time"

// A bin is what ended in a short time.
type bin struct {
	counts   [Refused + 1]int // by outcome
	p50, p99 time.Duration    // of what ended, however
}

func (b bin) total() int { return b.counts[OK] + b.counts[Failed] + b.counts[Refused] }

// timeline sorts samples into bins by when their calls ended.
func timeline(samples []sample, length, width time.Duration) []bin {
	bins := make([]bin, (length+width-1)/width)
	took := make([][]time.Duration, len(bins))
	for _, s := range samples {
		i := int(s.end() / width)
		if i >= len(bins) {
			continue
		}
		bins[i].counts[s.outcome]++
		took[i] = append(took[i], s.took)
	}
	for i, t := range took {
		bins[i].p50, bins[i].p99 = quantile(t, 0.5), quantile(t, 0.99)
	}
	return bins
}
