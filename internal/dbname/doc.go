// Package dbname finds out which database a driver's connector, data source
// name or open connection means, from the one that knows: the driver. Its own
// parser reads the name, its configuration is read where it lies, and the open
// connection says which host it reached. No driver is imported for it: types
// are told by their package's path, and fields are read by reflection, while a
// handle is made and a connection is opened, never while a statement runs.
//
// What the driver does not tell stays empty. Nothing here holds or shows a
// password; see [Name.Hide] for what becomes of a driver's errors.
package dbname
