package adaptivelimit_test

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
)

// server is a database in virtual time: cores that are shared by the calls at
// work, and that lose a part of their speed when there are more calls than cores.
type server struct {
	mu     sync.Mutex
	random *rand.Rand
	cores  float64
	speed  float64
	jobs   map[*job]struct{}
	moved  time.Time
	timer  *time.Timer
	done   int
}

type job struct {
	left  float64 // seconds of one core
	ready chan struct{}
}

// thrash is the part of the speed that a call for each core more costs.
const thrash = 0.05

func newServer(cores float64, seed uint64) *server {
	return &server{random: rand.New(rand.NewPCG(seed, 2)), cores: cores, speed: 1, jobs: map[*job]struct{}{}, moved: time.Now()}
}

// rate is how fast each job goes.
func (s *server) rate() float64 {
	n := float64(len(s.jobs))
	if n <= s.cores {
		return s.speed
	}
	return s.speed * s.cores / n / (1 + thrash*(n-s.cores)/s.cores)
}

// move works until now, and sets the timer for the next job that ends. The
// caller holds mu.
func (s *server) move(change func()) {
	if s.timer != nil {
		s.timer.Stop()
	}
	now := time.Now()
	work := now.Sub(s.moved).Seconds() * s.rate()
	s.moved = now
	for j := range s.jobs {
		if j.left -= work; j.left <= 1e-9 {
			delete(s.jobs, j)
			s.done++
			close(j.ready)
		}
	}
	change()
	if len(s.jobs) == 0 {
		return
	}
	least := math.Inf(1)
	for j := range s.jobs {
		least = min(least, j.left)
	}
	s.timer = time.AfterFunc(time.Duration(math.Ceil(least/s.rate()*1e9)), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.move(func() {})
	})
}

// perform does so much work on average, of one core.
func (s *server) perform() {
	j := &job{ready: make(chan struct{})}
	s.mu.Lock()
	j.left = s.random.ExpFloat64() * mean.Seconds()
	s.move(func() { s.jobs[j] = struct{}{} })
	s.mu.Unlock()
	<-j.ready
}

// set changes the server.
func (s *server) set(cores, speed float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move(func() { s.cores, s.speed = cores, speed })
}

// count returns how many calls were performed so far.
func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// crowd has so many callers call one after the other until stop is called.
func crowd(s *server, h sp.Handler, callers int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				call := linktest.NewCall(ctx, sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
					s.perform()
					return nil
				}})
				call.Text = "UPDATE accounts SET balance = 1"
				if _, err := attach.Run(ctx, call, h); err != nil {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// during returns how many calls are performed in d from now.
func (s *server) during(d time.Duration) int {
	before := s.count()
	time.Sleep(d)
	return s.count() - before
}
