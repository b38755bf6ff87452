// Package linktest has what tests of interceptors need: operations that do what
// a test says, calls and chains to run them, a logger's handler and meters that
// keep what they get.
package linktest
