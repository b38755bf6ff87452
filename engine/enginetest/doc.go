// Package enginetest is the contract that every dialect of package engine
// keeps, as tests that each of them runs on its database:
//
//	func TestContract(t *testing.T) {
//		enginetest.Run(t, enginetest.Database{URL: func(t testing.TB) string { … }})
//	}
package enginetest
