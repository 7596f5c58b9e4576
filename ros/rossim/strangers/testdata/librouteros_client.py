"""Drives a router with librouteros as its documentation shows."""

import librouteros
from librouteros.exceptions import FatalError, MultiTrapError, TrapError
from librouteros.query import And, Key, Or

import check
from check import HOST, PASSWORD, PORT, TLS_PORT, USER, VERSION, VERSION_TEXT, has, keys, matches, same, true

ID = r"\*[1-9A-F][0-9A-F]*"


def connect(**more):
    more = {"port": PORT, "username": USER, "password": PASSWORD, "timeout": 30, **more}
    return librouteros.connect(host=HOST, **more)


def refused(what, call, message, category="any"):
    """The call ends in one trap with this message (a pattern) and category."""
    try:
        got = call()
        if not isinstance(got, (str, type(None))):
            got = tuple(got)
        true(what, False, "no error but %r" % (got,))
    except TrapError as e:
        matches(what, e.message, message)
        if category != "any":
            same(what + ": category", e.category, category)
    except MultiTrapError as e:
        true(what, False, "several traps: %s" % e)


def one(path, **want):
    """The only row whose attributes are so."""
    rows = [r for r in path if all(r.get(k.replace("_", "-").lstrip("-")) == v for k, v in want.items())]
    true("%s has one row %r" % (path, want), len(rows) == 1, "but %d" % len(rows))
    return rows[0] if rows else {}


def by_id(path, id_):
    rows = [r for r in path if r[".id"] == id_]
    true("%s has %s once" % (path, id_), len(rows) == 1, "but %d times" % len(rows))
    return rows[0] if rows else {}


def login():
    # Read from a real router: no category, then !done.
    text = r"invalid user name or password \(6\)"
    refused("wrong password", lambda: connect(password="not " + PASSWORD), text, None)
    refused("wrong name", lambda: connect(username="nobody"), text, None)
    refused("no password", lambda: connect(password=""), text, None)
    api = connect(port=TLS_PORT, ssl_wrapper=check.trusting().wrap_socket)
    same("resource over TLS", len(tuple(api.path("system", "resource"))), 1)
    api.close()


def system(api):
    (resource,) = api.path("system", "resource")
    same("version", resource["version"], VERSION_TEXT + " (stable)")
    same("platform", resource["platform"], "MikroTik")
    matches("uptime", str(resource["uptime"]), r"(\d+[wdhms])+")
    true("no .id of a settings menu", ".id" not in resource, resource)
    (identity,) = api.path("system", "identity")
    api.path("system", "identity").update(name="a router")
    (identity,) = api.path("system", "identity")
    same("identity", identity, {"name": "a router"})


