"""What an ExternalSecret asks for: which fields are honoured, when it is due, and the Secret it stands for. Pure.

Called by `externalsecrets`, which gets the values. A field that is not honoured is refused with its path.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from tiphys.errors import SpecError
from tiphys.kit.clock import from_rfc3339
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kube.controllers.gotemplate import render
from tiphys.kube.objects import durations

__all__ = [
    "DATA_HASH",
    "Object",
    "check",
    "data_hash",
    "decoded",
    "due",
    "extracted",
    "fill",
    "synced_version",
    "target_name",
]

Object = dict[str, Any]

DATA_HASH = "reconcile.external-secrets.io/data-hash"
_MANAGED = "reconcile.external-secrets.io/managed"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_ANY: Mapping[str, Any] = {}
_REFERENCE = dict.fromkeys(("conversionStrategy", "decodingStrategy", "key", "metadataPolicy", "property", "version"))
_TEXTS = {"items": {"key": None, "templateAs": ("Values",)}, "name": None}
_FIELDS: Mapping[str, Any] = {
    "data": {"remoteRef": _REFERENCE, "secretKey": None},
    "dataFrom": {"extract": _REFERENCE},
    "refreshInterval": None,
    "refreshPolicy": ("CreatedOnce", "OnChange", "Periodic"),
    "secretStoreRef": {"kind": ("ClusterSecretStore", "SecretStore"), "name": None},
    "target": {
        "creationPolicy": ("CreateOrMerge", "Merge", "None", "Orphan", "Owner"),
        "deletionPolicy": ("Delete", "Merge", "Retain"),
        "immutable": None,
        "name": None,
        "template": {
            "data": _ANY,
            "engineVersion": ("v2",),
            "mergePolicy": ("Merge", "Replace"),
            "metadata": {"annotations": _ANY, "labels": _ANY},
            "templateFrom": {"configMap": _TEXTS, "secret": _TEXTS, "target": ("Data",)},
            "type": None,
        },
    },
}
"""What is honoured: None is any value, a tuple these values, a map these members (of each item of a list), {} any."""


def check(spec: Object) -> None:
    """Refuse what is not honoured.

    Raises:
        SpecError: naming the field.
    """
    _check(spec, _FIELDS, "spec")
    for index, row in enumerate(spec.get("data") or ()):
        if not row.get("secretKey") or not (row.get("remoteRef") or {}).get("key"):
            raise SpecError(f"spec.data[{index}] needs secretKey and remoteRef.key", f"spec.data[{index}]")
    for name, row in _references(spec):
        if row.get("metadataPolicy", "None") != "None":
            raise SpecError(f"{name}.metadataPolicy {row['metadataPolicy']} is not supported here", name)
        for field, known in (("decodingStrategy", _DECODINGS), ("conversionStrategy", _CONVERSIONS)):
            if row.get(field, "None" if field == "decodingStrategy" else "Default") not in known:
                raise SpecError(f"{name}.{field} {row[field]} is not supported here: {', '.join(known)}", name)
    target = spec.get("target") or {}
    if target.get("deletionPolicy") == "Delete" and target.get("creationPolicy", "Owner") != "Owner":
        raise SpecError(
            "spec.target.deletionPolicy Delete needs creationPolicy Owner: what is not owned is not deleted"
        )


_DECODINGS = ("Auto", "Base64", "Base64URL", "None")
_CONVERSIONS = ("Default", "Unicode")


def _references(spec: Object) -> list[tuple[str, Object]]:
    rows = [(f"spec.data[{n}].remoteRef", row.get("remoteRef")) for n, row in enumerate(spec.get("data") or ())]
    rows += [(f"spec.dataFrom[{n}].extract", row.get("extract")) for n, row in enumerate(spec.get("dataFrom") or ())]
    return [(name, row or {}) for name, row in rows]


def _check(value: Any, known: Any, path: str) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, known, f"{path}[{index}]")
    elif isinstance(known, tuple):
        if value not in known:
            raise SpecError(f"{path}: {value} is not supported here: {', '.join(known)}", path)
    elif isinstance(known, Mapping) and known:
        if not isinstance(value, dict):
            raise SpecError(f"{path} must be an object", path)
        for name, member in value.items():
            if name not in known:
                raise SpecError(f"{path}.{name} is not supported here", f"{path}.{name}")
            _check(member, known[name], f"{path}.{name}")


def target_name(external: Object) -> str:
    """The name of the Secret."""
    name: str = ((external.get("spec") or {}).get("target") or {}).get("name") or external["metadata"]["name"]
    return name


def synced_version(external: Object) -> str:
    """Changes when the spec, the labels or the annotations change: so `force-sync=…` asks for a refresh."""
    metadata = external["metadata"]
    shown = encode([metadata.get("labels") or {}, metadata.get("annotations") or {}], sort=True)
    return f"{metadata.get('generation', 0)}-{hashlib.sha256(shown).hexdigest()[:56]}"


def due(external: Object, now: dt.datetime) -> float | None:
    """Seconds until the values are to be got again: 0 is now, None never (unless something changes).

    Raises:
        SpecError: refreshInterval is no duration.
    """
    spec, status = external.get("spec") or {}, external.get("status") or {}
    synced, policy = status.get("syncedResourceVersion") or "", spec.get("refreshPolicy") or "Periodic"
    if not synced or (policy != "CreatedOnce" and synced != synced_version(external)):
        return 0
    interval = durations.seconds(spec.get("refreshInterval") or "1h")
    if policy != "Periodic" or interval <= 0:
        return None
    if not status.get("refreshTime"):
        return 0
    age = (now - from_rfc3339(status["refreshTime"])).total_seconds()
    return max(interval - age, 0)


# -- values -----------------------------------------------------------------------------------------------------------


def decoded(value: bytes, strategy: str) -> bytes:
    """A value by its decodingStrategy.

    Raises:
        SpecError: it is not what the strategy says.
    """
    if strategy == "Auto":
        for one in ("Base64", "Base64URL"):
            try:
                return decoded(value, one)
            except SpecError:
                continue
        return value
    if strategy in ("Base64", "Base64URL"):
        try:
            return base64.b64decode(value.strip(), altchars=b"-_" if strategy == "Base64URL" else None, validate=True)
        except binascii.Error as error:
            raise SpecError(f"the value cannot be decoded with decodingStrategy {strategy}") from error
    return value


def extracted(value: bytes, key: str, conversion: str) -> dict[str, bytes]:
    """The members of a JSON object, under names that a Secret may have.

    Raises:
        SpecError: it is no JSON object.
    """
    try:
        members = decode(value)
    except DecodeError:
        members = None  # its text is not shown: it may quote the value
    if not isinstance(members, dict):
        raise SpecError(f"the value of {key} is not a JSON object: dataFrom.extract needs one")

    def replaced(found: re.Match[str]) -> str:
        return f"_U{ord(found[0]):04x}_" if conversion == "Unicode" else "_"

    return {
        re.sub(r"[^-._a-zA-Z0-9]", replaced, name): member.encode() if isinstance(member, str) else encode(member)
        for name, member in members.items()
    }


# -- the Secret -------------------------------------------------------------------------------------------------------


def data_hash(secret: Object) -> str:
    """What DATA_HASH says of a Secret that nobody changed since it was written."""
    return hashlib.sha256(encode(secret.get("data") or {}, sort=True)).hexdigest()


def fill(external: Object, values: Mapping[str, bytes], templates: Mapping[str, str], present: Object | None) -> Object:
    """The Secret as it is to be written.

    Args:
        external: the ExternalSecret.
        values: what was got, by secretKey.
        templates: the texts of templateFrom, by key.
        present: the Secret as it is.

    Raises:
        SpecError: a template cannot be filled in, or the Secret belongs to somebody else.
    """
    spec = external.get("spec") or {}
    target = spec.get("target") or {}
    template, policy = target.get("template") or {}, target.get("creationPolicy") or "Owner"
    texts = {**templates, **(template.get("data") or {})}
    shown = {name: value.decode(errors="surrogateescape") for name, value in values.items()}
    data = dict(values) if not texts or template.get("mergePolicy") == "Merge" else {}
    for name, text in texts.items():
        data[name] = render(text, shown).encode(errors="surrogateescape")

    secret: Object = present or {"metadata": {"name": target_name(external)}}
    merges = policy == "Merge" or (policy == "CreateOrMerge" and present is not None)
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    secret["data"] = {**(secret.get("data") or {}), **encoded} if merges else encoded
    kind = template.get("type") or secret.get("type") or "Opaque"
    if secret.setdefault("type", kind) != kind:
        raise SpecError(f'the Secret "{target_name(external)}" is there with another type than {kind}: delete it')
    if target.get("immutable"):
        secret["immutable"] = True
    _describe(secret["metadata"], external, template.get("metadata"), shown)
    secret["metadata"]["annotations"][DATA_HASH] = data_hash(secret)
    if policy == "Owner":
        _own(secret["metadata"], external)
    return secret


def _describe(metadata: Object, external: Object, template: Object | None, values: Mapping[str, str]) -> None:
    about = external["metadata"]
    for field in ("labels", "annotations"):
        wanted = about.get(field) if template is None else template.get(field)
        kept = {name: text for name, text in (wanted or {}).items() if name != _LAST_APPLIED}
        if template is not None:
            kept = {name: render(text, values) for name, text in kept.items()}
        metadata[field] = {**(metadata.get(field) or {}), **kept}
    metadata["labels"][_MANAGED] = "true"


def _own(metadata: Object, external: Object) -> None:
    about = external["metadata"]
    owners = metadata.get("ownerReferences") or []
    if any(owner.get("controller") and owner.get("uid") != about["uid"] for owner in owners):
        raise SpecError(f'the Secret "{metadata["name"]}" is owned by another object: choose another spec.target.name')
    reference = {
        "apiVersion": external["apiVersion"],
        "kind": external["kind"],
        "name": about["name"],
        "uid": about["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata["ownerReferences"] = [*(o for o in owners if o.get("uid") != about["uid"]), reference]
