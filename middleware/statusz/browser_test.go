package statusz_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
)

// browser returns a Chromium without a window that works on this machine, or
// skips the test and says why.
func browser(t *testing.T) string {
	t.Helper()
	path, err := workingBrowser()
	if err != nil {
		t.Skip(err)
	}
	return path
}

var workingBrowser = sync.OnceValues(func() (path string, err error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return "", errors.New("there is no Chromium")
	}
	dir, err := os.MkdirTemp("", "statusz-browser-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, withoutWindow(dir, "--dump-dom", "about:blank")...).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("<html>")) {
		return "", fmt.Errorf("%s does not work here: %w: %s", path, err, out)
	}
	return path, nil
})

// withoutWindow returns the arguments of a browser without a window.
func withoutWindow(dir string, args ...string) []string {
	args = append([]string{
		"--headless=new", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--enable-logging=stderr", "--user-data-dir=" + dir,
	}, args...)
	if os.Geteuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...)
	}
	return args
}

// dump has a browser load the page, lets ten seconds of the page's time go by,
// and returns the document as it is then, and the browser's log.
func dump(t *testing.T, url string) (document, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := withoutWindow(t.TempDir(), "--virtual-time-budget=10000", "--dump-dom", url)
	cmd := exec.CommandContext(ctx, browser(t), args...)
	var stderr bytes.Buffer
	cmd.Stderr, cmd.WaitDelay = &stderr, time.Second
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	return string(stdout), stderr.String()
}

// TestPageRefreshesItself holds that the script does in a browser what it is
// for, under the page's own policy: it shows what happened since the page was
// loaded, with the same statements unfolded.
func TestPageRefreshesItself(t *testing.T) {
	t.Parallel()
	p := newPage(t, statusz.WithRefresh(time.Second))
	run(t, returns(unique), sp.OpExec, "INSERT INTO first VALUES ($1)", p)
	run(t, returns(unique), sp.OpExec, "INSERT INTO folded VALUES ($1)", p)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/debug/shop" {
			http.NotFound(w, r)
			return
		}
		if asked.Add(1) > 1 {
			run(t, returns(unique), sp.OpExec, "INSERT INTO later VALUES ($1)", p)
			p.ServeHTTP(w, r)
			return
		}
		// As if the reader had unfolded the first statement at once.
		answer := get(p, r.Method, "/")
		maps.Copy(w.Header(), answer.Header())
		w.Header().Del("Content-Length")
		_, _ = w.Write(bytes.Replace(answer.Body.Bytes(), []byte(`INSERT first "><summary>`), []byte(`INSERT first " open><summary>`), 1))
	}))
	defer server.Close()

	document, log := dump(t, server.URL+"/debug/shop")
	if n := asked.Load(); n < 5 {
		t.Errorf("the page asked %d times in ten seconds", n)
	}
	if !strings.Contains(document, "INSERT later") {
		t.Error("the document does not show what happened since")
	}
	if !strings.Contains(document, `INSERT first " open=""`) || strings.Contains(document, `INSERT folded " open=""`) {
		t.Error("another statement is unfolded than before")
	}
	if strings.Contains(document, `type="button" hidden`) {
		t.Error("nobody can pause the page")
	}
	if strings.Contains(log, "Content Security Policy") {
		t.Errorf("the policy forbids something:\n%s", log)
	}
}

// TestPageSaysThatItIsStale holds that a page whose service is gone can be told
// from one where nothing happens.
func TestPageSaysThatItIsStale(t *testing.T) {
	t.Parallel()
	p := newPage(t, statusz.WithRefresh(time.Second))
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		p.ServeHTTP(w, r)
	}))
	defer server.Close()
	if document, _ := dump(t, server.URL); !strings.Contains(document, `<body class="stalled">`) {
		t.Error("the page does not tell")
	}
}
