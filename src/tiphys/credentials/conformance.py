"""What every place for passwords must do, as checks that anybody can run on theirs; needs no test framework.

    python -m tiphys.credentials.conformance URL        # each check, and how it ended

or, in a test suite, one test for each of `CHECKS`:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_provider(check, tmp_path):
        check(Subject(f"mine:{tmp_path}/store", dict(os.environ)))

The checks write documents of devices called `conformance-…`, and leave them. Several processes are started, with the
environment of the `Subject`: a provider must find by its URL and environment all that it needs. A place that can only
be read is checked with `READ_ONLY_CHECKS`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tiphys.credentials.kept import KeptStore
from tiphys.credentials.provider import Key, Provider
from tiphys.credentials.stores import open_provider
from tiphys.errors import TiphysError
from tiphys.kit.redact import Secret
from tiphys.obm.record import Conflict, Passwords, Record, Rejected

__all__ = ["CHECKS", "ODD", "READ_ONLY_CHECKS", "Subject", "Violation", "main"]

ODD = (
    " spaces around ",
    "\"double\" 'single' `back` \\ back\\\\slash",
    "$HOME ${HOME} $(id) %s %(x)s {{workflow.name}} {{=1+1}}",
    "pässwörd 密码 🔑 e\u0301 \u202e",
    "two\nlines\r\nand\ttabs",
    "-----BEGIN: a, [b] {c} #d &e *f !g |h >i @j",
    "null",
    "true",
    "0123",
    "x" * 4000,
)
"""Texts that a place must give back as they were, or refuse."""

WRITERS = 8
_PROCESSES = 4
_ROUNDS = 3
_SECONDS = 120


class Violation(AssertionError):  # noqa: N818 - what was found
    """A check found something wrong; says what."""


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Attributes:
        url: as `--store` takes it.
        environ: that its processes get.
        devices: the beginning of the names of devices that are written; a new one each time.
    """

    url: str
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    devices: str = field(default_factory=lambda: f"conformance-{secrets.token_hex(4)}")


Check = Callable[[Subject], None]


def _check(work: Callable[[Subject, Callable[[], Provider]], None]) -> Check:
    """What is opened in it is closed after it."""

    @functools.wraps(work)
    def checked(subject: Subject) -> None:
        with contextlib.ExitStack() as stack:
            work(subject, lambda: stack.enter_context(contextlib.closing(open_provider(subject.url, subject.environ))))

    return checked


@_check
def what_was_never_written_is_absent(subject: Subject, opened: Callable[[], Provider]) -> None:
    """A read of it is no error; it has no values and no version."""
    provider = opened()
    for key in (_key(subject, "absent"), Key("obm-record", f"{subject.devices}-absent")):
        found = provider.read(key)
        _demand(not found.values and not found.version, f"{provider.where(key)} was never written, and is there")


@_check
def odd_texts_come_back_as_they_were_or_are_refused(subject: Subject, opened: Callable[[], Provider]) -> None:
    """A text that is changed on the way is a password that a BMC refuses."""
    provider, key = opened(), _key(subject, "odd")
    version = ""
    kept: dict[str, str] = {}
    for number, text in enumerate(ODD):
        try:
            version = provider.write(key, {**kept, f"value{number}": text}, version)
            kept[f"value{number}"] = text
        except TiphysError as error:
            _demand(not isinstance(error, Conflict), f"odd text {number} led to a Conflict")
            _one_line(error, text)
        found = opened().read(key)
        _demand(dict(found.values) == kept, f"odd text {number} did not come back as it was written")
        _demand(found.version == version, "a read gives another version than the write before it")


@_check
def the_ledger_comes_back_as_it_was_written(subject: Subject, opened: Callable[[], Provider]) -> None:
    """Pending, current and previous, at each step of a rotation, by a store opened anew each time."""
    device = f"{subject.devices}-ledger"
    first, second = Secret('old "pässword" \\'), Secret(" new $(password) ")
    steps: tuple[Callable[[Passwords], Passwords], ...] = (
        lambda known: known.confirmed("root", first),
        lambda known: known.refused(Rejected.of("root", second, "then", "salt"), "root", second),
        lambda known: known.about_to_be("root", second),
        lambda known: known.not_pending(),
        lambda known: known.about_to_be("root", second),
        lambda known: known.confirmed("root", second),
    )
    expected = Passwords()
    for step in steps:
        store = KeptStore(opened(), device)
        _demand(store.load_passwords() == expected, "the ledger is not as it was written")
        expected = step(expected)
        store.save_passwords(expected)
    _demand(KeptStore(opened(), device).load_passwords() == expected, "the ledger is not as it was written")
    record = KeptStore(opened(), device)
    _demand(record.load_record() is None, "there is a record that nobody wrote")
    record.save_record(Record(device, "192.0.2.1:443"))
    record.save_record(Record(device, "192.0.2.2:443"))
    found = KeptStore(opened(), device).load_record()
    _demand(found == Record(device, "192.0.2.2:443"), "the record is not as it was written")


