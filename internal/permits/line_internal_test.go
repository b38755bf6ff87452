package permits

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is what a line has to do, told of it step by step.
type model struct {
	line    line
	now     time.Time
	numbers map[*waiter]int
	came    int
	passed  map[*waiter]int            // permits to higher levels since w waits
	turns   map[*waiter]map[string]int // permits to other shares of its level since w is the first of its own
}

func newModel() *model {
	m := &model{numbers: map[*waiter]int{}, passed: map[*waiter]int{}, turns: map[*waiter]map[string]int{}}
	m.line.init()
	return m
}

func (m *model) push(at place) {
	w := &waiter{place: at, since: m.now}
	m.came++
	m.numbers[w] = m.came
	m.line.push(w, m.now)
}

func (m *model) forget(w *waiter) {
	delete(m.numbers, w)
	delete(m.passed, w)
	delete(m.turns, w)
}

// serve gives a permit and returns what is wrong with that.
func (m *model) serve() error {
	got := m.line.next(false)
	for w, n := range m.numbers {
		switch {
		case w == got:
			continue
		case w.place == got.place && n < m.numbers[got]:
			return fmt.Errorf("%v: %d was served before %d", w.place, m.numbers[got], n)
		case w.level > got.level:
			m.passed[w]++
		case w.level == got.level && w.share != got.share:
			if m.turns[w] == nil {
				m.turns[w] = map[string]int{}
			}
			m.turns[w][got.share]++
		}
	}
	m.line.advance(got, m.now)
	m.forget(got)
	for w := range m.numbers { // those behind got have waited for the first of their share
		if w.place == got.place {
			delete(m.turns, w)
		}
	}
	for w, served := range m.turns {
		for share, n := range served {
			if n > 1 {
				return fmt.Errorf("%v waited for %d permits to %q", w.place, n, share)
			}
		}
	}
	return nil
}

func TestTheLineKeepsItsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel()
		places := rapid.Custom(func(t *rapid.T) place {
			return place{level: rapid.IntRange(0, levels-1).Draw(t, "level"), share: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "share")}
		})
		for range rapid.IntRange(1, 150).Draw(rt, "steps") {
			switch {
			case rapid.Bool().Draw(rt, "comes"):
				m.push(places.Draw(rt, "place"))
			case m.line.length > 0:
				if err := m.serve(); err != nil {
					rt.Fatal(err)
				}
			}
			if m.line.length != len(m.numbers) {
				rt.Fatalf("%d wait, want %d", m.line.length, len(m.numbers))
			}
		}
		for m.line.length > 0 {
			if err := m.serve(); err != nil {
				rt.Fatal(err)
			}
		}
		for i := range m.line.levels {
			if v := &m.line.levels[i]; v.length != 0 || v.turns.first() != nil || len(v.own) != 0 || len(v.among) != 0 {
				rt.Fatalf("level %d is not empty: %+v", i, v)
			}
		}
	})
}

func TestALowerLevelIsNotStarved(t *testing.T) {
	t.Parallel()
	m := newModel()
	for level := range levels {
		m.push(place{level: level})
	}
	for range 500 {
		if err := m.serve(); err != nil {
			t.Fatal(err)
		}
		m.push(place{level: 0})
		for w, n := range m.passed {
			if n > patience+levels {
				t.Fatalf("level %d waits while %d permits go to higher ones", w.level, n)
			}
		}
	}
	if m.line.levels[levels-1].length != 0 {
		t.Error("the lowest still waits")
	}
}

func TestSharesWithoutAFlowHaveOneTogether(t *testing.T) {
	t.Parallel()
	m := newModel()
	const shares = maxShares + 20
	for range 3 {
		for i := range shares {
			m.push(place{level: 1, share: fmt.Sprint(i)})
		}
	}
	v := &m.line.levels[1]
	if len(v.own) != maxShares || v.rest.length != 3*20 || len(v.among) != 20 {
		t.Fatalf("%d flows, %d wait beyond, of %d shares", len(v.own), v.rest.length, len(v.among))
	}
	last := map[string]int{}
	for m.line.length > 0 {
		w := m.line.next(false)
		if n := m.numbers[w]; n < last[w.share] {
			t.Fatalf("share %s: %d after %d", w.share, n, last[w.share])
		}
		last[w.share] = m.numbers[w]
		m.line.advance(w, m.now)
		m.push(place{level: 1, share: w.share})
		if len(v.own) > maxShares {
			t.Fatalf("%d flows", len(v.own))
		}
		if m.came > 3000 {
			break
		}
	}
	for share := range shares {
		if last[fmt.Sprint(share)] == 0 {
			t.Errorf("share %d got no turn", share)
		}
	}
}

func TestWhoMakesRoom(t *testing.T) {
	t.Parallel()
	m := newModel()
	for range 3 {
		m.push(place{level: 2, share: "floods"})
	}
	m.push(place{level: 2, share: "quiet"})
	m.push(place{level: 1})
	for _, c := range []struct {
		at   place
		want int // who came as this; 0 for nobody
	}{
		{place{level: 0}, 3},
		{place{level: 1}, 3},
		{place{level: 3}, 0},
		{place{level: 2}, 3},
		{place{level: 2, share: "quiet"}, 3},
		{place{level: 2, share: "floods"}, 0},
	} {
		if got := m.numbers[m.line.victim(c.at)]; got != c.want {
			t.Errorf("%+v: %d makes room, want %d", c.at, got, c.want)
		}
	}
	for at, want := range map[place]int{{level: 0}: 0, {level: 1}: 1, {level: 2, share: "floods"}: 5, {level: 2, share: "quiet"}: 4, {level: 2}: 3, {level: 3}: 5} {
		if got := m.line.ahead(at); got != want {
			t.Errorf("%+v: %d ahead, want %d", at, got, want)
		}
	}
}
