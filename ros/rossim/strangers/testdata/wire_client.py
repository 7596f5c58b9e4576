"""Speaks the API's wire protocol over a socket, written from its description:
words with a length in front, sentences that end in an empty word, tags, /cancel,
listen, /quit. It sends what no library sends."""

import socket
import time

import check
from check import HOST, PASSWORD, PORT, TLS_PORT, USER, VERSION, matches, same, true

ENDINGS = ("!done", "!fatal")


def length(n, size=0):
    """The encoding of a length in size bytes, the shortest when 0."""
    bits = {1: 7, 2: 14, 3: 21, 4: 28, 5: 32}
    size = size or next(s for s, b in bits.items() if n < 1 << b)
    lead = {1: 0x00, 2: 0x80, 3: 0xC0, 4: 0xE0, 5: 0xF0}[size]
    if size == 5:
        return bytes([lead]) + n.to_bytes(4, "big")
    return ((lead << 8 * (size - 1)) | n).to_bytes(size, "big")


def encode(*words, size=0):
    raw = [w.encode() if isinstance(w, str) else w for w in words]
    return b"".join(length(len(w), size) + w for w in raw) + b"\0"


class Closed(Exception):
    pass


class Conn:
    def __init__(self, secure=False, login=True):
        self.sock = socket.create_connection((HOST, TLS_PORT if secure else PORT), 30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            self.sock = check.trusting().wrap_socket(self.sock)
        self.buffer = b""
        if login:
            got = self.ask("/login", "=name=" + USER, "=password=" + PASSWORD)
            same("login", got, [["!done"]])

    def send(self, *words, size=0):
        self.sock.sendall(encode(*words, size=size))

    def drip(self, data, piece):
        """Sends data in pieces, each in a packet of its own as far as TCP lets."""
        for i in range(0, len(data), piece):
            self.sock.sendall(data[i : i + piece])
            time.sleep(0.0005)

    def take(self, n):
        while len(self.buffer) < n:
            more = self.sock.recv(65536)
            if not more:
                raise Closed(self.buffer)
            self.buffer += more
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def word(self):
        first = self.take(1)[0]
        for size, lead, mask in ((1, 0x00, 0x80), (2, 0x80, 0xC0), (3, 0xC0, 0xE0), (4, 0xE0, 0xF0), (5, 0xF0, 0xFF)):
            if first & mask == lead:
                rest = self.take(size - 1)
                value = int.from_bytes(bytes([first & ~mask & 0xFF]) + rest, "big")
                least = {1: 0, 2: 1 << 7, 3: 1 << 14, 4: 1 << 21, 5: 1 << 28}[size]
                if value < least:
                    true("the shortest encoding", False, "%d in %d bytes" % (value, size))
                return self.take(value).decode()
        raise Closed("reserved byte %#x" % first)

    def sentence(self):
        words = []
        while True:
            w = self.word()
            if w == "":
                return words
            words.append(w)

    def reply(self):
        """Every sentence up to the !done, or up to a !fatal."""
        got = []
        while True:
            got.append(self.sentence())
            if got[-1][0] in ENDINGS:
                return got

    def ask(self, *words, size=0):
        self.send(*words, size=size)
        return self.reply()

    def closed(self):
        """Whether the router closes the connection and says no more."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


def row(sentence):
    """The attributes of a sentence; the tag beside them."""
    got = {}
    for w in sentence[1:]:
        if w.startswith("=") and "=" in w[1:]:
            name, value = w[1:].split("=", 1)
            got[name] = value
        elif w.startswith(".tag="):
            got[".tag"] = w[5:]
        else:
            true("a reply word", False, w)
    return got


def rows(reply):
    return [row(s) for s in reply if s[0] == "!re"]


def add(c, menu, *words):
    got = c.ask(menu + "/add", *words)
    true("add in " + menu, len(got) == 1 and got[0][0] == "!done" and len(got[0]) == 2 and got[0][1].startswith("=ret=*"), got)
    return got[0][1][5:]


def trap(what, got, message, category="any", tag=None):
    true(what + ": trap and done", [s[0] for s in got] == ["!trap", "!done"], got)
    values = row(got[0])
    matches(what, values.get("message", ""), message)
    if category != "any":
        same(what + ": category", values.get("category"), category)
    if tag:
        true(what + ": both tagged", all(".tag=" + tag in s for s in got), got)


def before_login():
    c = Conn(login=False)
    same("a command before login", c.ask("/system/identity/print"), [["!fatal", "not logged in"]])
    true("and the end", c.closed())
    c = Conn(login=False)
    trap("wrong password", c.ask("/login", "=name=" + USER, "=password=x"), r"invalid user name or password \(6\)", None)
    trap("again, tagged", c.ask("/login", "=name=" + USER, "=password=x", ".tag=a"), r"invalid user name or password \(6\)", None, "a")
    same("and then right", c.ask("/login", "=name=" + USER, "=password=" + PASSWORD, ".tag=7"), [["!done", ".tag=7"]])
    # The number and size of sentences before login are limited; how is not told.
    c = Conn(login=False)
    try:
        c.sock.sendall(encode("/login", "=name=" + "x" * (8 << 20)))
        got = c.reply()
        true("too much before login", got[-1][0] == "!fatal", got)
    except (Closed, ConnectionResetError, BrokenPipeError):
        true("too much before login", True)
    c = Conn(login=False)
    true("a name of nothing but quotes", c.ask("/login", '=name=";', "=password=")[0][0] == "!trap")


def lengths():
    """Every encoding of a length, the longer than needed ones too."""
    for size in (1, 2, 3, 4, 5):
        c = Conn(login=False)
        same("login in lengths of %d" % size, c.ask("/login", "=name=" + USER, "=password=" + PASSWORD, size=size), [["!done"]])
        got = c.ask("/system/identity/print", size=size)
        same("lengths of %d" % size, [s[0] for s in got], ["!re", "!done"])
    c = Conn()
    id_ = add(c, "/ppp/secret", "=name=long")
    for n in (0, 1, 100, 117, 118, 119, 250, 16373, 16374, 16375, 50000):
        same("set of %d" % n, c.ask("/ppp/secret/set", "=.id=" + id_, "=comment=" + "c" * n), [["!done"]])
        got = rows(c.ask("/ppp/secret/print", "?.id=" + id_, "=.proplist=comment"))
        same("word of %d" % n, len(got[0].get("comment", "")), n)
    # Read from a real router, 7.24.4.
    trap("over the limit", c.ask("/ppp/secret/set", "=.id=" + id_, "=comment=" + "c" * (1 << 21)), "failure: contents too long")
    same("unchanged", len(rows(c.ask("/ppp/secret/print", "?.id=" + id_))[0]["comment"]), 50000)
    same("removed", c.ask("/ppp/secret/remove", "=.id=" + id_), [["!done"]])
    c = Conn()
    c.sock.sendall(b"\xf8\x00")  # reserved for control
    true("a control byte ends the connection", c.closed())


def packets():
    """Sentences in any packet split, several in one packet, empty ones."""
    c = Conn(login=False)
    login = encode("/login", "=name=" + USER, "=password=" + PASSWORD)
    c.drip(login, 1)
    same("a byte at a time", c.reply(), [["!done"]])
    c.drip(encode("/ppp/secret/add", "=name=" + "n" * 40, "=comment=" + "c" * 300), 7)
    got = c.reply()
    same("seven bytes at a time", got[0][0], "!done")
    c.sock.sendall(b"\0\0" + encode("/ppp/secret/remove", "=numbers=" + "n" * 40) + b"\0" + encode("/ppp/secret/print", "=count-only="))
    same("two in a packet", [c.reply(), c.reply()], [[["!done"]], [["!done", "=ret=0"]]])


def tags():
    """Several commands in flight."""
    c = Conn()
    for i in range(20):
        c.send("/system/identity/print", ".tag=t%d" % i)
    c.send("/ip/pool/frobnicate", ".tag=bad")
    open_, seen = {"t%d" % i for i in range(20)} | {"bad"}, []
    while open_:
        s = c.sentence()
        values = row(s)
        seen.append((values.get(".tag"), s[0]))
        if s[0] == "!done":
            open_.remove(values[".tag"])
    same("each tag has its row and its end", sorted(seen), sorted([("t%d" % i, w) for i in range(20) for w in ("!re", "!done")] + [("bad", "!trap"), ("bad", "!done")]))
    got = c.ask("/system/identity/print", ".tag=a=b c")
    same("a tag is any text", [".tag=a=b c" in s for s in got], [True, True])
    got = c.ask(*("/ip/pool/print .tag=x ?name=none =.proplist=name".split()))
    true("order of words", all(".tag=x" in s for s in got), got)
    same("empty", [s[0] for s in got], ["!empty", "!done"] if VERSION >= (7, 18) else ["!done"])


def listening():
    """listen answers changes until it is cancelled, beside other commands."""
    c, other = Conn(), Conn()
    c.send("/ppp/secret/listen", ".tag=l")
    # What another command on this connection answers, listen runs before.
    same("between", c.ask("/ip/pool/print", "=count-only=", ".tag=p")[0][0], "!done")
    id_ = add(other, "/ppp/secret", "=name=heard")
    s = c.sentence()
    same("added", (s[0], row(s).get(".tag"), row(s).get(".id"), row(s).get("name")), ("!re", "l", id_, "heard"))
    other.ask("/ppp/secret/set", "=.id=" + id_, "=comment=changed")
    s = c.sentence()
    same("changed", (s[0], row(s).get("comment")), ("!re", "changed"))
    other.ask("/ppp/secret/remove", "=.id=" + id_)
    s = c.sentence()
    same("removed", (s[0], row(s).get(".id"), row(s).get(".dead") in ("true", "yes")), ("!re", id_, True))
    c.send("/cancel", "=tag=l", ".tag=c")
    got = [c.sentence() for _ in range(3)]
    same("cancel", got[0], ["!trap", "=category=2", "=message=interrupted", ".tag=l"])
    same("both end", sorted(got[1:]), [["!done", ".tag=c"], ["!done", ".tag=l"]])
    same("silent then", c.ask("/ip/pool/print", "=count-only=")[0][0], "!done")
    two = [c.send("/ip/pool/listen", ".tag=1"), c.send("/ppp/secret/listen", ".tag=2"), c.send("/cancel", ".tag=all")]
    got = [c.sentence() for _ in range(5)] if two else []
    same("cancel without a tag ends all", sorted(s[0] for s in got), ["!done", "!done", "!done", "!trap", "!trap"])
    same("the cancel among them", [s for s in got if ".tag=all" in s], [["!done", ".tag=all"]])
    same("cancel of nothing", c.ask("/cancel", "=tag=nosuch", ".tag=n")[-1], ["!done", ".tag=n"])


def running():
    """A command that runs on holds up no other, and is ended by its tag."""
    c = Conn()
    c.send("/ping", "=address=192.0.2.1", ".tag=p")
    same("beside a ping", until(c, "q", "/ip/pool/print", "=count-only=", ".tag=q"), ["!done", "=ret=0", ".tag=q"])
    c.send("/cancel", "=tag=p", ".tag=c")
    got, open_ = [], {"p", "c"}
    while open_:
        s = c.sentence()
        if s[0] != "!re":
            got.append(s)
        if s[0] == "!done":
            open_.remove(row(s)[".tag"])
    same("ping is ended", got[0], ["!trap", "=category=2", "=message=interrupted", ".tag=p"])


def scripts():
    """A script that runs holds up no other command, and is ended by its tag."""
    c = Conn()
    id_ = add(c, "/system/script", "=name=slow", "=source=:delay 10m")
    c.send("/system/script/run", "=number=slow", ".tag=s")
    same("beside a script", until(c, "q", "/ip/pool/print", "=count-only=", ".tag=q"), ["!done", "=ret=0", ".tag=q"])
    c.send("/cancel", "=tag=s", ".tag=c")
    got = [c.sentence() for _ in range(3)]
    same("a script is ended", got[0], ["!trap", "=category=2", "=message=interrupted", ".tag=s"])
    same("and both are done", sorted(got[1:]), [["!done", ".tag=c"], ["!done", ".tag=s"]])
    same("script gone", c.ask("/system/script/remove", "=.id=" + id_), [["!done"]])


def until(c, tag, *words):
    """Sends a command and returns the first sentence with its tag."""
    c.send(*words)
    while True:
        s = c.sentence()
        if ".tag=" + tag in s:
            return s


def example():
    """The manual's example of simultaneous commands, as it stands there."""
    c = Conn()
    c.send("/interface/listen", ".tag=2")
    for tag, disabled, now in (("3", "yes", "true"), ("4", "no", "false")):
        c.send("/interface/set", "=disabled=" + disabled, "=.id=ether1", ".tag=" + tag)
        got = {row(s)[".tag"]: (s[0], row(s)) for s in (c.sentence(), c.sentence())}
        same("done", got[tag][0], "!done")
        same("heard", [got["2"][0]] + [got["2"][1].get(n) for n in ("name", "type", "disabled")], ["!re", "ether1", "ether", now])
    seen = []
    c.send("/interface/getall", ".tag=5")
    while not seen or seen[-1][0] != "!done":
        s = c.sentence()
        seen.append((s[0], row(s)))
    true("getall beside it", any(v.get("name") == "ether1" for _, v in seen), seen)
    c.send("/cancel", "=tag=2", ".tag=7")
    same("cancelled", [c.sentence() for _ in range(3)], [["!trap", "=category=2", "=message=interrupted", ".tag=2"], ["!done", ".tag=7"], ["!done", ".tag=2"]])
    ether = [r["name"] for r in rows(c.ask("/interface/print", "?type=ether", "?type=vlan", "?#|"))]
    true("all ethernet and VLAN interfaces", "ether1" in ether and "lo" not in ether, ether)
    id_ = add(c, "/ip/pool", "=name=p", "=ranges=10.0.0.1")
    noted = add(c, "/ppp/secret", "=name=noted", "=comment=c")
    other = add(c, "/ppp/secret", "=name=other")
    same("all with a comment that is not empty", [r["name"] for r in rows(c.ask("/ppp/secret/print", "?>comment="))], ["noted"])
    for menu, gone in (("/ip/pool", id_), ("/ppp/secret", noted), ("/ppp/secret", other)):
        c.ask(menu + "/remove", "=.id=" + gone)


def follow():
    """print with follow answers what is there first; follow-only does not."""
    c, other = Conn(), Conn()
    id_ = add(other, "/ip/pool", "=name=there", "=ranges=10.0.0.1-10.0.0.9")
    c.send("/ip/pool/print", "=follow=", "=.proplist=.id,name", ".tag=f")
    same("what is there", c.sentence(), ["!re", "=.id=" + id_, "=name=there", ".tag=f"])
    c.send("/ip/pool/print", "=follow-only=", "=.proplist=.id,ranges", ".tag=o")
    c.ask("/system/identity/print")
    other.ask("/ip/pool/set", "=.id=" + id_, "=ranges=10.0.0.1-10.0.0.8")
    got = {row(s)[".tag"]: s for s in (c.sentence(), c.sentence())}
    same("what changes", got.get("o"), ["!re", "=.id=" + id_, "=ranges=10.0.0.1-10.0.0.8", ".tag=o"])
    true("for both", "f" in got, got)
    other.ask("/ip/pool/remove", "=.id=" + id_)


def queries():
    """The stack of a query, as the manual describes it."""
    c = Conn()
    for name, service in (("a", "l2tp"), ("b", "l2tp"), ("c", "pptp"), ("d", "any")):
        add(c, "/ppp/secret", "=name=" + name, "=service=" + service)
    find = lambda *q: "".join(r["name"] for r in rows(c.ask("/ppp/secret/print", *q)))
    same("all", find(), "abcd")
    same("what is left is anded", find("?service=l2tp", "?name=b"), "b")
    same("or", find("?service=l2tp", "?name=d", "?#|"), "abd")
    same("and, or", find("?service=l2tp", "?name=b", "?#&", "?name=d", "?#|"), "bd")
    same("not", find("?service=l2tp", "?#!"), "cd")
    same("not over or", find("?name=a", "?name=b", "?#|!"), "cd")
    same("not both", find("?name=a", "?#!", "?name=b", "?#!"), "cd")
    same("words of several operators", find("?name=a", "?name=b", "?name=c", "?#||"), "abc")
    same("less", find("?<name=c"), "ab")
    same("more", find("?>name=c"), "d")
    same("is there", find("?name"), "abcd")
    same("is not there", find("?-comment"), "abcd")
    same("by id", find("?.id=" + rows(c.ask("/ppp/secret/print", "?name=c"))[0][".id"]), "c")
    for r in rows(c.ask("/ppp/secret/print", "=.proplist=.id")):
        c.ask("/ppp/secret/remove", "=.id=" + r[".id"])


def printing():
    """What print takes and how its replies look."""
    c = Conn()
    add(c, "/ip/pool", "=name=one", "=ranges=10.0.0.1-10.0.0.9")
    (s,) = [s for s in c.ask("/ip/pool/print", "=.proplist=ranges,name") if s[0] == "!re"]
    same("a proplist", sorted(s[1:]), ["=name=one", "=ranges=10.0.0.1-10.0.0.9"])
    got = c.ask("/ip/pool/print", "=.proplist=nosuch")
    same("a proplist of nothing", [s[0] for s in got], ["!re", "!done"])
    same("an empty row", got[0], ["!re"])
    same("detail", [s[0] for s in c.ask("/ip/pool/print", "=detail=")], ["!re", "!done"])
    same("getall", [s[0] for s in c.ask("/ip/pool/getall")], ["!re", "!done"])
    same("count", c.ask("/ip/pool/print", "=count-only=", "?name=one"), [["!done", "=ret=1"]])
    same("removed by name", c.ask("/ip/pool/remove", "=numbers=one"), [["!done"]])


def errors():
    c = Conn()
    trap("unknown menu", c.ask("/nosuch/print", ".tag=e"), "no such command prefix|no such command or directory .*", tag="e")
    trap("unknown command", c.ask("/ip/pool/frob"), "no such command|no such command or directory .*")
    trap("no slash", c.ask("ip pool print"), "no such command.*")
    trap("unknown attribute", c.ask("/ip/pool/add", "=frob=1", "=name=x", "=ranges=10.0.0.1"), "unknown parameter.*", None)
    trap("missing", c.ask("/ip/pool/add", "=name=x"), r"missing value\(s\) of argument\(s\) ranges", None)
    trap("no such id", c.ask("/ip/pool/set", "=.id=*7FFF", "=name=x"), r"no such item( \(4\))?", "0")
    trap("remove without an id", c.ask("/ip/pool/remove"), r"missing value\(s\) of argument\(s\) .*")
    same("and on", c.ask("/ip/pool/print", "=count-only="), [["!done", "=ret=0"]])


def secrets():
    """A reader without the right to see secrets does not see them."""
    c = Conn()
    if VERSION < (7,):
        return
    add(c, "/user/group", "=name=few", "=policy=read,api")
    add(c, "/user", "=name=few", "=group=few", "=password=few-pw")
    add(c, "/ppp/secret", "=name=x", "=password=hidden-password")
    few = Conn(login=False)
    same("few logs in", few.ask("/login", "=name=few", "=password=few-pw"), [["!done"]])
    got = few.ask("/ppp/secret/print")
    true("no secret for few", "hidden-password" not in str(got), got)
    trap("few may not write", few.ask("/ppp/secret/remove", "=numbers=x"), r"not enough permissions \(9\)", None)
    true("few sees no user's password", "few-pw" not in str(c.ask("/user/print")))
    same("gone", c.ask("/ppp/secret/remove", "=numbers=x"), [["!done"]])
    same("user gone", c.ask("/user/remove", "=numbers=few"), [["!done"]])


def quit_():
    c = Conn()
    same("quit", c.ask("/quit"), [["!fatal", "session terminated on request"]])
    true("and closed", c.closed())
    c = Conn(secure=True)
    same("over TLS", [s[0] for s in c.ask("/system/identity/print")], ["!re", "!done"])
    same("quit over TLS", c.ask("/quit")[-1][0], "!fatal")


def many():
    """Many connections at once, each with its own tags."""
    conns = [Conn() for _ in range(8)]
    for i, c in enumerate(conns):
        c.send("/ip/pool/add", "=name=p%d" % i, "=ranges=10.0.%d.1" % i, ".tag=%d" % i)
    ids = set()
    for i, c in enumerate(conns):
        (s,) = c.reply()
        true("its own tag", s[-1] == ".tag=%d" % i or ".tag=%d" % i in s, s)
        ids.add(row(s)["ret"])
    same("ids are their own", len(ids), 8)
    same("all in", conns[0].ask("/ip/pool/print", "=count-only="), [["!done", "=ret=8"]])
    same("all out", conns[1].ask("/ip/pool/remove", "=.id=" + ",".join(sorted(ids))), [["!done"]])
    same("none left", conns[2].ask("/ip/pool/print", "=count-only="), [["!done", "=ret=0"]])


for step in (before_login, lengths, packets, tags, listening, running, scripts, example, follow, queries, printing, errors, secrets, many, quit_):
    step()
check.finish()
