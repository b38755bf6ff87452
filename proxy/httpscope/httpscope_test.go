package httpscope_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
	"github.com/sessionproxy/sessionproxy/proxy/httpscope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(os.Exit)) }

type Visit struct {
	ID   int64
	Path string `orm:",unique"`
}

// open opens a database with a table of visits.
func open(t *testing.T) (*engine.Engine, *proxy.Maker) {
	t.Helper()
	eng, err := engine.Open(t.Context(), "sqlite:"+t.TempDir()+"/visits.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := eng.Stats().InUse; n != 0 {
			t.Errorf("%d connections are in use", n)
		}
		_ = eng.Dispose()
	})
	if err := orm.CreateAll(t.Context(), eng, (*Visit)(nil)); err != nil {
		t.Fatal(err)
	}
	m, err := proxy.NewMaker(eng)
	if err != nil {
		t.Fatal(err)
	}
	return eng, m
}

// visit adds a visit to the request's session.
func visit(r *http.Request) error {
	p, err := proxy.FromContext(r.Context())
	if err != nil {
		return err
	}
	return p.Add(&Visit{Path: r.URL.Path})
}

func serve(t *testing.T, m *proxy.Maker, h http.HandlerFunc, path string, opts ...httpscope.Option) *httptest.ResponseRecorder {
	t.Helper()
	mw, err := httpscope.Middleware(m, opts...)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	mw(h).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	return w
}

func visits(t *testing.T, eng *engine.Engine) int {
	t.Helper()
	n, _, err := engine.Scalar[int](t.Context(), eng, engine.Text("SELECT count(*) FROM visit"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheStatusDecides(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]httpscope.Option{"blocking": nil, "awaited": {httpscope.WithAsync()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eng, m := open(t)
			want := 0
			for status, kept := range map[int]bool{0: true, 200: true, 201: true, 302: true, 404: true, 500: false, 503: false} {
				res := serve(t, m, func(w http.ResponseWriter, r *http.Request) {
					if err := visit(r); err != nil {
						t.Error(err)
					}
					if status != 0 {
						w.WriteHeader(status)
						_, _ = io.WriteString(w, "body")
					}
				}, fmt.Sprint("/", status), opts...)
				if got := res.Code; got != max(status, 200) && status != 0 {
					t.Errorf("status %d became %d", status, got)
				}
				if kept {
					want++
				}
			}
			if n := visits(t, eng); n != want {
				t.Errorf("%d visits, want %d", n, want)
			}
		})
	}
}

func TestAPanicRollsBack(t *testing.T) {
	t.Parallel()
	eng, m := open(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		serve(t, m, func(_ http.ResponseWriter, r *http.Request) {
			p, _ := proxy.FromContext(r.Context())
			_ = p.Add(&Visit{Path: "/"})
			_ = p.Flush(r.Context()).Await(r.Context())
			panic("in the middle")
		}, "/")
	}()
	if n := visits(t, eng); n != 0 {
		t.Errorf("%d visits", n)
	}
}

func TestACommitThatFailsAnswersInPlaceOfTheHandler(t *testing.T) {
	t.Parallel()
	eng, m := open(t)
	var reported, seen error
	twice := func(w http.ResponseWriter, r *http.Request) {
		if err := visit(r); err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Visit", "yes")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "created")
	}
	report := httpscope.WithReport(func(_ *http.Request, err error) { reported = err })
	if res := serve(t, m, twice, "/", report); res.Code != http.StatusCreated || reported != nil {
		t.Fatal(res.Code, reported)
	}
	refuse := httpscope.WithErrorHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = httpscope.CommitError(r.Context())
		http.Error(w, "no", http.StatusConflict)
	}))
	res := serve(t, m, twice, "/", report, refuse)
	body := res.Body.String()
	if res.Code != http.StatusConflict || body != "no\n" || res.Header().Get("X-Visit") != "" {
		t.Errorf("%d %q %v", res.Code, body, res.Header())
	}
	if seen == nil || !errors.Is(reported, seen) {
		t.Errorf("seen %v, reported %v", seen, reported)
	}
	if res := serve(t, m, twice, "/"); res.Code != http.StatusInternalServerError {
		t.Error(res.Code)
	}
	if n := visits(t, eng); n != 1 {
		t.Errorf("%d visits", n)
	}
}

