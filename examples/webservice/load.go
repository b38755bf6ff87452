package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// accounts is how many accounts the load opens.
const accounts = 50

// sample is how long a request took, and what came of it.
type sample struct {
	route  string
	status int
	took   time.Duration
}

// drive opens accounts and has clients read them and move money between them,
// for a while; then it prints how long that took.
func drive(ctx context.Context, w io.Writer, address string, length time.Duration, clients int) error {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var ids []int64
	for i := range accounts {
		var a Account
		if s, err := send(ctx, client, "POST", address+"/accounts", Account{Owner: fmt.Sprint("client ", i), Balance: 1_000_00}, &a); err != nil || s != http.StatusCreated {
			return fmt.Errorf("webservice: open an account: status %d: %w", s, err)
		}
		ids = append(ids, a.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var mu sync.Mutex
	var all []sample
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				s, err := request(ctx, client, address, ids)
				if err == nil {
					mu.Lock()
					all = append(all, s)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	_, err := io.WriteString(w, report(all, length))
	return err
}

// request reads an account, or moves money between two.
func request(ctx context.Context, client *http.Client, address string, ids []int64) (s sample, err error) {
	from, to := ids[rand.IntN(len(ids))], ids[rand.IntN(len(ids))]
	start := time.Now()
	if rand.IntN(2) == 0 || from == to {
		s.route = "GET  /accounts/{id}"
		s.status, err = send(ctx, client, "GET", fmt.Sprint(address, "/accounts/", from), nil, nil)
	} else {
		s.route = "POST /transfers"
		s.status, err = send(ctx, client, "POST", address+"/transfers", Transfer{From: from, To: to, Amount: 1 + rand.Int64N(500)}, nil)
	}
	s.took = time.Since(start)
	return s, err
}

// send makes a request and reads its answer into out, if that is given.
func send(ctx context.Context, client *http.Client, method, url string, body, out any) (int, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(res.Body)
	if err == nil && out != nil && res.StatusCode < 300 {
		err = json.Unmarshal(answer, out)
	}
	return res.StatusCode, err
}

// report shows percentiles of the latency by route, and the statuses.
func report(all []sample, length time.Duration) string {
	w := new(strings.Builder)
	routes := map[string][]time.Duration{}
	statuses := map[int]int{}
	for _, s := range all {
		routes[s.route] = append(routes[s.route], s.took)
		statuses[s.status]++
	}
	fmt.Fprintf(w, "%-20s %8s %9s %9s %9s %9s\n", "route", "requests", "p50", "p90", "p99", "max")
	for _, route := range []string{"GET  /accounts/{id}", "POST /transfers"} {
		took := routes[route]
		if len(took) == 0 {
			continue
		}
		slices.Sort(took)
		at := func(p float64) string {
			return took[min(len(took)-1, int(p*float64(len(took))))].Round(10 * time.Microsecond).String()
		}
		fmt.Fprintf(w, "%-20s %8d %9s %9s %9s %9s\n", route, len(took), at(0.5), at(0.9), at(0.99), at(1))
	}
	fmt.Fprintf(w, "%.0f requests per second, by status:", float64(len(all))/length.Seconds())
	codes := make([]int, 0, len(statuses))
	for code := range statuses {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, code := range codes {
		fmt.Fprintf(w, " %d × %d", statuses[code], code)
	}
	w.WriteByte('\n')
	return w.String()
}
