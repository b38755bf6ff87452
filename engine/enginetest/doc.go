// Package enginetest holds the contract of package engine's dialects, as tests
// that each dialect runs on its database:
//
//	func TestContract(t *testing.T) {
//		enginetest.Run(t, enginetest.Database{URL: func(t testing.TB) string { … }})
//	}
package enginetest
