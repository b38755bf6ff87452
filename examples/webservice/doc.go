// Command webservice is a small bank behind HTTP: sessions of requests, units
// of work that are replayed, a breaker, spans and metrics.
//
//	go run ./webservice                                   # serves on 127.0.0.1:8080, on SQLite
//	go run ./webservice -load 5s                          # serves, drives itself and prints latencies
//	go run ./webservice -url postgres://… -load 5s
//	go run ./webservice -otlp http://localhost:4318       # sends spans and metrics to a collector
//
// It has these routes:
//
//	POST /accounts      {"owner": "ann", "balance": 10000}
//	GET  /accounts/{id}
//	POST /transfers     {"from": 1, "to": 2, "amount": 250}
//	GET  /debug/db      the live page of its pipeline
//
// The first two use the session of the request, which is committed if the
// answer's status is below 500. A transfer is a unit of work of its own, which
// the retry replays as a whole when it meets a conflict.
package main
