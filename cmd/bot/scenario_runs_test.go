//go:build !nodemo && !race

package main

// raceRuns is how often a contest is played.
const raceRuns = 200
