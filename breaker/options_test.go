package breaker_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
)

// adjust returns the option that changes gobreaker's settings.
func adjust(f func(*gobreaker.Settings)) breaker.Option { return breaker.WithGobreakerSettings(f) }

func TestOptionsOutOfRangeAreErrorsThatNameThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		option breaker.Option
	}{
		{"WithFailureRate(0)", breaker.WithFailureRate(0)},
		{"WithFailureRate(1.1)", breaker.WithFailureRate(1.1)},
		{"WithFailureRate(NaN)", breaker.WithFailureRate(math.NaN())},
		{"WithMinimumRequests(0)", breaker.WithMinimumRequests(0)},
		{"WithConsecutiveFailures(-1)", breaker.WithConsecutiveFailures(-1)},
		{"WithWindow(0, 1s)", breaker.WithWindow(0, time.Second)},
		{"WithWindow(1001, 1s)", breaker.WithWindow(1001, time.Second)},
		{"WithWindow(1, 0s)", breaker.WithWindow(1, 0)},
		{"WithWindow(1, 2562047h47m16.854775807s)", breaker.WithWindow(1, math.MaxInt64)},
		{"WithSlowCalls(0s, 0.5)", breaker.WithSlowCalls(0, 0.5)},
		{"WithSlowCalls(1s, 0)", breaker.WithSlowCalls(time.Second, 0)},
		{"WithOpenTime(0s)", breaker.WithOpenTime(0)},
		{"WithJitter(nil)", breaker.WithJitter(nil)},
		{"WithProbes(0)", breaker.WithProbes(0)},
		{"WithProbes(10001)", breaker.WithProbes(10_001)},
		{"WithProbeLease(-1s)", breaker.WithProbeLease(-time.Second)},
		{"WithMaxTargets(0)", breaker.WithMaxTargets(0)},
		{"WithOnStateChange(nil)", breaker.WithOnStateChange(nil)},
		{"WithMeterProvider(nil)", breaker.WithMeterProvider(nil)},
		{"WithGobreakerSettings(nil)", adjust(nil)},
		{"Name", adjust(func(s *gobreaker.Settings) { s.Name = "x" })},
		{"IsSuccessful", adjust(func(s *gobreaker.Settings) { s.IsSuccessful = func(error) bool { return true } })},
		{"IsExcluded", adjust(func(s *gobreaker.Settings) { s.IsExcluded = func(error) bool { return true } })},
		{"MaxRequests 0", adjust(func(s *gobreaker.Settings) { s.MaxRequests = 0 })},
		{"Timeout 0s", adjust(func(s *gobreaker.Settings) { s.Timeout = 0 })},
		{"Interval 0s", adjust(func(s *gobreaker.Settings) { s.Interval = 0 })},
		{"BucketPeriod 1ns", adjust(func(s *gobreaker.Settings) { s.BucketPeriod = 1 })},
		{"BucketPeriod 2562047h47m16.854775807s", adjust(func(s *gobreaker.Settings) { s.Interval, s.BucketPeriod = math.MaxInt64, 0 })},
		{"ReadyToTrip", adjust(func(s *gobreaker.Settings) { s.ReadyToTrip = nil })},
	} {
		b, err := breaker.New(c.option)
		if b != nil || err == nil || !strings.HasPrefix(err.Error(), "breaker: With") || !strings.Contains(err.Error(), c.text) {
			t.Errorf("New returned %v, want an error with %q", err, c.text)
		}
	}
}

func TestAWrongOptionIsNotForgivenByALaterOne(t *testing.T) {
	t.Parallel()
	if _, err := breaker.New(breaker.WithProbes(0), breaker.WithProbes(1)); err == nil {
		t.Error("New forgave the first option")
	}
}

func TestNilOptionsAreSkipped(t *testing.T) {
	t.Parallel()
	if _, err := breaker.New(nil, breaker.WithProbes(1), nil); err != nil {
		t.Error(err)
	}
}

func TestGobreakersSettingsAreTakenOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var asked []gobreaker.Counts
		var changes []string
		r := newRig(t,
			adjust(func(s *gobreaker.Settings) {
				if s.Interval != 6*time.Second || s.BucketPeriod != 2*time.Second || s.MaxRequests != 3 || s.Timeout != 10*time.Second {
					t.Errorf("settings are %+v, want those of the other options", s)
				}
				s.Interval, s.BucketPeriod = 5*time.Second, 0
				s.MaxRequests, s.Timeout = 2, time.Second
				s.ReadyToTrip = func(n gobreaker.Counts) bool {
					asked = append(asked, n)
					return n.TotalFailures >= 3
				}
				s.OnStateChange = func(name string, from, to gobreaker.State) {
					changes = append(changes, name+" "+from.String()+" "+to.String())
				}
			}),
			breaker.WithWindow(3, 2*time.Second))

		r.exec(1, nil)
		r.exec(1, errDeadlock)
		r.exec(2, errRefused)
		if want := (gobreaker.Counts{Requests: 4, TotalSuccesses: 1, TotalFailures: 2, TotalExclusions: 1, ConsecutiveFailures: 2}); len(asked) != 2 || asked[1] != want {
			t.Errorf("ReadyToTrip was asked about %+v, want last %+v", asked, want)
		}
		time.Sleep(5 * time.Second) // the whole window
		r.exec(2, errRefused)
		r.want(breaker.StateClosed)
		r.exec(1, errRefused)
		r.want(breaker.StateOpen)
		r.ForceOpen(target) // not a state of gobreaker
		r.Reset(target)
		r.exec(3, errRefused)
		time.Sleep(time.Second + 1)
		r.exec(2, nil)
		r.want(breaker.StateClosed)

		db := target.String()
		want := []string{db + " closed open", db + " closed open", db + " open half-open", db + " half-open closed"}
		if !slices.Equal(changes, want) {
			t.Errorf("OnStateChange was told %v, want %v", changes, want)
		}
	})
}

func TestTheDefaultRuleCanBeAskedBySomeoneElses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithConsecutiveFailures(2), adjust(func(s *gobreaker.Settings) {
			ready := s.ReadyToTrip
			s.ReadyToTrip = func(n gobreaker.Counts) bool { return n.Requests >= 5 && ready(n) }
		}))
		r.exec(4, errRefused)
		r.want(breaker.StateClosed)
		r.exec(1, errRefused)
		r.want(breaker.StateOpen)
	})
}

func TestACircuitThatChangedMeanwhileIsNotOpened(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var r *rig
		asked := 0
		r = newRig(t, adjust(func(s *gobreaker.Settings) {
			s.ReadyToTrip = func(gobreaker.Counts) bool {
				asked++
				r.Reset(target)
				return true
			}
		}))
		query := newCall(sp.OpQuery, rows)
		_ = r.run(query)
		r.exec(1, errRefused)
		r.want(breaker.StateClosed)
		attach.Finish(query, errRefused)
		if asked != 1 {
			t.Errorf("ReadyToTrip was asked %d times, want once: the query was from before", asked)
		}
	})
}