@_check
def a_document_is_replaced_whole(subject: Subject, opened: Callable[[], Provider]) -> None:
    """What a write leaves out is gone."""
    provider, key = opened(), _key(subject, "whole")
    version = provider.write(key, {"pending": "a", "current": "b"}, "")
    provider.write(key, {"current": "a"}, version)
    _demand(dict(provider.read(key).values) == {"current": "a"}, "a value that was left out is still there")


@_check
def a_write_that_lost_the_race_is_refused(subject: Subject, opened: Callable[[], Provider]) -> None:
    """A document is created once, and replaced only by who has seen the newest."""
    one, other, key = opened(), opened(), _key(subject, "race")
    version = one.write(key, {"n": "1"}, "")
    _refused(other, key, "", "a document was created twice")
    newer = other.write(key, {"n": "2"}, version)
    _demand(newer not in ("", version), "a version did not change with a write")
    for provider in (one, other):  # who has seen the newer one, too
        _refused(provider, key, version, "a write with an old version was taken")
    _refused(one, _key(subject, "race-absent"), newer, "a document that is not there was replaced")
    _demand(dict(one.read(key).values) == {"n": "2"}, "a refused write has changed the document")
    one.write(key, {"n": "3"}, newer)


@_check
def concurrent_writers_lose_nothing(subject: Subject, opened: Callable[[], Provider]) -> None:
    """Eight writers, two threads in each of four processes, count in one document: no count is lost or made twice."""
    key = _key(subject, "count")
    opened().write(key, {"n": "0"}, "")
    children = [_child(subject, "count", key) for _ in range(_PROCESSES)]
    for child in children:
        _ready(child)  # so that none has ended before another one has begun
    for child in children:
        _go(child)
    for child in children:
        _, said = _ended(child, b"")
        _demand(child.returncode == 0, f"a writer ended with exit code {child.returncode}: {said}")
    counted, wanted = opened().read(key).values.get("n"), str(WRITERS * _ROUNDS)
    _demand(counted == wanted, f"{wanted} writes were counted as {counted}")


@_check
def a_write_survives_the_death_of_its_process(subject: Subject, opened: Callable[[], Provider]) -> None:
    """kill -9 right after the write has returned: it is there. What came before it is replaced, not damaged."""
    key = _key(subject, "durable")
    for _ in range(2):
        value = secrets.token_hex(16)
        child = _child(subject, "write-and-die", key)
        output, said = _ended(child, value.encode())
        _demand(child.returncode == -signal.SIGKILL, f"the writer could not write: {said}")
        _demand(output.endswith(b"written\n"), "the writer died too early")
        found = opened().read(key).values
        _demand(found.get("current") == value, "a write that had returned is lost")


@_check
def names_are_not_mixed_up(subject: Subject, opened: Callable[[], Provider]) -> None:
    """Devices whose names differ in a letter have documents of their own, and so have the three kinds."""
    provider = opened()
    names = [f"{subject.devices}{end}" for end in ("-x", "-X", "_x", "/x", ".x", " x", "-é", "-x" + "y" * 260, "/../x")]
    keys = [Key("obm-passwords", name) for name in names] + [Key("obm-creds", names[0])]
    for key in keys:
        provider.write(key, {"current": f"{key.kind} of {key.device}"}, "")
    provider.write(Key("obm-record", names[0]), {"record": "{}"}, "")
    for key in keys:
        wanted = {"current": f"{key.kind} of {key.device}"}
        _demand(dict(provider.read(key).values) == wanted, f"{provider.where(key)} is not that of its device alone")


@_check
def no_secret_is_said(subject: Subject, opened: Callable[[], Provider]) -> None:
    """Not in what is logged at the most talkative level, not in a message, not in a repr, not in a URL's error."""
    secret, key = secrets.token_hex(16), _key(subject, "quiet")
    child = _child(subject, "talk", key)
    output, said = _ended(child, secret.encode())
    _demand(child.returncode == 0, f"the writer could not write: {said}")
    _demand(secret.encode() not in output and secret not in said, "a secret was logged, or is in a message or a repr")


CHECKS: tuple[Check, ...] = (
    what_was_never_written_is_absent,
    odd_texts_come_back_as_they_were_or_are_refused,
    the_ledger_comes_back_as_it_was_written,
    a_document_is_replaced_whole,
    a_write_that_lost_the_race_is_refused,
    concurrent_writers_lose_nothing,
    a_write_survives_the_death_of_its_process,
    names_are_not_mixed_up,
    no_secret_is_said,
)
"""For a place that records and passwords are kept in. Each takes a `Subject` and raises `Violation`."""


