//go:build nodemo

package main

// standIns is empty: a release has no stand-ins.
type standIns struct{}
