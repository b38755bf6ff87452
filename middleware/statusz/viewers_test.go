package statusz_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
)

// view asks a server for the page and returns its size.
func view(ctx context.Context, client *http.Client, url string) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", answer.Status)
	}
	return n, err
}

// viewers returns a client that keeps a connection open for each of n viewers.
func viewers(t testing.TB, n int) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: n}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestViewersOverHTTPShareADrawing has the drawing wait until all have asked, and
// so counts what comes of requests that are there at once, without a clock.
func TestViewersOverHTTPShareADrawing(t *testing.T) {
	t.Parallel()
	const n = 200
	var drawn atomic.Int64
	var asked sync.WaitGroup
	asked.Add(n)
	p := newPage(t, statusz.WithPool("pool", func() sp.PoolStats {
		drawn.Add(1)
		asked.Wait()
		return sp.PoolStats{}
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Done()
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	client := viewers(t, n)
	var through sync.WaitGroup
	for range n {
		through.Go(func() {
			if size, err := view(t.Context(), client, server.URL); err != nil || size < 1000 {
				t.Errorf("%d bytes, %v", size, err)
			}
		})
	}
	through.Wait()
	// One, and others for those who are on their way for a quarter of a second more.
	if drawn.Load() > n/10 {
		t.Errorf("drawn %d times for %d viewers", drawn.Load(), n)
	}
}

// BenchmarkViewers has a thousand viewers load the page of a busy service over
// HTTP, each over a connection of its own.
func BenchmarkViewers(b *testing.B) {
	const n = 1000
	p := newPage(b)
	for i := range 300 {
		call := newCall(returns(nil), sp.OpExec, fmt.Sprintf("SELECT c FROM t%d WHERE id = $1", i))
		if _, err := attach.Run(b.Context(), call, sp.NewChain(p).Then(attach.Perform)); err != nil {
			b.Fatal(err)
		}
	}
	server := httptest.NewServer(p)
	b.Cleanup(server.Close)
	client := viewers(b, n)
	var left, worst atomic.Int64
	left.Store(int64(b.N))
	began := time.Now()
	var through sync.WaitGroup
	for range n {
		through.Go(func() {
			for left.Add(-1) >= 0 {
				asked := time.Now()
				if _, err := view(b.Context(), client, server.URL); err != nil {
					b.Error(err)
					return
				}
				for took := int64(time.Since(asked)); ; {
					if so := worst.Load(); took <= so || worst.CompareAndSwap(so, took) {
						break
					}
				}
			}
		})
	}
	through.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "pages/s")
	b.ReportMetric(time.Duration(worst.Load()).Seconds(), "worst-s")
}