def accounts(api):
    """The account verbs, which every version has."""
    pools = api.path("ip", "pool")
    same("no pool yet", tuple(pools), ())
    pool = pools.add(name="clients", ranges="10.10.50.10-10.10.50.50")
    matches("id", pool, ID)
    has("pool", by_id(pools, pool), name="clients", ranges="10.10.50.10-10.10.50.50")
    profiles = api.path("ppp", "profile")
    has("profile *0", one(profiles, name="default"), **{".id": "*0"})
    has("profile *FFFFFFFE", one(profiles, name="default-encryption"), **{".id": "*FFFFFFFE", "use_encryption": True})
    profile = profiles.add(name="l2tp", **{"local-address": "10.10.50.1", "remote-address": "clients"})
    has("ppp profile", by_id(profiles, profile), name="l2tp", local_address="10.10.50.1", remote_address="clients",
        use_compression="default", use_encryption="default", only_one="default", use_upnp="default", bridge_learning="default", rate_limit=None, dns_server=None, session_timeout=None)
    if VERSION >= (7,):  # read from a real router
        keys("ppp profile", by_id(profiles, profile), ".id address-list bridge-learning change-tcp-mss default local-address name on-down on-up only-one "
             "remote-address use-compression use-encryption use-ipv6 use-mpls use-upnp")
        same("ppp profile: default", by_id(profiles, profile)["default"], False)
    secrets = api.path("ppp", "secret")
    first = secrets.add(name="user1", password="pw", service="l2tp", profile="l2tp")
    row = by_id(secrets, first)
    has("secret", row, name="user1", service="l2tp", profile="l2tp", caller_id="", routes="", limit_bytes_in=0, limit_bytes_out=0, disabled=False)
    second = secrets.add(name="user2", password="pw")
    true("ids differ", first != second)
    if VERSION >= (7,):  # read from a real router; what a secret that was never used has of last-* differs
        keys("secret", {k: v for k, v in by_id(secrets, second).items() if not k.startswith("last-")},
             ".id caller-id disabled ipv6-routes limit-bytes-in limit-bytes-out name password profile routes service")
    has("secret with defaults", by_id(secrets, second), service="any", profile="default", disabled=False, comment=None)
    # Read from a real router.
    refused("duplicate", lambda: secrets.add(name="user1", password="x"), "failure: secret with the same name already exists")
    refused("unknown profile", lambda: secrets.add(name="user3", profile="nosuch"), "input does not match any value of profile", 1)
    refused("unknown service", lambda: secrets.add(name="user3", service="nosuch"), "input does not match any value of service", 1)
    same("refused ones leave nothing", sorted(r["name"] for r in secrets), ["user1", "user2"])
    secrets.update(**{".id": first + "," + second, "comment": "both"})
    same("several ids at once", [r.get("comment") for r in secrets], ["both", "both"])
    secrets.update(**{".id": "user1", "caller-id": "192.0.2.44"})
    has("by name", by_id(secrets, first), caller_id="192.0.2.44")
    tuple(secrets("disable", **{".id": first}))
    has("disabled", by_id(secrets, first), disabled=True)
    tuple(secrets("enable", numbers=first))
    has("enabled", by_id(secrets, first), disabled=False)
    tuple(secrets("comment", numbers=second, comment="other"))
    has("comment", by_id(secrets, second), comment="other")
    secrets.update(**{".id": second, "comment": ""})
    has("empty comment", by_id(secrets, second), comment=None)
    selected(secrets)
    removed(secrets, first, second)
    refused("default cannot be removed", lambda: profiles.remove("*0"), "failure: .*")
    same("both defaults still there", sorted(r["name"] for r in profiles), ["default", "default-encryption", "l2tp"])


def selected(secrets):
    """Queries: .proplist and the stack."""
    name, comment, disabled = Key("name"), Key("comment"), Key("disabled")
    find = lambda *where: [r["name"] for r in secrets.select(name).where(*where)]
    same("only name", list(secrets.select(name)), [{"name": "user1"}, {"name": "user2"}])
    same("equal", find(name == "user2"), ["user2"])
    same("unequal", find(name != "user2"), ["user1"])
    same("two are both", find(name == "user1", disabled == False), ["user1"])
    same("a yes or no is a boolean", find(disabled == True), [])
    same("and", find(And(name == "user1", disabled == False)), ["user1"])
    same("or", find(Or(name == "user1", name == "user2")), ["user1", "user2"])
    same("in", find(name.In("user2", "user3")), ["user2"])
    same("less", find(name < "user2"), ["user1"])
    same("more", find(name > "user1"), ["user2"])
    same("nothing", find(name == "nobody"), [])
    has_it = [r["name"] for r in secrets.api.rawCmd("/ppp/secret/print", "?comment")]
    has_not = [r["name"] for r in secrets.api.rawCmd("/ppp/secret/print", "?-comment")]
    same("has it", has_it, ["user1"])
    same("has it not", has_not, ["user2"])
    same("count", tuple(secrets("print", **{"count-only": ""})), ({"ret": 2},))
    same("a proplist's missing attribute is left out", list(secrets.select(Key("name"), Key("nosuch"))), [{"name": "user1"}, {"name": "user2"}])


def removed(secrets, first, second):
    secrets.remove(first)
    same("one left", [r[".id"] for r in secrets], [second])
    refused("removed twice", lambda: secrets.remove(first), r"no such item( \(4\))?", 0)
    refused("set of none", lambda: secrets.update(**{".id": first, "comment": "x"}), r"no such item( \(4\))?", 0)
    third = secrets.add(name="user3")
    true("an id is not used again", third not in (first, second), third)
    secrets.remove(second, third)
    same("none left", tuple(secrets), ())