func TestWhatComesAfterTheAnswerIsRolledBack(t *testing.T) {
	t.Parallel()
	eng, m := open(t)
	serve(t, m, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints) // is none yet
		_ = visit(r)
		_, _ = io.WriteString(w, "answer")
		p, _ := proxy.FromContext(r.Context())
		_ = p.Add(&Visit{Path: "/late"})
		_ = p.Flush(r.Context()).Await(r.Context())
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	}, "/early")
	if n := visits(t, eng); n != 1 {
		t.Errorf("%d visits", n)
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	_, m := open(t)
	for name, o := range map[string]httpscope.Option{"handler": httpscope.WithErrorHandler(nil), "report": httpscope.WithReport(nil)} {
		if _, err := httpscope.Middleware(m, o); err == nil {
			t.Errorf("%s: nil was taken", name)
		}
	}
	if _, err := httpscope.Middleware(nil); err == nil {
		t.Error("no maker was taken")
	}
}

func ExampleMiddleware() {
	ctx := context.Background()
	eng, err := engine.Open(ctx, "sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer eng.Dispose()
	maker, err := proxy.NewMaker(eng)
	if err != nil {
		fmt.Println(err)
		return
	}
	scoped, err := httpscope.Middleware(maker)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := orm.CreateAll(ctx, eng, (*Visit)(nil)); err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /visits", func(w http.ResponseWriter, r *http.Request) {
		p, err := proxy.FromContext(r.Context()) // the request's own session
		if err == nil {
			err = p.Add(&Visit{Path: r.FormValue("path")})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError) // rolls back
			return
		}
		w.WriteHeader(http.StatusCreated) // commits
	})
	w := httptest.NewRecorder()
	scoped(mux).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/visits?path=/home", http.NoBody))
	n, _, err := engine.Scalar[int](ctx, eng, engine.Text("SELECT count(*) FROM visit"))
	fmt.Println(w.Code, n, err)
	// Output: 201 1 <nil>
}

func TestPriorityAndShareOfARequest(t *testing.T) {
	t.Parallel()
	_, m := open(t)
	middleware, err := httpscope.Middleware(m,
		httpscope.WithPriority(func(r *http.Request) sessionproxy.Priority {
			if r.URL.Path == "/report" {
				return sessionproxy.PriorityLow
			}
			return sessionproxy.PriorityHigh
		}),
		httpscope.WithShare(func(r *http.Request) string { return r.Header.Get("Tenant") }))
	if err != nil {
		t.Fatal(err)
	}
	var marks sessionproxy.Marks
	h := middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { marks = sessionproxy.MarksFrom(r.Context()) }))
	for path, want := range map[string]sessionproxy.Priority{"/report": sessionproxy.PriorityLow, "/": sessionproxy.PriorityHigh} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		r.Header.Set("Tenant", "a")
		if h.ServeHTTP(httptest.NewRecorder(), r); marks.Priority != want || marks.Share != "a" {
			t.Errorf("%s: %+v", path, marks)
		}
	}
	for _, o := range []httpscope.Option{httpscope.WithPriority(nil), httpscope.WithShare(nil)} {
		if _, err := httpscope.Middleware(m, o); err == nil {
			t.Error("no error for a nil function")
		}
	}
}

// What a handler answers to a flush that failed stands; an answer that says all
// is well does not.
func TestTheAnswerToAFailureStands(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]httpscope.Option{"blocking": nil, "awaited": {httpscope.WithAsync()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eng, m := open(t)
			if res := serve(t, m, func(_ http.ResponseWriter, r *http.Request) {
				if err := visit(r); err != nil {
					t.Error(err)
				}
			}, "/twice", opts...); res.Code != http.StatusOK {
				t.Fatal(res.Code)
			}
			for given, want := range map[int]int{http.StatusConflict: http.StatusConflict, http.StatusOK: http.StatusInternalServerError} {
				var reported error
				res := serve(t, m, func(w http.ResponseWriter, r *http.Request) {
					p, err := proxy.FromContext(r.Context())
					if err != nil {
						t.Fatal(err)
					}
					if err := visit(r); err != nil {
						t.Fatal(err)
					}
					if p.Flush(r.Context()).Await(r.Context()) == nil {
						t.Error("two of a path")
					}
					w.Header().Set("X-Why", "twice")
					w.WriteHeader(given)
					fmt.Fprint(w, "taken")
				}, "/twice", append(opts, httpscope.WithReport(func(_ *http.Request, err error) { reported = err }))...)
				if res.Code != want || (want == http.StatusConflict) != (res.Body.String() == "taken" && res.Header().Get("X-Why") == "twice" && reported == nil) {
					t.Errorf("%d became %d %q, reported: %v", given, res.Code, res.Body, reported)
				}
			}
			if n := visits(t, eng); n != 1 {
				t.Errorf("%d visits", n)
			}
		})
	}
}
