// Package script interprets the part of RouterOS's scripting language that the
// product's guards and cut-over scripts need, on a simulated router.
//
// It knows
//
//	:local :if :foreach :do on-error :delay :log :error :len :parse
//
// the menu commands add, set, remove, enable, disable, find and get, the
// comparisons = != < > <= >=, and, or, not (also && || !), the joining of texts
// with ".", strings with their escapes, lists from find, and comments. Anything
// else stops the script where it stands, as a script that RouterOS cannot read
// stops at that line, with what came before it done (MikroTik's manual,
// Scripting; observed on hardware by others for statements after a syntax
// error).
//
// A script is read one statement at a time, just before the statement runs.
// Parse reads the whole of it and runs nothing, which is what :parse is for.
package script
