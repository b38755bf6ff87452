package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
	"github.com/sessionproxy/sessionproxy/proxy/httpscope"
)

// Account is a customer's account. Its version guards against two units that
// change it at the same time.
type Account struct {
	ID      int64  `json:"id"`
	Owner   string `json:"owner"`
	Balance int64  `json:"balance"` // in cents
	Version int    `json:"version" orm:",version"`
}

// Transfer is money that went from one account to another.
type Transfer struct {
	ID       int64     `json:"id"`
	From     int64     `json:"from"     orm:"debtor,references:account.id"`
	To       int64     `json:"to"       orm:"creditor,references:account.id"`
	Amount   int64     `json:"amount"` // in cents
	At       time.Time `json:"at"       orm:",default"`
	Attempts int       `json:"attempts" orm:"-"`
}

// errRefused is the bank's own rule.
var errRefused = errors.New("the account has not that much")

// service answers requests.
type service struct{ maker *proxy.Maker }

// handler returns the routes, each request with a session of its own.
func (s *service) handler() (http.Handler, error) {
	scoped, err := httpscope.Middleware(s.maker)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /accounts", s.open)
	mux.HandleFunc("GET /accounts/{id}", s.show)
	mux.HandleFunc("POST /transfers", s.transfer)
	return scoped(mux), nil
}

// open opens an account, in the session of the request.
func (s *service) open(w http.ResponseWriter, r *http.Request) {
	var a Account
	if !read(w, r, &a) {
		return
	}
	p, err := proxy.FromContext(r.Context())
	if err == nil {
		err = errors.Join(p.Add(&a), p.Flush(r.Context()).Await(r.Context()))
	}
	answer(w, http.StatusCreated, a, err)
}

// show reads an account, in the session of the request.
func (s *service) show(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.Error(w, "the account is a number", http.StatusBadRequest)
		return
	}
	var a *Account
	p, err := proxy.FromContext(r.Context())
	if err == nil {
		a, err = proxy.GetOne[Account](r.Context(), p, id).Await(r.Context())
	}
	answer(w, http.StatusOK, a, err)
}

// transfer moves money, in a unit of work that is replayed when it meets a
// conflict: each time with a fresh session, on what the database says by then.
func (s *service) transfer(w http.ResponseWriter, r *http.Request) {
	var t Transfer
	if !read(w, r, &t) {
		return
	}
	var done Transfer
	attempts := 0
	err := s.maker.Run(r.Context(), func(ctx context.Context, session *proxy.Session) error {
		attempts++
		done = t
		debtor, err := orm.GetOne[Account](ctx, session.Session, t.From, orm.ForUpdate())
		if err != nil {
			return err
		}
		creditor, err := orm.GetOne[Account](ctx, session.Session, t.To, orm.ForUpdate())
		if err != nil {
			return err
		}
		if debtor.Balance < t.Amount {
			return errRefused
		}
		debtor.Balance -= t.Amount
		creditor.Balance += t.Amount
		return session.Add(&done)
	})
	done.Attempts = attempts
	answer(w, http.StatusCreated, done, err)
}

// read reads a request's JSON, or refuses it.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(v); err != nil {
		http.Error(w, "the body is not the JSON that is wanted", http.StatusBadRequest)
		return false
	}
	return true
}

// answer writes what came of a request. An error of the database becomes a
// status, and no text: its own is for the logs.
func answer(w http.ResponseWriter, status int, v any, err error) {
	if err != nil {
		code := statusOf(err)
		http.Error(w, http.StatusText(code), code)
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status) // commits; if that fails, the answer is another one
	_, _ = w.Write(text)  // the client may be gone
}

// statusOf says what an error means to a client.
func statusOf(err error) int {
	var open *breaker.OpenError
	var violated *integrity.Error
	switch {
	case errors.Is(err, engine.ErrNoResult):
		return http.StatusNotFound
	case errors.Is(err, errRefused), errors.As(err, &violated):
		return http.StatusConflict
	case errors.As(err, &open), errors.Is(err, fault.ErrPoolTimeout):
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
