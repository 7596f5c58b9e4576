package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Error is one mistake in a file. Path names the key, "sites.hq.lan.0". Message
// says what is expected and never repeats what stands there.
type Error struct {
	File         string
	Line, Column int
	Path         string
	Message      string
}

// Error writes "vpnbot.yaml:12:5: sites.hq.lan.0: expected …".
func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	if e.Path == "" {
		return where + ": " + e.Message
	}
	return where + ": " + e.Path + ": " + e.Message
}

// Errors returns the single mistakes in an error of this package, in the order
// of the file.
func Errors(err error) []*Error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []*Error
		for _, e := range joined.Unwrap() {
			list = append(list, Errors(e)...)
		}
		return list
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return []*Error{e}
	}
	return nil
}

// join sorts list by its places and makes one error of it; nil when it is empty.
// Of several mistakes with one key the first is told: the others follow from it.
func join(list []*Error) error {
	slices.SortStableFunc(list, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	var errs []error
	for i, e := range list {
		if i > 0 && e.sameKey(list[i-1]) {
			continue
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

func (e *Error) sameKey(f *Error) bool {
	return e.Line == f.Line && e.Column == f.Column && e.Path == f.Path
}
