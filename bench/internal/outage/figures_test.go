package outage

import (
	"reflect"
	"testing"
	"time"
)

const ms = time.Millisecond

// at makes a call that began at a time, in milliseconds, and took one.
func at(start int, o Outcome) sample {
	return sample{start: time.Duration(start) * ms, took: ms, outcome: o}
}

// goods makes n good calls, one each 10 ms.
func goods(start, n int) []sample {
	var out []sample
	for i := range n {
		out = append(out, at(start+10*i, OK))
	}
	return out
}

func TestHealthyAfter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		samples []sample
		want    time.Duration
	}{
		"at once":                         {goods(1000, steady), ms},
		"too few":                         {goods(1000, steady-1), Never},
		"nothing":                         {nil, Never},
		"those before the return say no":  {append(goods(0, steady), at(1005, Failed)), Never},
		"a failure in between starts new": {append(append(goods(1000, steady-1), at(1190, Failed)), goods(1200, steady)...), 201 * ms},
		"a refusal does too":              {append([]sample{at(1000, Refused)}, goods(1010, steady)...), 11 * ms},
	} {
		if got := healthyAfter(trial{samples: c.samples, back: 1000 * ms}); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	times := []time.Duration{4, 1, Never, 3, 2}
	for q, want := range map[float64]time.Duration{0: 1, 0.2: 1, 0.5: 3, 0.8: 4, 0.99: Never, 1: Never} {
		if got := quantile(times, q); got != want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: %v, want 0", got)
	}
}

// Calls before the fault are left out, those in it make the goodput, those after
// it the parts; and rounds are added up.
func TestFiguresOf(t *testing.T) {
	t.Parallel()
	watched := at(1100, Failed)
	watched.watched = true
	one := trial{
		samples: append([]sample{at(0, Failed), at(1000, OK), watched, at(1500, Refused), at(2000, Refused)}, goods(2001, steady)...),
		down:    1000 * ms, back: 2000 * ms, dials: 3,
	}
	two := trial{down: 0, back: 1000 * ms, dials: 1}
	got := figuresOf([]trial{one, two})
	want := Figures{
		Calls: 4 + steady, OK: 1 + steady, Failed: 1, Refused: 2,
		RefusedAfter: 1. / (1 + steady), Goodput: 0.5, Watched: 0,
		Healthy: 2 * ms, Worst: Never, P50: ms, P99: ms, Steady50: ms, Steady99: ms, Dials: 2,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if none := figuresOf([]trial{two}); none.Watched >= 0 {
		t.Errorf("without watched calls: %v, want below 0", none.Watched)
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	slow := sample{start: 0, took: 15 * ms, outcome: Failed}
	bins := timeline([]sample{slow, at(1, OK), at(8, OK), at(12, Refused), at(99, OK)}, 25*ms, 10*ms)
	if len(bins) != 3 {
		t.Fatalf("%d bins, want 3", len(bins))
	}
	want := [3]int{OK: 0, Failed: 1, Refused: 1}
	if bins[0].counts != [3]int{OK: 2} || bins[1].counts != want || bins[2].total() != 0 {
		t.Errorf("counts %v, %v, %v", bins[0].counts, bins[1].counts, bins[2].counts)
	}
	if bins[1].p50 != ms || bins[1].p99 != 15*ms {
		t.Errorf("p50 %v, p99 %v; want 1 ms, 15 ms", bins[1].p50, bins[1].p99)
	}
}
