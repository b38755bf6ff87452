// Package archtest holds the repository to its own rules: which package may
// import which, that everything exported is documented, and how long a file
// may be. It has nothing but tests.
package archtest
