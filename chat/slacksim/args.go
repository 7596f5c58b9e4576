package slacksim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody is the longest request body that the stand-in reads.
const maxBody = 4 << 20

// args are the arguments of a Web API call, whichever way they were sent. In a
// form a structure is a string of JSON; in a JSON body it may be itself.
type args map[string]any

// readArgs reads query and body, and returns the body as it came.
func readArgs(r *http.Request) (args, []byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the body: %w", err)
	}
	a := args{}
	a.form(r.URL.Query())
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		if len(bytes.TrimSpace(body)) == 0 || string(bytes.TrimSpace(body)) == "null" {
			return a, body, nil
		}
		if err := json.Unmarshal(body, &a); err != nil {
			return nil, body, fail("invalid_json")
		}
	case "multipart/form-data":
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := r.ParseMultipartForm(maxBody); err != nil {
			return nil, body, fail("invalid_form_data")
		}
		a.form(url.Values(r.MultipartForm.Value))
	default:
		v, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, body, fail("invalid_form_data")
		}
		a.form(v)
	}
	return a, body, nil
}

func (a args) form(v url.Values) {
	for k, vs := range v {
		a[k] = vs[0]
	}
}

// str is a plain argument; numbers and booleans become their text.
func (a args) str(key string) string {
	switch v := a[key].(type) {
	case string:
		return v
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

func (a args) flag(key string) bool {
	b, err := strconv.ParseBool(a.str(key))
	return err == nil && b
}

// has reports whether the argument was sent and is not empty.
func (a args) has(key string) bool {
	v, ok := a[key]
	return ok && v != nil && v != ""
}

// value is an argument that may be JSON inside a string.
func (a args) value(key string) (any, error) {
	s, ok := a[key].(string)
	if !ok {
		return a[key], nil
	}
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return nil, fmt.Errorf("argument %s: %w", key, err)
	}
	return v, nil
}
