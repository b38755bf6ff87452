// Package spantree prints the spans of a program as a tree, for examples that
// show a trace without a server to send it to.
//
//	spans := spantree.New()
//	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
//	…
//	err := spans.Print(os.Stdout)
//
// A line is a span: its name under that of its parent, when it began and how
// long it took, as text and as a bar, and a mark if it failed. Lines with a dot
// are its events.
//
//	checkout              0.00 ms    8.00 ms  ████████████████████████
//	├─ INSERT orders      1.00 ms    1.00 ms  ···███··················
//	└─ transaction        2.00 ms    6.00 ms  ······██████████████████
//	   └─ • retry         4.00 ms  attempt=1
package spantree
