// Package mysqlscript is a MySQL server that does as it is told: it lets drivers
// log in, hands every statement to a function of the test, and answers what that
// returns: rows, an error, a status, or the end of the connection at a chosen
// moment. It stands in for a server whose death has to fall between two packets,
// which a real one can't be made to do.
package mysqlscript
