// Package faultproxy is a TCP proxy on loopback that does harm as it is told:
// it lets a request through, drops the answer and cuts the connection, so that
// a client is left with a COMMIT of which it can't know whether it was carried
// out. What is cut is between a real client and a real server.
//
// A rule is about the next request that holds a text and is then used up.
// Requests are found by their bytes, in any case of letters, so that the proxy
// knows no protocol; TLS hides them from it.
package faultproxy
