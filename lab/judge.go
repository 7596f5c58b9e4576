package lab

import (
	"slices"
	"strings"

	"vpnbot/ros/schema"
)

// cannotDecrypt is what a responder logs when the initiator's key in IKEv1 is
// not its own.
const cannotDecrypt = "could not decrypt payloads"

// sign is a text in a daemon's log, with a star for what varies, and what it
// means; attr is empty when other lines name the attribute.
type sign struct {
	text  string
	stage schema.Stage
	code  string
	attr  string
}

// answererSigns and callerSigns are looked for in this order, the responder's
// first: it is the one who judges, and the initiator mostly hears a refusal.
func answererSigns() []sign {
	return []sign{
		{"no IKE config found", schema.StagePeer, schema.FaultNoPeer, "address"},
		{"but none allows", schema.StagePeer, schema.FaultExchange, "exchange-mode"},
		{cannotDecrypt, schema.StageAuth, schema.FaultKey, "secret"},
		{"no shared key found", schema.StageAuth, schema.FaultNoIdentity, "secret"},
		{"but MAC mismatched", schema.StageAuth, schema.FaultKey, "secret"},
		{"no peer config found", schema.StageAuth, schema.FaultID, "remote-id"},
		{"no matching peer config found", schema.StageAuth, schema.FaultID, "remote-id"},
		{"no matching proposal found", schema.StagePhase2, schema.FaultProposal, ""},
		{"no acceptable proposal found", schema.StagePhase2, schema.FaultProposal, ""},
		{"no matching CHILD_SA config found", schema.StagePhase2, schema.FaultSelectors, "dst-address"},
		{"no acceptable traffic selectors found", schema.StagePhase2, schema.FaultSelectors, "dst-address"},
		{"traffic selectors*unacceptable", schema.StagePhase2, schema.FaultSelectors, "dst-address"},
		{"unable to apply received KE value", schema.StagePhase1, schema.FaultProposal, "dh-group"},
		{"no proposal found", schema.StagePhase1, schema.FaultProposal, ""},
		{"received proposals unacceptable", schema.StagePhase1, schema.FaultProposal, ""},
	}
}

func callerSigns() []sign {
	return []sign{
		{"calculated HASH does not match", schema.StageAuth, schema.FaultKey, "secret"},
		{"but MAC mismatched", schema.StageAuth, schema.FaultKey, "secret"},
		{"no shared key found", schema.StageAuth, schema.FaultNoIdentity, "secret"},
		{"does not match to", schema.StageAuth, schema.FaultID, "my-id"},
		{"constraint check failed", schema.StageAuth, schema.FaultID, "my-id"},
		{"giving up after", schema.StageReach, schema.FaultElsewhere, "address"},
	}
}

// diagnose reads the first fault from what both daemons logged. It is false when
// the logs say nothing that it knows.
func diagnose(caller, answerer []string) (schema.Fault, bool) {
	for _, side := range []struct {
		lines []string
		signs []sign
	}{{answerer, answererSigns()}, {caller, callerSigns()}} {
		for _, s := range side.signs {
			if !logged(side.lines, s.text) {
				continue
			}
			f := schema.Fault{Stage: s.stage, Code: s.code, Attr: s.attr}
			if f.Attr == "" {
				f.Attr = lacking(side.lines, s.stage)
				if f.Attr == "pfs-group" {
					f.Code = schema.FaultPFS
				}
			}
			return f, true
		}
	}
	return schema.Fault{}, false
}

func logged(lines []string, text string) bool {
	first, rest, _ := strings.Cut(text, "*")
	return slices.ContainsFunc(lines, func(line string) bool {
		_, after, ok := strings.Cut(line, first)
		return ok && strings.Contains(after, rest)
	})
}

// lacking is the attribute whose algorithm found no match.
func lacking(lines []string, stage schema.Stage) string {
	attrs := []string{"ENCRYPTION_ALGORITHM", "enc-algorithm", "INTEGRITY_ALGORITHM", "hash-algorithm", "PSEUDO_RANDOM_FUNCTION", "prf-algorithm", "KEY_EXCHANGE_METHOD", "dh-group"}
	if stage == schema.StagePhase2 {
		attrs = []string{"ENCRYPTION_ALGORITHM", "enc-algorithms", "INTEGRITY_ALGORITHM", "auth-algorithms", "KEY_EXCHANGE_METHOD", "pfs-group"}
	}
	for pair := range slices.Chunk(attrs, 2) {
		if logged(lines, "no acceptable "+pair[0]) {
			return pair[1]
		}
	}
	return ""
}

// cipherName is RouterOS's name of the cipher of an SA.
func cipherName(sa message, phase2 bool) string {
	size, suffix := sa.text("encr-keysize"), ""
	alg := sa.text("encr-alg")
	switch {
	case alg == "3DES_CBC":
		return "3des"
	case strings.HasPrefix(alg, "CHACHA20"):
		return "chacha20poly1305"
	case !strings.HasPrefix(alg, "AES_"):
		return alg
	}
	if phase2 {
		suffix = "-" + strings.ToLower(strings.Split(alg, "_")[1])
	}
	return "aes-" + size + suffix
}

// hashName is RouterOS's name of HMAC_SHA2_256_128.
func hashName(alg string) string {
	alg = strings.ToLower(strings.TrimPrefix(alg, "HMAC_"))
	if rest, ok := strings.CutPrefix(alg, "sha2_"); ok {
		alg = "sha" + rest
	}
	name, _, _ := strings.Cut(alg, "_")
	return name
}

// groupName is RouterOS's name of MODP_2048; none when there is no group.
func groupName(alg string) string {
	if alg == "" {
		return "none"
	}
	name := strings.ToLower(strings.ReplaceAll(alg, "_", ""))
	return nameOf(groups, name)
}
