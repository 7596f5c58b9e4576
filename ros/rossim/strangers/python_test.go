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

// Ensure the simulated menus have the attributes and the defaults that Ansible's
// collection knows of real routers. It is of 2023: later versions differ.
func TestCollection(t *testing.T) {
	needPython(t, "librouteros", "ansible_collections.community.routeros.plugins.module_utils._api_data")
	for _, version := range versions[:2] {
		t.Run(version, func(t *testing.T) {
			simulate(t, version).play(t, nil, python, "collection_client.py")
		})
	}
}
