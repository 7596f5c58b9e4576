package strangers

import "testing"

// Ensure librouteros finds what RouterOS would answer, over TLS and in the clear.
func TestLibrouteros(t *testing.T) {
	needPython(t, "librouteros")
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			simulate(t, version).play(t, nil, python, "librouteros_client.py")
		})
	}
}

// Ensure a client that knows only the description of the protocol finds the
// simulator to keep to it, in what no library sends too.
func TestWire(t *testing.T) {
	needPython(t)
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			simulate(t, version).play(t, nil, python, "wire_client.py")
		})
	}
}
