package script

import (
	"strconv"
	"strings"
	"time"
)

// Value is text, int64, bool, time.Duration, []Value, or nil for nothing.
type Value any

// text is a value as RouterOS writes it.
func text(v Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case time.Duration:
		return v.String()
	case []Value:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = text(e)
		}
		return strings.Join(parts, ";")
	}
	return ""
}

// length is what :len says: of a list its elements, of anything else its text.
func length(v Value) int64 {
	if l, ok := v.([]Value); ok {
		return int64(len(l))
	}
	return int64(len(text(v)))
}

// truth reads a condition. Text is true or false only as the words for it.
func truth(v Value) (bool, bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		switch v {
		case "true", "yes":
			return true, true
		case "false", "no", "":
			return false, true
		}
	case nil:
		return false, true
	}
	return false, false
}

// equal compares as RouterOS does: numbers as numbers, yes and true as one.
func equal(a, b Value) bool {
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			return x == y
		}
	}
	return word(text(a)) == word(text(b))
}

// word gives the two spellings of a truth value one.
func word(s string) string {
	switch s {
	case "yes":
		return "true"
	case "no":
		return "false"
	}
	return s
}

func number(v Value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case time.Duration:
		return int64(v), true
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n, true
		}
		if d, ok := duration(v); ok {
			return int64(d), true
		}
	}
	return 0, false
}

// units are those of RouterOS's times, such as 1d2h3m4s.
var units = map[byte]time.Duration{'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}

// duration reads a time with units.
func duration(s string) (time.Duration, bool) {
	var total time.Duration
	for s != "" {
		i := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		if i == 0 || i == len(s) {
			return 0, false
		}
		n, err := strconv.ParseInt(s[:i], 10, 32)
		if err != nil {
			return 0, false
		}
		if strings.HasPrefix(s[i:], "ms") {
			total, s = total+time.Duration(n)*time.Millisecond, s[i+2:]
			continue
		}
		unit, ok := units[s[i]]
		if !ok {
			return 0, false
		}
		total, s = total+time.Duration(n)*unit, s[i+1:]
	}
	return total, true
}