def errors(api):
    refused("unknown menu", lambda: api("/nosuch/menu/print"), "no such command prefix|no such command or directory \\(.*\\)")
    refused("unknown command", lambda: api("/ip/pool/frobnicate"), "no such command|no such command or directory \\(.*\\)")
    refused("unknown attribute", lambda: api.path("ip", "pool").add(name="x", ranges="10.0.0.1", frob="1"), "unknown parameter( frob)?", None)
    refused("missing attributes", lambda: api.path("ip", "pool").add(), r"missing value\(s\) of argument\(s\) name ranges", None)
    refused("missing attribute", lambda: api.path("ip", "pool").add(name="x"), r"missing value\(s\) of argument\(s\) ranges", None)
    refused("bad address", lambda: api.path("ip", "pool").add(name="x", ranges="10.0.0.300"), "(invalid value (for argument|of) ranges|value of range.*)", 1)
    refused("attribute of a print", lambda: api("/ip/pool/print", frob="1"), "unknown parameter( frob)?", None)
    same("the connection lives on", [r["name"] for r in api.path("ip", "pool")], ["clients"])


def words(api):
    """Words over the lengths at which their encoding grows."""
    secrets = api.path("ppp", "secret")
    id_ = secrets.add(name="long")
    for size in (1, 127 - 9, 128 - 9, 256, 16383 - 9, 16384 - 9, 40000):
        secrets.update(**{".id": id_, "comment": "x" * size})
        same("a comment of %d" % size, len(by_id(secrets, id_)["comment"]) if size > 1 else 1, size)
    secrets.remove(id_)


