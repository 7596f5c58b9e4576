package slacksim_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is Debian's Chromium on one page.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func openBrowser(t *testing.T, url string, width, height int64, before ...chromedp.Action[chromedp.Void]) browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()))
	alloc, cancelAlloc := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancelAlloc)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	steps := append([]chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(width, height)}, before...)
	if err := chromedp.Do(ctx, append(steps, chromedp.Navigate(url))...); err != nil {
		t.Fatalf("opening the page: %v", err)
	}
	limited, cancelLimit := context.WithTimeout(ctx, 60*time.Second)
	t.Cleanup(cancelLimit)
	b := browser{t: t, ctx: limited}
	b.until(`document.getElementById("app").dataset.ready === "true"`)
	return b
}

func (b browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b browser) until(js string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 15*time.Second)
	defer cancel()
	// chromedp's Poll needs eval, which the page's policy forbids.
	poll := "new Promise(ok => { const look = () => (" + js + ") ? ok(true) : requestAnimationFrame(look); look(); })"
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](poll, chromedp.EvalAwaitPromise)); err != nil {
		b.shot(os.TempDir() + "/slacksim-failed.png")
		b.t.Fatalf("waiting for %s: %v", js, err)
	}
}

func (b browser) keys(s string) { b.t.Helper(); b.do(chromedp.KeyEvent(s)) }

func (b browser) text(js string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](js))
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b browser) shot(path string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(path, png, 0o600)
	}
	if err != nil {
		b.t.Log("screenshot:", err)
	}
}

// tabTo goes to an element by the Tab key alone, as someone without a mouse.
func (b browser) tabTo(js string) {
	b.t.Helper()
	for range 80 {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean(document.activeElement.matches("+js+"))"))
		if err != nil {
			b.t.Fatal(err)
		}
		if ok {
			return
		}
		b.keys(kb.Tab)
	}
	b.t.Fatalf("Tab does not reach %s; focus is on %s", js, b.text("document.activeElement.outerHTML.slice(0,200)"))
}
