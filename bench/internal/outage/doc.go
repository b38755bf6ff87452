// Package outage does to a real PostgreSQL what befalls databases, while several
// ways of calling it are under the same load, and tells what their callers saw.
//
// A [Scenario] is what happens, a [Subject] is a way of calling the database;
// both are data. [Run] performs every scenario and returns a [Report] for each,
// which prints itself as a table and draws itself as a picture.
//
// Calls arrive at random at a given rate, whatever became of the ones before, as
// requests do. Each has a deadline, its caller's.
package outage
