package schema

// ipsecMenus are the menus under /ip/ipsec, configuration and state.
var ipsecMenus = []Menu{
	{
		Path: "/ip/ipsec/active-peers", Comment: true, Key: []string{"remote-address", "local-address"},
		Attrs: []Attr{
			{Name: "id", Kind: Text, ReadOnly: true},
			{Name: "local-address", Kind: Address, ReadOnly: true},
			{Name: "remote-address", Kind: Address, ReadOnly: true},
			{Name: "port", Kind: Number, ReadOnly: true},
			{Name: "state", Kind: Enum, ReadOnly: true, Volatile: true},
			{Name: "side", Kind: Enum, ReadOnly: true, Values: []string{"initiator", "responder"}},
			{Name: "responder", Kind: Bool, ReadOnly: true},
			{Name: "natt-peer", Kind: Bool, ReadOnly: true},
			{Name: "dynamic-address", Kind: Address, ReadOnly: true},
			{Name: "uptime", Kind: Duration, ReadOnly: true, Volatile: true},
			{Name: "last-seen", Kind: Duration, ReadOnly: true, Volatile: true},
			{Name: "ph2-total", Kind: Number, ReadOnly: true, Volatile: true},
			{Name: "spii", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "spir", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "rx-bytes", Kind: Number, ReadOnly: true, Volatile: true},
			{Name: "rx-packets", Kind: Number, ReadOnly: true, Volatile: true},
			{Name: "tx-bytes", Kind: Number, ReadOnly: true, Volatile: true},
			{Name: "tx-packets", Kind: Number, ReadOnly: true, Volatile: true},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ip/ipsec/identity", Comment: true, Key: []string{"peer", "remote-id"},
		Attrs: []Attr{
			{Name: "peer", Kind: Text},
			{Name: "auth-method", Kind: Enum, Default: "pre-shared-key", Values: []string{
				"digital-signature", "eap", "eap-radius", "pre-shared-key", "pre-shared-key-xauth", "rsa-key", "rsa-signature-hybrid",
			}},
			{Name: "secret", Kind: Text, Secret: true},
			{Name: "password", Kind: Text, Secret: true},
			{Name: "my-id", Kind: Text},
			{Name: "remote-id", Kind: Text},
			{Name: "match-by", Kind: Enum},
			{Name: "generate-policy", Kind: Enum, Default: "no", Values: []string{"no", "port-override", "port-strict"}},
			{Name: "policy-template-group", Kind: Text},
			{Name: "mode-config", Kind: Text},
			{Name: "notrack-chain", Kind: Text},
			{Name: "certificate", Kind: Text},
			{Name: "remote-certificate", Kind: Text},
			{Name: "dynamic", Kind: Bool, ReadOnly: true},
			{Name: ".about", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ip/ipsec/installed-sa", Key: []string{"spi", "src-address", "dst-address"},
		Attrs: []Attr{
			{Name: "spi", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "src-address", Kind: Text, ReadOnly: true}, // with ":port" under NAT-T
			{Name: "dst-address", Kind: Text, ReadOnly: true},
			{Name: "state", Kind: Enum, ReadOnly: true, Volatile: true, Values: []string{"larval", "mature", "dying", "dead"}},
			{Name: "auth-algorithm", Kind: Text, ReadOnly: true},
			{Name: "enc-algorithm", Kind: Text, ReadOnly: true},
			{Name: "enc-key-size", Kind: Number, ReadOnly: true},
			{Name: "auth-key", Kind: Text, ReadOnly: true, Secret: true},
			{Name: "enc-key", Kind: Text, ReadOnly: true, Secret: true},
			{Name: "add-lifetime", Kind: Text, ReadOnly: true, Volatile: true}, // soft/hard
			{Name: "addtime", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "expires-in", Kind: Duration, ReadOnly: true, Volatile: true},
			{Name: "current-bytes", Kind: Number, ReadOnly: true, Volatile: true},
			{Name: "current-packets", Kind: Number, ReadOnly: true, Volatile: true},
			{Name: "seen-traffic", Kind: Bool, ReadOnly: true, Volatile: true},
			{Name: "replay", Kind: Number, ReadOnly: true},
			{Name: "ESP", Kind: Bool, ReadOnly: true},
			{Name: "AH", Kind: Bool, ReadOnly: true},
			{Name: "hw-aead", Kind: Bool, ReadOnly: true},
		},
	},
	{
		Path: "/ip/ipsec/mode-config", Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "responder", Kind: Bool, Default: "true"},
			{Name: "address", Kind: Address},
			{Name: "address-pool", Kind: Text},
			{Name: "use-responder-dns", Kind: Enum},
			{Name: "default", Kind: Bool, ReadOnly: true},
		},
	},
	{
		Path: "/ip/ipsec/peer", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "address", Kind: Prefix}, // or a DNS name
			{Name: "local-address", Kind: Address},
			{Name: "port", Kind: Number},
			{Name: "profile", Kind: Text, Default: "default"},
			{Name: "exchange-mode", Kind: Enum, Default: "main", Values: []string{"aggressive", "base", "ike2", "main"}},
			{Name: "passive", Kind: Bool},
			{Name: "send-initial-contact", Kind: Bool, Default: "true"},
			{Name: "ppk-secret", Kind: Text, Secret: true},
			{Name: "current-address", Kind: Address, ReadOnly: true, Volatile: true},
			{Name: "responder", Kind: Bool, ReadOnly: true},
			{Name: "dynamic", Kind: Bool, ReadOnly: true},
			{Name: ".about", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ip/ipsec/policy", Comment: true, Ordered: true, Key: []string{"peer", "src-address", "dst-address"},
		Attrs: []Attr{
			{Name: "peer", Kind: List},
			{Name: "tunnel", Kind: Bool, Default: "false"},
			{Name: "src-address", Kind: Prefix, Default: "::/0"},
			{Name: "src-port", Kind: Text, Default: "any"},
			{Name: "dst-address", Kind: Prefix, Default: "::/0"},
			{Name: "dst-port", Kind: Text, Default: "any"},
			{Name: "protocol", Kind: Text, Default: "all"},
			{Name: "action", Kind: Enum, Default: "encrypt", Values: []string{"discard", "encrypt", "none"}},
			{Name: "level", Kind: Enum, Default: "require", Values: []string{"require", "unique", "use"}},
			{Name: "ipsec-protocols", Kind: Enum, Default: "esp", Values: []string{"ah", "esp"}},
			{Name: "proposal", Kind: Text, Default: "default"},
			{Name: "template", Kind: Bool},
			{Name: "group", Kind: Text},
			{Name: "sa-src-address", Kind: Address, ReadOnly: true}, // since 6.44 they follow the peer
			{Name: "sa-dst-address", Kind: Address, ReadOnly: true},
			{Name: "ph2-count", Kind: Number, ReadOnly: true, Volatile: true},
			{Name: "ph2-state", Kind: Enum, ReadOnly: true, Volatile: true},
			{Name: "active", Kind: Bool, ReadOnly: true, Volatile: true},
			{Name: "invalid", Kind: Bool, ReadOnly: true},
			{Name: "dynamic", Kind: Bool, ReadOnly: true},
			{Name: "default", Kind: Bool, ReadOnly: true},
			{Name: ".about", Kind: Text, ReadOnly: true, Volatile: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ip/ipsec/policy/group", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "default", Kind: Bool, ReadOnly: true},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ip/ipsec/profile", Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "hash-algorithm", Kind: Enum, Default: "sha1", Values: []string{"md5", "sha1", "sha256", "sha384", "sha512"}},
			{Name: "prf-algorithm", Kind: Enum, Default: "auto"},
			{Name: "enc-algorithm", Kind: Set, Default: "aes-128,3des", Values: []string{"aes-256", "aes-192", "aes-128", "3des", "des"}},
			{Name: "dh-group", Kind: Set, Default: "modp2048,modp1024", Values: []string{
				"x25519", "ecp256", "ecp384", "ecp521", "modp8192", "modp6144", "modp4096", "modp3072", "modp2048", "modp1536",
				"modp1024", "modp768",
			}},
			{Name: "lifetime", Kind: Duration, Default: "1d"},
			{Name: "lifebytes", Kind: Number},
			{Name: "proposal-check", Kind: Enum, Default: "obey", Values: []string{"claim", "exact", "obey", "strict"}},
			{Name: "nat-traversal", Kind: Bool, Default: "true"},
			{Name: "dpd-interval", Kind: Duration, Default: "8s"}, // or disable-dpd
			{Name: "dpd-maximum-failures", Kind: Number, Default: "4"},
			{Name: "ppk", Kind: Enum, Default: "no"},
			{Name: "default", Kind: Bool, ReadOnly: true},
		},
	},
	{
		Path: "/ip/ipsec/proposal", Comment: true, Key: []string{"name"},
		Attrs: []Attr{
			{Name: "name", Kind: Text},
			{Name: "auth-algorithms", Kind: Set, Default: "sha1", Values: []string{"sha512", "sha256", "sha1", "md5", "null"}},
			{Name: "enc-algorithms", Kind: Set, Default: "aes-256-cbc,aes-192-cbc,aes-128-cbc", Values: []string{
				"chacha20poly1305", "aes-256-cbc", "aes-256-ctr", "aes-256-gcm", "camellia-256", "aes-192-cbc", "aes-192-ctr",
				"aes-192-gcm", "camellia-192", "aes-128-cbc", "aes-128-ctr", "aes-128-gcm", "camellia-128", "3des", "blowfish",
				"twofish", "des", "null",
			}},
			{Name: "lifetime", Kind: Duration, Default: "30m"},
			{Name: "pfs-group", Kind: Enum, Default: "modp1024", Values: []string{
				"ecp256", "ecp384", "ecp521", "modp1024", "modp1536", "modp2048", "modp3072", "modp4096", "modp6144", "modp768",
				"modp8192", "none",
			}},
			{Name: "default", Kind: Bool, ReadOnly: true},
			{Name: "disabled", Kind: Bool, Default: "false"},
			{Name: "comment", Kind: Text},
		},
	},
	{
		Path: "/ip/ipsec/settings", Singleton: true,
		Attrs: []Attr{
			{Name: "accounting", Kind: Bool, Default: "true"},
			{Name: "interim-update", Kind: Duration, Default: "0s"},
			{Name: "xauth-use-radius", Kind: Bool, Default: "false"},
		},
	},
	{Path: "/ip/ipsec/statistics", Singleton: true, Attrs: counters(
		"in-buffer-errors", "in-errors", "in-header-errors", "in-no-policies", "in-no-states", "in-policy-blocked",
		"in-policy-errors", "in-state-expired", "in-state-invalid", "in-state-mismatches", "in-state-mode-errors",
		"in-state-protocol-errors", "in-state-sequence-errors", "in-template-mismatches", "out-bundle-check-errors",
		"out-bundle-errors", "out-errors", "out-no-states", "out-policy-blocked", "out-policy-dead", "out-policy-errors",
		"out-state-expired", "out-state-mode-errors", "out-state-protocol-errors", "out-state-sequence-errors",
	)},
}

// counters are attributes that only grow.
func counters(names ...string) []Attr {
	var attrs []Attr
	for _, name := range names {
		attrs = append(attrs, Attr{Name: name, Kind: Number, ReadOnly: true, Volatile: true})
	}
	return attrs
}
