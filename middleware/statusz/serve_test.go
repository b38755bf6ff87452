package statusz_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
)

func TestOnlyReadingIsAnswered(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		w := get(p, method, "/")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
	whole, head := get(p, http.MethodGet, "/"), get(p, http.MethodHead, "/")
	if whole.Code != http.StatusOK || whole.Header().Get("Content-Length") != strconv.Itoa(whole.Body.Len()) {
		t.Errorf("GET: %d %v", whole.Code, whole.Header())
	}
	if head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %v with %d bytes", head.Code, head.Header(), head.Body.Len())
	}
}

func TestFormatIsNegotiated(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	const html, js = "text/html; charset=utf-8", "application/json"
	for _, c := range []struct{ url, accept, want string }{
		{"/", "", html},
		{"/", "text/html,application/xhtml+xml,*/*;q=0.8", html},
		{"/", "application/json", js},
		{"/", "application/json, text/plain", js},
		{"/", "text/html, application/json;q=0.5", html},
		{"/?format=json", "text/html", js},
		{"/?format=html", "application/json", html},
	} {
		w := get(p, http.MethodGet, c.url, "Accept", c.accept)
		if got := w.Header().Get("Content-Type"); got != c.want || w.Header().Get("Vary") != "Accept" {
			t.Errorf("%s with Accept %q: %s, want %s", c.url, c.accept, got, c.want)
		}
		if json.Valid(w.Body.Bytes()) != (c.want == js) {
			t.Errorf("%s with Accept %q: body %.40q", c.url, c.accept, w.Body)
		}
	}
	if body := get(p, http.MethodGet, "/?format=json").Body.String(); strings.Contains(body, "null") {
		t.Errorf("a list is null: %s", body)
	}
	if w := get(p, http.MethodGet, "/?format=xml"); w.Code != http.StatusBadRequest {
		t.Errorf("an unknown format: %d", w.Code)
	}
}

// TestPolicyAllowsThePageItself holds that a browser which obeys the policy
// applies the page's style and script, and that the page needs nothing else.
func TestPolicyAllowsThePageItself(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	run(t, opens, sp.OpQuery, "SELECT 1 FROM a", p)
	run(t, returns(unique), sp.OpExec, "INSERT INTO a VALUES (1)", p)
	w := get(p, http.MethodGet, "/")
	body, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	for _, element := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(body, -1)
		if len(found) != 1 {
			t.Fatalf("%d elements %s, want 1", len(found), element)
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("policy: %s", policy)
	}
	if found := regexp.MustCompile(`(?i)\s(style|on[a-z]+|src|srcset)=|https?:|@import|url\(`).FindString(body); found != "" {
		t.Errorf("the page has %q, which the policy forbids", found)
	}
	if strings.Contains(body, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
}

func TestPageWithoutRefreshHasNoScript(t *testing.T) {
	t.Parallel()
	if body := get(newPage(t, statusz.WithRefresh(0)), http.MethodGet, "/").Body.String(); strings.Contains(body, "<script") {
		t.Error("there is a script")
	}
	body := get(newPage(t, statusz.WithRefresh(1500*time.Millisecond)), http.MethodGet, "/").Body.String()
	if !strings.Contains(body, `data-refresh="1500"`) || !strings.Contains(body, "<script") {
		t.Error("no script, or no interval")
	}
}

// TestNothingSecretIsShown runs calls whose every part carries something that
// must not be seen.
func TestNothingSecretIsShown(t *testing.T) {
	t.Parallel()
	p := newPage(t, statusz.WithSlowThreshold(1))
	const secret = "hunter2"
	for _, text := range []string{
		"SELECT * FROM users WHERE password = '" + secret + "'",
		"SELECT * FROM users WHERE id = $1 AND password = '" + secret + "' -- " + secret,
		"/* " + secret + " */ UPDATE users SET password = $$" + secret + "$$",
		"SET password = '" + secret,
	} {
		for _, err := range []error{nil, unique, errDriver} {
			held := newCall(opens, sp.OpQuery, text)
			held.Args = attach.PlainArgs([]any{secret})
			if _, err := attach.Run(t.Context(), held, sp.NewChain(p).Then(attach.Perform)); err != nil {
				t.Fatal(err)
			}
			run(t, returns(err), sp.OpExec, text, p)
		}
	}
	s := look(t, p)
	if s.InFlight != 12 || len(s.Failures) == 0 || len(s.Slow) == 0 || s.Failures[0].Text == "" || s.Calls[0].Text == "" {
		t.Fatalf("the page is empty: %+v", s)
	}
	for _, url := range []string{"/", "/?format=json"} {
		body := get(p, http.MethodGet, url).Body.String()
		for _, hidden := range []string{secret, orders.User} {
			if strings.Contains(body, hidden) {
				t.Errorf("%s shows %q", url, hidden)
			}
		}
	}
}

func TestWithoutQueryTextShowsSummariesAlone(t *testing.T) {
	t.Parallel()
	p := newPage(t, statusz.WithoutQueryText(), statusz.WithSlowThreshold(1))
	run(t, opens, sp.OpQuery, "SELECT internal_column FROM users", p)
	run(t, returns(nil), sp.OpQuery, "SELECT internal_column FROM users", p)
	run(t, returns(unique), sp.OpQuery, "SELECT internal_column FROM users", p)
	for _, url := range []string{"/", "/?format=json"} {
		body := get(p, http.MethodGet, url).Body.String()
		if strings.Contains(body, "internal_column") || !strings.Contains(body, "SELECT users") {
			t.Errorf("%s shows a text, or no summary", url)
		}
	}
}

func TestNamesAreEscaped(t *testing.T) {
	t.Parallel()
	p := newPage(t, statusz.WithTitle(`<script>alert(1)</script>`))
	c := newCall(returns(unique), sp.OpTransaction, "")
	c.Marks.Name = `<img src=x onerror=alert(2)>`
	_, _ = attach.Run(t.Context(), c, sp.NewChain(p).Then(attach.Perform))
	run(t, returns(unique), sp.OpQuery, `SELECT * FROM "<b>users</b>"`, p)
	body := get(p, http.MethodGet, "/").Body.String()
	for _, raw := range []string{"<script>alert", "<img", "<b>users"} {
		if strings.Contains(body, raw) {
			t.Errorf("the page has %q", raw)
		}
	}
	if !strings.Contains(body, "&lt;img src=x onerror=alert(2)&gt;") {
		t.Error("the name is missing")
	}
}
