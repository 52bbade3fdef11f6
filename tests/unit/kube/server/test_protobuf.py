"""Kubernetes protobuf, as kubectl 1.32 and newer send it; the bytes are made here by hand from the wire's rules."""

import pytest

CONFIGMAPS, SECRETS = "/api/v1/namespaces/ns/configmaps", "/api/v1/namespaces/ns/secrets"
KIND = "application/vnd.kubernetes.protobuf"


def number(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(tag: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return number(tag << 3) + number(value)
    data = value.encode() if isinstance(value, str) else value
    return number(tag << 3 | 2) + number(len(data)) + data


def wrapped(version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\0" + field(1, field(1, version) + field(2, kind)) + field(2, raw)


def test_a_configmap_and_a_secret(serving):
    async def scenario(http) -> None:
        about = field(1, "c") + field(11, field(1, "l") + field(2, "m"))
        raw = field(1, about) + field(2, field(1, "k") + field(2, "v")) + field(3, field(1, "b") + field(2, b"\0\1"))
        made = await http("POST", CONFIGMAPS, wrapped("v1", "ConfigMap", raw), kind=KIND)
        assert made.code == 201, made.body
        value = made.value
        assert (value["data"], value["binaryData"], value["metadata"]["labels"]) == (
            {"k": "v"},
            {"b": "AAE="},
            {"l": "m"},
        )
        raw = field(1, field(1, "s")) + field(2, field(1, "k") + field(2, b"\xff")) + field(3, "a/b") + field(99, "new")
        made = await http("POST", SECRETS, wrapped("v1", "Secret", raw), kind=KIND)
        assert (made.value["data"], made.value["type"]) == ({"k": "/w=="}, "a/b")

    serving(scenario)


def test_numbers_times_and_options_of_a_delete(serving):
    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}})
        options = wrapped("v1", "DeleteOptions", field(2, field(1, "other")))
        answer = await http("DELETE", CONFIGMAPS + "/c", options, kind=KIND)
        assert (answer.code, "UID in precondition: other" in answer.message) == (409, True)
        spec = field(1, "me") + field(2, 30) + field(3, field(1, 1_700_000_000))
        lease = wrapped("coordination.k8s.io/v1", "Lease", field(1, field(1, "l")) + field(2, spec))
        path = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
        made = (await http("POST", path, lease, kind=KIND)).value["spec"]
        assert made["leaseDurationSeconds"] == 30
        assert made["acquireTime"].startswith("2023-11-14T22:13:20")

    serving(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"k8s\0",
        b"k8s\1" + b"x" * 10,
        b"k8s\0" + bytes(range(256)),
        wrapped("v1", "ConfigMap", b"\x0a\xff"),
        wrapped("v1", "ConfigMap", field(1, field(1, b"\xff\xfe"))),
        wrapped("v1", "ConfigMap", b"\x80" * 20),
        wrapped("v1", "Nothing", b""),
        wrapped("argoproj.io/v1alpha1", "Workflow", b""),
        wrapped("v1", "ConfigMap", field(1, 7)),
        wrapped("v1", "ConfigMap", field(2, b"")[:1] + b"\x7f"),
    ],
)
def test_what_cannot_be_decoded_is_refused(serving, body):
    async def scenario(http) -> None:
        answer = await http("POST", CONFIGMAPS, body, kind=KIND)
        assert answer.code in (400, 422), answer.body

    serving(scenario)
