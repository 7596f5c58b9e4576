// Package strangers holds no code but tests: they start the built "bot sim" and
// drive it with RouterOS API clients that others wrote (librouteros, Ansible's
// community.routeros, node-routeros and routeros-client, go-routeros) and with a
// client written from the protocol's description alone. What the scripts under
// testdata expect is what RouterOS does; nothing in them is taken from what the
// simulator happens to answer, and nothing in the simulator is special to them.
//
// A program that is missing skips its test with a reason. The environment says
// otherwise: with VPNBOT_STRANGERS=required it is a failure, with
// VPNBOT_STRANGERS=off every test skips. VPNBOT_NODE_MODULES names a node_modules
// directory that holds node-routeros and routeros-client.
package strangers
