"""Names, and what is written and read back."""

import datetime as dt

import pytest

from tiphys.credentials.documents import object_name, passwords_from, passwords_to, record_from, record_to
from tiphys.errors import StoreError
from tiphys.kit.redact import Secret
from tiphys.obm.record import Attempt, Holder, Identity, Lockout, Passwords, Policy, Record, Rejected, UpdateRecord

MOMENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_a_name_that_kubernetes_takes_is_kept() -> None:
    assert object_name("obm-record", "r1.example.com") == "obm-record-r1.example.com"


@pytest.mark.parametrize("device", ["R1", "r1 (old)", "r1_x", "é", "-", "x" * 300, "r1/", "..", "r1."])
def test_other_names_get_a_hash_and_are_not_mixed_up(device: str) -> None:
    name = object_name("obm-record", device)
    assert len(name) <= 253
    assert object_name("obm-record", name.removeprefix("obm-record-")) == name  # it is one that Kubernetes takes
    assert name != object_name("obm-record", device + "x")
    assert object_name("obm-record", "r1") != name != object_name("obm-record", device.lower() + " ")


def test_a_record_is_read_as_it_was_written() -> None:
    record = Record(
        "r1",
        "10.0.0.7:443",
        Identity("Dell", "", "ABC1234", "ab" * 32),
        bmc="uuid-1",
        policy=Policy(MOMENT, (Lockout("address", 3, 60, 60, "test"),)),
        attempts=(Attempt(MOMENT, "root", "miss"),),
        holder=Holder("run", MOMENT),
        update=UpdateRecord("7.0", "ab" * 32, MOMENT, "intended", "6.0", "/tasks/1", ("/tasks/0",)),
    )
    assert record_from(record_to(record), "here") == record
    assert record_from(record_to(Record("r1")), "here") == Record("r1")


def test_a_record_that_is_none_is_named() -> None:
    with pytest.raises(StoreError, match="here is not a record"):
        record_from("{", "here")


def test_passwords_are_read_as_they_were_written() -> None:
    passwords = Passwords("root", Secret("a"), Secret("b"), Secret("c"), (Rejected("salt:digest", "then"),))
    assert passwords_from(passwords_to(passwords), "here") == passwords
    assert passwords_to(Passwords()) == {}
    assert passwords_from({}, "here") == Passwords()


def test_damaged_passwords_are_named_without_being_shown() -> None:
    with pytest.raises(StoreError, match="here: `rejected`") as caught:
        passwords_from({"rejected": "hunter2"}, "here")
    assert "hunter2" not in str(caught.value)
