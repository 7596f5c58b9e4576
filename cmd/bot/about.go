package main

import (
	"fmt"
	"runtime/debug"

	"vpnbot/deploy"
)

type manifestCommand struct{}

// Run prints the manifest.
func (manifestCommand) Run(env *environment) error {
	_, err := env.stdout.Write(deploy.Manifest())
	return err
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(env *environment) error {
	_, err := fmt.Fprintln(env.stdout, "bot", version())
	return err
}

// version is that of the module, or the commit that was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
