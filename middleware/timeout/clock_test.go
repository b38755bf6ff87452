package timeout

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestWithinIsWhatTheClockSays compares with a reading of the time, in any order
// of deadlines, of both clocks.
func TestWithinIsWhatTheClockSays(t *testing.T) {
	t.Parallel()
	outside := &clock{base: time.Now()}
	rapid.Check(t, func(rt *rapid.T) {
		pauses := rapid.SliceOfN(durations(0, 10*time.Second), 1, 20).Draw(rt, "pauses")
		left := rapid.SliceOfN(durations(-time.Minute, time.Minute), 20, 20).Draw(rt, "left")
		limits := rapid.SliceOfN(durations(1, time.Minute), 20, 20).Draw(rt, "limits")
		wall := rapid.SliceOfN(rapid.Bool(), 20, 20).Draw(rt, "wall")
		synctest.Test(t, func(t *testing.T) {
			inside := &clock{base: time.Now()}
			for i, pause := range pauses {
				time.Sleep(pause)
				deadline := time.Now().Add(left[i])
				if wall[i] {
					deadline = deadline.Round(0)
				}
				want := time.Until(deadline) <= limits[i]
				for _, c := range []*clock{inside, outside} {
					for range 2 {
						if got := c.within(deadline, limits[i]); got != want {
							t.Fatalf("within(%v from now, %v) = %v, want %v", left[i], limits[i], got, want)
						}
					}
				}
			}
		})
	})
}

// TestWithinRemembersTheTime: what was late enough before needs no reading.
func TestWithinRemembersTheTime(t *testing.T) {
	t.Parallel()
	c := &clock{base: time.Now().Add(-time.Hour)}
	if !c.within(time.Now().Add(time.Second), 2*time.Hour) || c.seen.Load() != 0 {
		t.Errorf("a deadline that was near from the start had the time read: %v", c.seen.Load())
	}
	if c.within(time.Now().Add(time.Hour), time.Minute) || c.seen.Load() < int64(time.Hour) {
		t.Errorf("seen %v, want an hour or more", time.Duration(c.seen.Load()))
	}
	before := c.seen.Load()
	if !c.within(c.base.Add(90*time.Minute), 30*time.Minute) || c.seen.Load() != before {
		t.Error("a deadline that had become near had the time read")
	}
	if got := c.within(time.Now().Add(time.Minute), 2*time.Minute); !got {
		t.Error("a deadline within the limit is not")
	}
}

func durations(from, to time.Duration) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Int64Range(int64(from), int64(to)), func(n int64) time.Duration { return time.Duration(n) })
}
