"""Counts what a script finds true. A script ends with finish()."""

import os
import re
import ssl
import hashlib
import sys
import tempfile

HOST = os.environ["ROUTER_HOST"]
PORT = int(os.environ["ROUTER_PORT"])
TLS_PORT = int(os.environ["ROUTER_TLS_PORT"])
USER = os.environ["ROUTER_USER"]
PASSWORD = os.environ["ROUTER_PASSWORD"]
FINGERPRINT = os.environ["ROUTER_FINGERPRINT"].lower()
VERSION_TEXT = os.environ["ROUTER_VERSION"]
VERSION = tuple(int(part) for part in VERSION_TEXT.split("."))

passed = 0
failed = 0


def true(what, holds, shown=""):
    global passed, failed
    if holds:
        passed += 1
        print("ok", what)
    else:
        failed += 1
        print("FAILED", what, shown)


def same(what, got, want):
    true(what, got == want and type(got) == type(want), "got %r, want %r" % (got, want))


def matches(what, got, pattern):
    true(what, re.fullmatch(pattern, got) is not None, "got %r, want %s" % (got, pattern))


def has(what, row, **want):
    """Every named attribute (- written as _) has its value; None: it is absent."""
    for name, value in want.items():
        name = name.rstrip("_").replace("_", "-")
        same("%s: %s" % (what, name), row.get(name), value)


def keys(what, row, want):
    same("%s: attributes" % what, sorted(row), sorted(want.split()))


def finish():
    if failed:
        print("failed", failed)
        sys.exit(1)
    print("passed", passed)


def trusting():
    """A TLS context that trusts the router's certificate, compared by fingerprint."""
    pem = ssl.get_server_certificate((HOST, TLS_PORT))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    same("certificate", "sha256:" + digest, FINGERPRINT)
    context = ssl.create_default_context(cadata=pem)
    context.check_hostname = False
    return context


def trusted_file():
    """The router's certificate in a file, for programs that want one."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as f:
        f.write(ssl.get_server_certificate((HOST, TLS_PORT)))
        return f.name
