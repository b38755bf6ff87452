package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(os.Exit)) }

// collector notes which of its routes were used.
type collector struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[r.URL.Path] += int(n)
	w.WriteHeader(http.StatusOK)
}

func TestTheServiceUnderLoad(t *testing.T) {
	c := &collector{seen: map[string]int{}}
	server := httptest.NewServer(c)
	defer server.Close()
	var out bytes.Buffer
	err := run(t.Context(), config{
		url: "sqlite:" + t.TempDir() + "/bank.db", listen: "127.0.0.1:0", otlp: server.URL, load: time.Second, clients: 8,
	}, &out)
	if err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		`GET  /accounts/\{id\} +[1-9]\d* +\S+s +\S+s`, `POST /transfers +[1-9]\d* `, `requests per second, by status: \d+ × 200 \d+ × 201`,
		`spans +[1-9]\d{2,}`, `database +\d+ × .* INSERT "transfer"`, `database +\d+ × .* COMMIT`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if strings.Contains(text, "× 5") {
		t.Error("requests failed")
	}
	if t.Failed() {
		t.Log(text)
	}
	if c.seen["/v1/traces"] == 0 || c.seen["/v1/metrics"] == 0 {
		t.Errorf("the collector has received %v", c.seen)
	}
}

// started starts a service, which ends with the test, and returns its address.
func started(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, config{url: "sqlite:" + dir + "/bank.db", listen: "127.0.0.1:0"}, w)
		w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	out := bufio.NewReader(r)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	return strings.TrimSpace(strings.TrimPrefix(line, "serving on "))
}

func TestWhatTheRoutesRefuse(t *testing.T) {
	ctx, address := t.Context(), started(t)
	client := &http.Client{}
	var a, b Account
	for _, req := range []struct {
		method, path string
		body, out    any
		want         int
	}{
		{"POST", "/accounts", Account{Owner: "ann", Balance: 100}, &a, http.StatusCreated},
		{"POST", "/accounts", Account{Owner: "bob"}, &b, http.StatusCreated},
		{"GET", "/accounts/1", nil, nil, http.StatusOK},
		{"GET", "/accounts/99", nil, nil, http.StatusNotFound},
		{"GET", "/accounts/x", nil, nil, http.StatusBadRequest},
		{"POST", "/transfers", "no object", nil, http.StatusBadRequest},
		{"POST", "/transfers", Transfer{From: 1, To: 2, Amount: 60}, nil, http.StatusCreated},
		{"POST", "/transfers", Transfer{From: 1, To: 2, Amount: 60}, nil, http.StatusConflict},
		{"POST", "/transfers", Transfer{From: 1, To: 99, Amount: 1}, nil, http.StatusNotFound},
	} {
		status, err := send(ctx, client, req.method, address+req.path, req.body, req.out)
		if err != nil || status != req.want {
			t.Errorf("%s %s: status %d, want %d, error %v", req.method, req.path, status, req.want, err)
		}
	}
	if _, err := send(ctx, client, "GET", address+"/accounts/1", nil, &a); err != nil || a.Balance != 40 || a.Version != 2 {
		t.Errorf("%+v, error %v", a, err)
	}
	client.CloseIdleConnections()
}

// TestTheLivePage asks a service that serves for its page.
func TestTheLivePage(t *testing.T) {
	status, page := fetch(t, started(t)+"/debug/db")
	if status != http.StatusOK || !strings.Contains(page, "<title>bank") || !strings.Contains(page, "CREATE TABLE") {
		t.Errorf("status %d, page %s", status, page)
	}
}

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
