package strangers

import (
	"os"
	"os/exec"
	"testing"
)

// npmPackages are the clients from npm. They know no !empty, which 7.18 brought:
// they drive an older router.
var npmPackages = []string{"node-routeros", "routeros-client"}

// needNode skips when Node.js or a client is missing. It returns what the scripts
// need in their environment.
func needNode(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node")
	}
	modules := os.Getenv("VPNBOT_NODE_MODULES")
	for _, p := range npmPackages {
		if _, err := os.Stat(modules + "/" + p + "/package.json"); modules == "" || err != nil {
			missing(t, "npm's "+p+" (VPNBOT_NODE_MODULES names no directory that holds it)")
		}
	}
	return []string{"NODE_PATH=" + modules}
}

// Ensure node-routeros, which has a tag for each of many commands in flight,
// finds what RouterOS would answer.
func TestNodeRouteros(t *testing.T) {
	env := needNode(t)
	simulate(t, "7.17.2").play(t, env, "node", "node_routeros.js")
}

// Ensure routeros-client, which finds rows by queries and reads back each write,
// finds what RouterOS would answer.
func TestRouterosClient(t *testing.T) {
	env := needNode(t)
	simulate(t, "7.17.2").play(t, env, "node", "routeros_client.js")
}

// Ensure a newer router sends what these clients do not know.
func TestNodeRouteros_Empty(t *testing.T) {
	env := needNode(t)
	simulate(t, "7.22.3").play(t, env, "node", "node_empty.js")
}
