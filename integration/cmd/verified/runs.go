package main

import "strconv"

// bounded ends a package's tests, on other versions, that hang: on two quiet
// cores each of these parts takes some ten minutes in all.
const bounded = "-timeout=20m"

// summed makes a row of a table of a run of tests: its name, what is said of it,
// and how its tests ended. What tests told themselves is left out.
func summed(name string, says map[string]string, events []event) []event {
	passed, failed := 0, 0
	var out []event
	for _, e := range events {
		switch e.Action {
		case "pass":
			passed++
		case "fail":
			failed++
		case "skip":
		default:
			continue
		}
		out = append(out, e)
	}
	tell := func(key, value string) {
		out = append(out, event{Action: "attr", Test: "run/" + name, Key: key, Value: value})
	}
	tell("name", name)
	tell("passed", strconv.Itoa(passed))
	tell("failed", strconv.Itoa(failed))
	for key, value := range says {
		tell(key, value)
	}
	return out
}
