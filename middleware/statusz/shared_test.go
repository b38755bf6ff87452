package statusz_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
)

// counted returns a page that counts how often it is drawn, each time for as long
// as takes says.
func counted(t *testing.T, takes time.Duration) (p *statusz.Page, drawn *atomic.Int64) {
	t.Helper()
	drawn = new(atomic.Int64)
	return newPage(t, statusz.WithPool("pool", func() sp.PoolStats {
		drawn.Add(1)
		time.Sleep(takes)
		return sp.PoolStats{}
	})), drawn
}

// TestManyViewersShareAnAnswer holds that the page is drawn four times a second at
// most, for however many, and that all of them get it.
func TestManyViewersShareAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const viewers, rounds = 1000, 4
		p, drawn := counted(t, 10*time.Millisecond)
		var wg sync.WaitGroup
		for i := range viewers {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond) // they are not in step
				for range rounds {
					if w := get(p, http.MethodGet, "/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "</html>") {
						t.Errorf("%d with %d bytes", w.Code, w.Body.Len())
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		began := time.Now()
		wg.Wait()
		if most := int64(time.Since(began)/(250*time.Millisecond)) + 1; drawn.Load() > most {
			t.Errorf("drawn %d times in %v for %d requests, want at most %d", drawn.Load(), time.Since(began), viewers*rounds, most)
		}
	})
}

func TestAnAnswerIsNotOlderThanAMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, drawn := counted(t, 0)
		ask := func() shown { return lookAgain(t, p) }
		ask()
		run(t, returns(unique), sp.OpExec, "INSERT INTO users VALUES ($1)", p)
		time.Sleep(249 * time.Millisecond)
		if s := ask(); len(s.Failures) != 0 || drawn.Load() != 1 {
			t.Errorf("before a moment was over it was drawn %d times", drawn.Load())
		}
		time.Sleep(time.Millisecond)
		if s := ask(); len(s.Failures) != 1 || drawn.Load() != 2 {
			t.Errorf("after a moment: %d failures, drawn %d times", len(s.Failures), drawn.Load())
		}
		get(p, http.MethodGet, "/") // the other format is drawn by itself
		if drawn.Load() != 3 {
			t.Errorf("drawn %d times, want 3", drawn.Load())
		}
	})
}

// stuck is a viewer that takes no byte until it is let go on.
type stuck struct {
	*httptest.ResponseRecorder
	reached, goOn chan struct{}
}

func (s stuck) Write(b []byte) (int, error) {
	close(s.reached)
	<-s.goOn
	return s.ResponseRecorder.Write(b)
}

// TestASlowViewerHoldsNobodyUp holds that no lock is held while an answer is sent:
// calls go on, and others get the same answer and later ones.
func TestASlowViewerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, drawn := counted(t, 0)
		slow := stuck{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.ServeHTTP(slow, httptest.NewRequest(http.MethodGet, "/", nil))
		}()
		<-slow.reached
		first := get(p, http.MethodGet, "/").Body.String()
		run(t, returns(unique), sp.OpExec, "INSERT INTO users VALUES ($1)", p)
		time.Sleep(time.Second)
		later := get(p, http.MethodGet, "/").Body.String()
		close(slow.goOn)
		<-done
		if drawn.Load() != 2 || slow.Body.String() != first || first == later || !strings.Contains(later, "INSERT users") {
			t.Errorf("drawn %d times; the slow one has the same as the first: %t", drawn.Load(), slow.Body.String() == first)
		}
	})
}

// TestAViewerThatLeavesWaitsForNobody has one wait for a page that is being drawn,
// and give up.
func TestAViewerThatLeavesWaitsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, _ := counted(t, time.Minute)
		go get(p, http.MethodGet, "/")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		if took := time.Since(began); took != time.Second || w.Code != http.StatusInternalServerError {
			t.Errorf("%d after %v", w.Code, took)
		}
		time.Sleep(time.Minute)
	})
}

// TestAFailedDrawingIsNotShared has a function that an option was given panic.
func TestAFailedDrawingIsNotShared(t *testing.T) {
	t.Parallel()
	broken := true
	p := newPage(t, statusz.WithLimit(func() statusz.Limit {
		if broken {
			panic("as the function likes")
		}
		return statusz.Limit{}
	}))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		get(p, http.MethodGet, "/")
	}()
	broken = false
	if w := get(p, http.MethodGet, "/"); w.Code != http.StatusOK {
		t.Errorf("the next one gets %d", w.Code)
	}
}