def ipsec(api):
    profiles = api.path("ip", "ipsec", "profile")
    has("default profile", one(profiles, name="default"), default=True, hash_algorithm="sha1", enc_algorithm="aes-128,3des",
        dh_group="modp2048,modp1024", lifetime="1d", proposal_check="obey", nat_traversal=True, dpd_interval="8s", dpd_maximum_failures=4)
    id_ = profiles.add(name="s2s", **{"dh-group": "modp2048,ecp384", "enc-algorithm": "aes-128,aes-256", "lifetime": "24:00:00", "dpd-interval": "300s", "hash-algorithm": "sha256"})
    has("profile", by_id(profiles, id_), name="s2s", dh_group="ecp384,modp2048", enc_algorithm="aes-256,aes-128", lifetime="1d", dpd_interval="5m",
        dpd_maximum_failures=4, hash_algorithm="sha256", proposal_check="obey", nat_traversal=True, default=None,
        prf_algorithm="auto" if VERSION >= (7, 21) else by_id(profiles, id_).get("prf-algorithm"))
    refused("profile's unknown algorithm", lambda: profiles.update(**{".id": id_, "hash-algorithm": "md4"}), "input does not match any value of hash-algorithm", 1)
    refused("default profile stays", lambda: profiles.remove("default"), "failure: .*")
    proposals = api.path("ip", "ipsec", "proposal")
    has("default proposal", one(proposals, default=True), name="default", auth_algorithms="sha1", enc_algorithms="aes-256-cbc,aes-192-cbc,aes-128-cbc",
        lifetime="30m", pfs_group="modp1024", disabled=False)
    proposals.add(name="s2s", **{"enc-algorithms": "aes-128-cbc,aes-256-gcm,aes-256-cbc", "auth-algorithms": "sha1,sha256", "lifetime": "90m", "pfs-group": "none"})
    has("proposal", one(proposals, name="s2s"), enc_algorithms="aes-256-cbc,aes-256-gcm,aes-128-cbc", auth_algorithms="sha256,sha1", lifetime="1h30m", pfs_group="none", disabled=False, default=None)
    refused("a proposal has no x25519", lambda: proposals.add(name="x", **{"pfs-group": "x25519"}), "input does not match any value of pfs-group", 1)
    peers = api.path("ip", "ipsec", "peer")
    peer = peers.add(name="site-b", address="198.51.100.2", profile="s2s")
    keys("peer", by_id(peers, peer), ".id name address profile exchange-mode send-initial-contact disabled dynamic")
    has("peer", by_id(peers, peer), address="198.51.100.2/32", profile="s2s", exchange_mode="main", send_initial_contact=True, disabled=False, dynamic=False)
    refused("peer's unknown profile", lambda: peers.add(name="x", profile="nosuch"), "input does not match any value of profile", 1)
    identities = api.path("ip", "ipsec", "identity")
    identity = identities.add(peer="site-b", secret="psk-1")
    keys("identity", by_id(identities, identity), ".id peer auth-method generate-policy secret disabled dynamic")
    has("identity", by_id(identities, identity), peer="site-b", auth_method="pre-shared-key", generate_policy=False, disabled=False, dynamic=False)
    refused("identity's unknown peer", lambda: identities.add(peer="nosuch", secret="x"), "input does not match any value of peer", 1)
    peers.update(**{".id": peer, "name": "site-c"})
    has("a reference follows a new name", by_id(identities, identity), peer="site-c")
    policies = api.path("ip", "ipsec", "policy")
    template = tuple(policies)[0]
    has("template", template, template=True, default=True, group="default", src_address="::/0", dst_address="::/0", protocol="all", proposal="default", disabled=False, dynamic=False)
    refused("the template stays", lambda: policies.remove(template[".id"]), "failure: .*")
    policy = policies.add(peer="site-c", tunnel="yes", proposal="s2s", **{"src-address": "10.10.1.0/24", "dst-address": "10.10.2.0/24"})
    has("policy", by_id(policies, policy), peer="site-c", tunnel=True, src_address="10.10.1.0/24", dst_address="10.10.2.0/24", src_port="any", dst_port="any",
        protocol="all", action="encrypt", level="require", ipsec_protocols="esp", proposal="s2s", disabled=False, dynamic=False, invalid=False, template=None, default=None,
        sa_dst_address="198.51.100.2")
    keys("policy", by_id(policies, policy), ".id action active disabled dst-address dst-port dynamic invalid ipsec-protocols level peer ph2-count ph2-state "
         "proposal protocol sa-dst-address sa-src-address src-address src-port tunnel")
    has("nothing is up", by_id(policies, policy), active=False, ph2_count=0, ph2_state="no-phase2")
    # A peer that has no single address, and a policy that names none.
    peers.update(**{".id": peer, "passive": "yes", "!address": ""})
    keys("peer for everybody", by_id(peers, peer), ".id disabled dynamic exchange-mode name passive profile responder send-initial-contact")
    has("peer for everybody", by_id(peers, peer), passive=True, responder=True)
    everything = policies.add(peer="site-c", tunnel="yes")
    has("policy for everything", by_id(policies, everything), src_address="::/0", dst_address="::/0", sa_src_address="::", sa_dst_address="::", proposal="default")
    policies.remove(everything)
    groups = api.path("ip", "ipsec", "policy", "group")
    group = groups.add(name="roaming")
    policy_template = policies.add(template="yes", group="roaming", proposal="default", **{"src-address": "0.0.0.0/0", "dst-address": "0.0.0.0/0"})
    has("template of a group", by_id(policies, policy_template), template=True, group="roaming", src_address="0.0.0.0/0", dst_address="0.0.0.0/0", proposal="default", default=None)
    policies.remove(policy_template)
    groups.remove(group)
    refused("the default group stays", lambda: groups.remove("default"), "failure: .*")
    second = policies.add(peer="site-c", tunnel="yes", proposal="s2s", **{"src-address": "10.10.1.0/24", "dst-address": "10.10.2.0/24"})
    has("a second policy of the same selectors", by_id(policies, second), invalid=True)
    has("the first stays valid", by_id(policies, policy), invalid=False)
    policies.remove(second, policy)
    identities.remove(identity)
    peers.remove(peer)


