// Package pagetest drives the Slack stand-in's page in Debian's Chromium, for
// tests, as somebody without a mouse would: Tab, Enter, arrows and typing.
//
// Environment: with VPNBOT_BROWSER=required a missing browser fails a test that
// would otherwise skip, and so does a missing axe-core; AXE_CORE_PATH names a
// copy of axe.min.js, without which nothing is said about accessibility;
// VPNBOT_SCREENSHOTS names a directory for what Shot takes.
package pagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A busy machine starts a browser in half a minute. These end tests that wait
// for what never comes.
const (
	wholeLimit = 5 * time.Minute
	untilLimit = time.Minute
)

// Size is the size of a window.
type Size struct {
	Name          string
	Width, Height int64
	Dark          bool // the reader prefers dark pages
}

// Page is one page in one browser.
type Page struct {
	t    *testing.T
	ctx  context.Context
	size Size
}

// Sizes are a laptop's window and a phone's.
func Sizes() []Size {
	return []Size{{Name: "wide", Width: 1280, Height: 800}, {Name: "narrow", Width: 390, Height: 844}}
}

// Open opens the page at url and waits until it shows its workspace. The test
// skips when there is no Chromium.
func Open(t *testing.T, url string, size Size) *Page {
	t.Helper()
	required := os.Getenv("VPNBOT_BROWSER") == "required"
	path, err := exec.LookPath("chromium")
	if err != nil {
		if required {
			t.Fatal("VPNBOT_BROWSER=required, and there is no chromium on PATH")
		}
		t.Skip("no chromium on PATH: this test needs a browser")
	}
	if required && os.Getenv("AXE_CORE_PATH") == "" {
		t.Fatal("VPNBOT_BROWSER=required, and AXE_CORE_PATH names no axe.min.js")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(wholeLimit), chromedp.UserDataDir(t.TempDir()))
	alloc, cancelAlloc := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancelAlloc)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(size.Width, size.Height), size.scheme, chromedp.Navigate(url)); err != nil {
		t.Fatalf("opening the page: %v", err)
	}
	limited, cancelLimit := context.WithTimeout(ctx, wholeLimit)
	t.Cleanup(cancelLimit)
	p := &Page{t: t, ctx: limited, size: size}
	p.Until(`document.getElementById("app").dataset.ready === "true"`)
	return p
}

// scheme makes the browser prefer light or dark pages.
func (s Size) scheme(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
	m := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "light"}
	if s.Dark {
		m.Value = "dark"
	}
	_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{m}})
	return chromedp.Void{}, err
}

// Narrow reports whether the list of people and channels is in a drawer.
func (p *Page) Narrow() bool { return p.size.Width <= 820 }

// Keys presses keys.
func (p *Page) Keys(s string) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(s)); err != nil {
		p.t.Fatalf("pressing %q: %v", s, err)
	}
}

// Text evaluates JavaScript that yields a string.
func (p *Page) Text(js string) string {
	p.t.Helper()
	s, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](js))
	if err != nil {
		p.t.Fatalf("evaluating %s: %v", js, err)
	}
	return s
}

// Until waits until JavaScript holds.
func (p *Page) Until(js string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, untilLimit)
	defer cancel()
	// chromedp's Poll needs eval, which the page's policy forbids.
	poll := "new Promise(ok => { const look = () => (" + js + ") ? ok(true) : requestAnimationFrame(look); look(); })"
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](poll, chromedp.EvalAwaitPromise)); err != nil {
		p.Shot("failed")
		p.t.Fatalf("waiting for %s: %v; the page:\n%s", js, err, p.Text(`document.body.innerText`))
	}
}

// Says waits until the page shows a text.
func (p *Page) Says(text string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`document.body.innerText.includes(%s)`, quote(text)))
}

// quote writes a string for JavaScript.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // strings can always be written
	}
	return string(b)
}

// TabTo goes to the first element that matches a CSS selector by the Tab key
// alone.
func (p *Page) TabTo(selector string) {
	p.t.Helper()
	for range 120 {
		if p.at(selector) {
			return
		}
		p.Keys(kb.Tab)
	}
	p.t.Fatalf("Tab does not reach %s; the focus is on %s", selector, p.Text(`document.activeElement.outerHTML.slice(0, 200)`))
}

func (p *Page) at(selector string) bool {
	p.t.Helper()
	ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("document.activeElement.matches("+quote(selector)+")"))
	if err != nil {
		p.t.Fatalf("asking for the focus: %v", err)
	}
	return ok
}

// Press goes to an element and presses Enter on it.
func (p *Page) Press(selector string) {
	p.t.Helper()
	p.Until("document.querySelector(" + quote(selector) + ")")
	p.TabTo(selector)
	p.Keys(kb.Enter)
}

// Choose takes somebody or something from the list of people and channels,
// which a narrow page has in a drawer.
func (p *Page) Choose(selector string) {
	p.t.Helper()
	if p.Narrow() {
		p.Press("#menu")
		p.Until(`document.body.classList.contains("drawer") && document.activeElement.dataset.person`)
	}
	p.Press(selector)
	p.Until("document.querySelector(" + quote(selector) + ")?.hasAttribute('aria-current') && document.activeElement.id === 'composer'")
}

// Fits fails when the page would scroll sideways.
func (p *Page) Fits(where string) {
	p.t.Helper()
	if got := p.Text(`String(document.documentElement.scrollWidth - innerWidth)`); got != "0" && !strings.HasPrefix(got, "-") {
		p.t.Errorf("%s: the page is %s pixels too wide", where, got)
	}
}

// Axe fails on what axe-core calls serious or critical.
func (p *Page) Axe(where string) {
	p.t.Helper()
	path := os.Getenv("AXE_CORE_PATH")
	if path == "" {
		return
	}
	src, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	run := string(src) + `;axe.run().then(r => JSON.stringify(r.violations.map(v => v.impact + " " + v.id + ": " + v.nodes.map(n => n.html.slice(0, 160) + " :: " + n.failureSummary).join(" | "))))`
	ctx, cancel := context.WithTimeout(p.ctx, untilLimit)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("running axe: %v", err)
	}
	var faults []string
	if err := json.Unmarshal([]byte(out), &faults); err != nil {
		p.t.Fatal(err)
	}
	for _, f := range faults {
		if strings.HasPrefix(f, "serious") || strings.HasPrefix(f, "critical") {
			p.t.Errorf("%s: %s", where, f)
		} else {
			p.t.Logf("%s: %s", where, f)
		}
	}
}

// Shot keeps a picture of the page where VPNBOT_SCREENSHOTS says.
func (p *Page) Shot(name string) {
	p.t.Helper()
	dir := os.Getenv("VPNBOT_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		file := strings.NewReplacer("/", "-", " ", "-").Replace(p.t.Name() + "-" + name + ".png")
		err = os.WriteFile(filepath.Join(dir, file), png, 0o600)
	}
	if err != nil {
		p.t.Log("taking a picture:", err)
	}
}

// Look does all that can be done about one state of the page: it must fit, axe
// must be content, and a picture is kept.
func (p *Page) Look(name string) {
	p.t.Helper()
	p.Fits(name)
	p.Axe(name)
	p.Shot(name)
}
