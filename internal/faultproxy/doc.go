// Package faultproxy is a TCP proxy on loopback that does harm as it is told:
// it lets a request through, drops the answer and cuts the connection, so that
// a client is left with a COMMIT of which it can't know whether it was carried
// out. What is cut is between a real client and a real server.
package faultproxy