def ordered(api):
    """Rules keep an order that place-before and move decide."""
    nat = api.path("ip", "firewall", "nat")
    comments = lambda: [r["comment"] for r in nat]
    masquerade = nat.add(chain="srcnat", action="masquerade", comment="c", **{"ipsec-policy": "out,none"})
    first = nat.add(chain="srcnat", action="accept", comment="a", **{"src-address": "10.10.1.0/24", "dst-address": "10.10.2.0/24", "place-before": masquerade})
    last = nat.add(chain="srcnat", comment="b")
    same("place-before", comments(), ["a", "c", "b"])
    keys("a rule's unset matchers are absent", by_id(nat, first), ".id chain action src-address dst-address log log-prefix bytes packets invalid dynamic disabled comment")
    has("rule", by_id(nat, first), action="accept", log=False, log_prefix="", bytes=0, packets=0, invalid=False, dynamic=False, disabled=False)
    has("rule without an action", by_id(nat, last), action="accept")
    has("a pair of words", by_id(nat, masquerade), ipsec_policy="out,none")
    tuple(nat("move", numbers=last, destination=masquerade))
    same("move before", comments(), ["a", "b", "c"])
    tuple(nat("move", numbers=first))
    same("move to the end", comments(), ["b", "c", "a"])
    tuple(nat("move", numbers=masquerade + "," + first, destination=last))
    same("move of two", comments(), ["c", "a", "b"])
    refused("move of none", lambda: nat("move", numbers="*7FFF", destination=last), r"no such item( \(4\))?", 0)
    refused("a pool has no order", lambda: api("/ip/pool/move", numbers="clients"), "no such command")
    nat.update(**{".id": first, "!src-address": ""})
    has("cleared by !", by_id(nat, first), src_address=None, dst_address="10.10.2.0/24")
    tuple(nat("unset", numbers=first, **{"value-name": "dst-address"}))
    has("cleared by unset", by_id(nat, first), dst_address=None)
    copy = nat.add(**{"copy-from": masquerade, "comment": "d"})
    has("copy", by_id(nat, copy), chain="srcnat", action="masquerade", ipsec_policy="out,none", comment="d")
    refused("no chain", lambda: nat.add(action="accept"), r"missing value\(s\) of argument\(s\) chain", None)
    refused("no such action", lambda: nat.add(chain="srcnat", action="nosuch"), "input does not match any value of action", 1)
    nat.remove(first, last, masquerade, copy)
    same("no rule left", tuple(nat), ())


def server(api):
    """A settings menu: set takes no id."""
    path = api.path("interface", "l2tp-server", "server")
    path.update(enabled="yes", authentication="mschap2", **{"default-profile": "l2tp", "use-ipsec": "required", "ipsec-secret": "a secret of many words"})
    (row,) = path
    has("server", row, enabled=True, authentication="mschap2", max_mtu=1450, max_mru=1450, mrru="disabled", keepalive_timeout=30, max_sessions="unlimited",
        default_profile="l2tp", use_ipsec="required", caller_id_type="ip-address", one_session_per_host=False, allow_fast_path=False, **{".id": None})
    peer = one(api.path("ip", "ipsec", "peer"), name="l2tp-in-server")
    has("its peer", peer, dynamic=True, passive=True, profile="default", exchange_mode="main", responder=True)
    identity = one(api.path("ip", "ipsec", "identity"), peer="l2tp-in-server")
    has("its identity", identity, dynamic=True, generate_policy="port-strict", auth_method="pre-shared-key")
    refused("a dynamic row stays", lambda: api.path("ip", "ipsec", "peer").remove(peer[".id"]), "failure: .*")
    refused("unknown word", lambda: path.update(**{"use-ipsec": "perhaps"}), "input does not match any value of use-ipsec", 1)
    path.update(enabled="no")
    same("they go with the server", [r for r in api.path("ip", "ipsec", "peer") if r["dynamic"]], [])


def quit_(api):
    try:
        tuple(api("/quit"))
        true("quit", False, "no fatal")
    except FatalError as e:
        same("quit", e.args, ("session terminated on request",))


login()
api = connect()
system(api)
accounts(api)
errors(api)
words(api)
if VERSION >= (7,):
    ipsec(api)
    ordered(api)
    server(api)
quit_(api)
check.finish()
