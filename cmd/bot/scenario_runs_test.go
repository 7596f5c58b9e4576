//go:build !nodemo && !race

package main

const (
	// raceRuns is how often a contest is played.
	raceRuns     = 200
	raceDetector = false
)
