"""Holds the router against what community.routeros knows of RouterOS: which
attributes a menu has, which of them are always there and with which default,
and which can be unset. Its table comes from verbose exports of real routers,
RouterOS 6 mostly; where a version differs, or the simulation of a menu is
meant to hold less, it is named here."""

import librouteros
from ansible_collections.community.routeros.plugins.module_utils._api_data import PATHS
from librouteros.exceptions import MultiTrapError, TrapError

import check
from check import HOST, PASSWORD, PORT, USER, VERSION, same, true

SEVEN = VERSION >= (7,)

# Menus that hold only what the bot reads of them.
REDUCED = """/interface/eoip /interface/gre /interface/pppoe-client /interface/vlan /ip/dhcp-server
    /ipv6/address""".split()

# Attributes that this version does not have yet, or no more.
OTHER_VERSION = {
    True: {
        "/ip/firewall/filter": ["routing-table"],  # 6 only
        "/ip/firewall/mangle": ["routing-table"],
        "/ip/firewall/nat": ["tls-host"],  # up to 7.15
        "/ip/route": ["route-tag", "routing-mark", "type"],
        "/system/ntp/client": ["primary-ntp", "secondary-ntp", "server-dns-names"],
    },
    False: {
        "/ip/firewall/mangle": ["routing-table"],
        "/ip/ipsec/profile": ["prf-algorithm"],
        "/ip/route": ["blackhole", "routing-table", "suppress-hw-offload"],
        "/system/ntp/client": ["mode", "servers", "vrf"],
    },
}[SEVEN]

# Menus that the bot writes, or whose rows bear on a tunnel or an account: here
# what is answered of a new row counts too. The values make a row.
ROWS = {
    "/ip/pool": {"name": "p", "ranges": "10.0.0.1"},
    "/ppp/profile": {"name": "p"},
    "/ip/ipsec/profile": {"name": "p"},
    "/ip/ipsec/proposal": {"name": "p"},
    "/ip/ipsec/peer": {"name": "p", "profile": "p"},
    "/ip/ipsec/identity": {"peer": "p"},
    "/ip/ipsec/policy": {"peer": "p", "tunnel": "yes", "src-address": "10.0.1.0/24", "dst-address": "10.0.2.0/24"},
    "/ip/firewall/nat": {"chain": "srcnat"},
    "/ip/firewall/mangle": {"chain": "forward", "action": "accept"},
    "/ip/firewall/address-list": {"list": "l", "address": "10.0.0.1"},
    "/ip/address": {"address": "10.3.3.1/24", "interface": "ether1"},
    "/interface/list": {"name": "l"},
    "/interface/list/member": {"list": "l", "interface": "ether1"},
    "/system/scheduler": {"name": "s"},
    "/system/script": {"name": "s"},
    "/user/group": {"name": "g"},
}
SETTINGS = ["/interface/l2tp-server/server", "/ip/ipsec/settings", "/ppp/aaa", "/user/aaa"]

# Defaults that 7 has changed, and attributes of some actions or methods alone.
OTHER_DEFAULT = {"/ip/ipsec/profile": ["dpd-interval", "dpd-maximum-failures"]} if SEVEN else {}
READ_ONLY = {"/ip/ipsec/mode-config": ["default"], "/ip/ipsec/policy/group": ["default"]}
SOMETIMES = {
    "/ip/firewall/nat": ["address-list", "address-list-timeout", "jump-target", "same-not-by-dst"],
    "/ip/firewall/mangle": ["jump-target"],
    "/ip/ipsec/identity": ["certificate", "eap-methods", "key", "password", "remote-certificate", "remote-key", "username"],
    "/ppp/profile": [] if SEVEN else ["use-ipv6"],
}

api = librouteros.connect(host=HOST, port=PORT, username=USER, password=PASSWORD, timeout=60)


def answer(command, **words):
    """The trap's text or nothing, and the rows."""
    try:
        return None, tuple(api(command, **words))
    except TrapError as e:
        return e.message, ()
    except MultiTrapError as e:
        return str(e), ()


def unknown(path, info):
    """The attributes that the menu's add or set does not know."""
    command = path + ("/set" if info.single_value or info.fixed_entries else "/add")
    numbers = {"numbers": "*7FFFFFFF"} if info.fixed_entries else {}
    missing = []
    for name in info.fields:
        message, made = answer(command, **{name: "\x01"}, **numbers)
        if message is not None and message.startswith("unknown parameter"):
            missing.append(name)
        for row in made:
            answer(path + "/remove", **{".id": row["ret"]})
    return sorted(missing)


def default(path, fields, row, given):
    wrong = []
    for name, info in fields.items():
        if name in given or name in OTHER_DEFAULT.get(path, ()) or name in SOMETIMES.get(path, ()) or name in OTHER_VERSION.get(path, ()):
            continue
        value = row.get(name)
        if info.default is not None and value != info.default:
            wrong.append("%s is %r, not %r" % (name, value, info.default))
        elif info.can_disable and info.default is None and value is not None:
            wrong.append("%s is %r, though unset" % (name, value))
        elif not info.can_disable and info.default is None and info.absent_value is None and value is None:
            wrong.append("%s is absent" % name)
    same(path + ": a new row", wrong, [])


for path, values in ROWS.items():
    message, made = answer(path + "/add", **values)
    same(path + ": added", message, None)
    (row,) = [r for r in answer(path + "/print")[1] if r[".id"] == made[0]["ret"]]
    default(path, PATHS[tuple(path[1:].split("/"))].fields, row, values)
for path in SETTINGS:
    default(path, PATHS[tuple(path[1:].split("/"))].fields, answer(path + "/print")[1][0], {})
seen = 0
for parts, info in sorted(PATHS.items()):
    path = "/" + "/".join(parts)
    if not info.fields or path in REDUCED:
        continue
    message, rows = answer(path + "/print")
    if message is not None:
        continue
    seen += 1
    same(path + ": unknown attributes", unknown(path, info), sorted(OTHER_VERSION.get(path, []) + READ_ONLY.get(path, [])))
true("many menus", seen >= 30, seen)
check.finish()