@_check
def a_write_is_refused_in_words(subject: Subject, opened: Callable[[], Provider]) -> None:
    """Each way to use it as a ledger ends with an error that says so, before anything is done to a BMC."""
    provider = opened()
    store = KeptStore(provider, subject.devices)
    for work in (
        store.load_record,
        lambda: store.save_record(Record(subject.devices)),
        lambda: store.save_passwords(Passwords("root", Secret("hunter2"))),
        lambda: provider.write(Key("obm-creds", subject.devices), {"username": "root", "password": "hunter2"}, ""),
    ):
        try:
            work()
        except Conflict:
            raise Violation("a place that can only be read says Conflict") from None
        except TiphysError as error:
            _one_line(error, "hunter2")
            _demand("can only be read" in str(error), f"it does not say that it can only be read: {error}")
        else:
            raise Violation("a place that can only be read did as if it had written")


READ_ONLY_CHECKS: tuple[Check, ...] = (a_write_is_refused_in_words,)
"""For a place that holds no more than the credentials on record."""


def _key(subject: Subject, what: str) -> Key:
    return Key("obm-passwords", f"{subject.devices}-{what}")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Violation(otherwise)


def _one_line(error: TiphysError, secret: str) -> None:
    _demand("\n" not in str(error), f"an error has several lines: {str(error)!r}")
    _demand(secret not in str(error), "an error has the secret in it")


def _refused(provider: Provider, key: Key, version: str, otherwise: str) -> None:
    try:
        provider.write(key, {"n": "hunter2"}, version)
    except Conflict as error:
        _one_line(error, "hunter2")
        return
    raise Violation(otherwise)


# The processes


def _child(subject: Subject, work: str, key: Key) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", __spec__.name, work, subject.url, key.device]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(subject.environ))


def _ready(child: subprocess.Popen[bytes]) -> None:
    """Wait until it says so; one that cannot has ended, which `_ended` tells."""
    assert child.stdout is not None  # noqa: S101 - for the type
    child.stdout.readline()


def _go(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None  # noqa: S101 - for the type
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(b"go\n")
        child.stdin.flush()


def _ended(child: subprocess.Popen[bytes], given: bytes) -> tuple[bytes, str]:
    """Both outputs; the second as text, cut to its end."""
    with child:
        try:
            output, errors = child.communicate(given, _SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Violation(f"a writer had not ended after {_SECONDS} s") from None
    return output, errors.decode(errors="replace")


def _count(provider: Provider, key: Key) -> None:
    """Three times one more, whoever else counts; every turn that is lost is another's won, so this ends."""
    for _ in range(_ROUNDS):
        while True:
            found = provider.read(key)
            with contextlib.suppress(Conflict):
                provider.write(key, {"n": str(int(found.values["n"]) + 1)}, found.version)
                break


def _count_in_threads(provider: Provider, key: Key) -> int:
    provider.read(key)  # all that is loaded late is loaded
    os.write(1, b"ready\n")
    sys.stdin.readline()
    failures: list[BaseException] = []

    def counting() -> None:
        try:
            _count(provider, key)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=counting) for _ in range(WRITERS // _PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return 0


def _write_and_die(provider: Provider, key: Key) -> int:
    value = sys.stdin.read()
    found = provider.read(key)
    provider.write(key, {"current": value}, found.version)
    os.write(1, b"written\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


def _talk(provider: Provider, key: Key) -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)
    value = sys.stdin.read()
    version = provider.write(key, {"current": value}, "")
    for wrong in ("", f"{version}0"):
        try:
            provider.write(key, {"current": value}, wrong)
        except TiphysError as error:
            sys.stdout.write(f"{error!r} {error}\n")
    sys.stdout.write(f"{provider!r} {provider.read(key)!r} {KeptStore(provider, key.device).load_passwords()!r}\n")
    return 0


_WORK = {"count": _count_in_threads, "write-and-die": _write_and_die, "talk": _talk}


def main(words: list[str]) -> int:
    """Check the place of a URL, and tell; the exit code is 0 where nothing is wrong."""
    if len(words) == 3 and words[0] in _WORK:
        with contextlib.closing(open_provider(words[1])) as provider:
            return _WORK[words[0]](provider, Key("obm-passwords", words[2]))
    read_only = words[:1] == ["--read-only"]
    if len(words) != 1 + read_only:
        sys.stderr.write("usage: python -m tiphys.credentials.conformance [--read-only] URL\n")
        return 2
    results = {
        check.__name__: _result(check, Subject(words[-1])) for check in (READ_ONLY_CHECKS if read_only else CHECKS)
    }
    sys.stdout.write(json.dumps(results, indent=2) + "\n")
    return int(any(result != "ok" for result in results.values()))


def _result(check: Check, subject: Subject) -> str:
    try:
        check(subject)
    except (Violation, TiphysError) as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
