package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpnbot/change/secret"
)

// Ensure a reference is read from where it says, without the editor's line break.
func TestSource_Read(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("VPNBOT_TEST_SECRET", planted)
	t.Setenv("VPNBOT_TEST_EMPTY", "")
	for source, want := range map[secret.Source]string{
		secret.Source("file:" + write("plain", planted)):             planted,
		secret.Source("file:" + write("line", planted+"\n")):         planted,
		secret.Source("file:" + write("windows", planted+"\r\n")):    planted,
		secret.Source("file:" + write("inside", "a\nb\n")):           "a\nb",
		secret.Source("file:" + write("spaces", " "+planted+"  \n")): " " + planted + "  ",
		"env:VPNBOT_TEST_SECRET":                                     planted,
		"credential:plain":                                           planted,
	} {
		if got, err := source.Read(); err != nil || got.Expose() != want {
			t.Errorf("%s: got another text, %v", source, err)
		}
	}
	for _, source := range []secret.Source{
		secret.Source("file:" + write("empty", "\n")), secret.Source("file:" + filepath.Join(dir, "none")),
		secret.Source("file:" + write("huge", strings.Repeat("x", 65<<10))), secret.Source("file:" + dir),
		"env:VPNBOT_TEST_EMPTY", "env:VPNBOT_TEST_NONE", "credential:none",
	} {
		if got, err := source.Read(); err == nil || !got.Empty() {
			t.Errorf("%s was read", source)
		}
	}
}

// Ensure a credential needs the directory that systemd gives.
func TestSource_Credential(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if err := os.Unsetenv("CREDENTIALS_DIRECTORY"); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Source("credential:x").Read(); err == nil {
		t.Error("read a credential without a directory")
	}
}

// Ensure a text of no known form is refused and never repeated: people put the
// secret itself there.
func TestSource_Validate(t *testing.T) {
	for _, source := range []secret.Source{
		"", planted, "file:", "env:", "vault:" + planted, secret.Source("credential:../" + planted), `credential:a\b`, ":" + planted,
	} {
		err := source.Validate()
		if !errors.Is(err, secret.ErrSource) || strings.Contains(err.Error(), planted) {
			t.Errorf("%q: got %v, want ErrSource", source, err)
		}
		if _, err := source.Read(); !errors.Is(err, secret.ErrSource) {
			t.Errorf("%q: reading got %v, want ErrSource", source, err)
		}
	}
}
