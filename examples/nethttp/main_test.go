package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(os.Exit)) }

func TestVisitsAreCounted(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	s, err := open(t.Context(), t.TempDir()+"/visits.db", sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.db.Close()
	routes := s.routes()
	send := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
		return w
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if w := send("POST", "/visits/home"); w.Code != http.StatusNoContent {
				t.Errorf("status %d", w.Code)
			}
		})
	}
	wg.Wait()
	if got := strings.TrimSpace(send("GET", "/visits/home").Body.String()); got != "20" {
		t.Errorf("%s visits", got)
	}
	if got := strings.TrimSpace(send("GET", "/visits/none").Body.String()); got != "0" {
		t.Errorf("%s visits of a page that nobody has seen", got)
	}
	var names []string
	for _, span := range spans.Ended() {
		names = append(names, span.Name())
	}
	for _, want := range []string{"transaction", "INSERT visits", "SELECT visits"} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no span %q", want)
		}
	}
}
