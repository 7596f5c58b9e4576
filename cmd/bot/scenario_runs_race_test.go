//go:build !nodemo && race

package main

const (
	// raceRuns is how often a contest is played: the race detector, with which a
	// run takes five times as long, has seen all that it can see in a few.
	raceRuns     = 40
	raceDetector = true
)
