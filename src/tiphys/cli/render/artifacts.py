"""Where an output artifact is kept, as `argo get` tells it: Go's own way to print such a struct. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.kit.plainjson import encode

__all__ = ["artifact"]

# Name in Go, name in JSON, how Go prints it where it is not set.
_BUCKET = (
    ("Endpoint", "endpoint", ""),
    ("Bucket", "bucket", ""),
    ("Region", "region", ""),
    ("Insecure", "insecure", "nil"),
    ("AccessKeySecret", "accessKeySecret", "nil"),
    ("SecretKeySecret", "secretKeySecret", "nil"),
    ("RoleARN", "roleARN", ""),
    ("UseSDKCreds", "useSDKCreds", "false"),
    ("CreateBucketIfNotPresent", "createBucketIfNotPresent", "nil"),
    ("EncryptionOptions", "encryptionOptions", "nil"),
    ("CASecret", "caSecret", "nil"),
    ("SessionTokenSecret", "sessionTokenSecret", "nil"),
    ("AddressingStyle", "addressingStyle", ""),
)
_OTHERS = ("git", "http", "artifactory", "hdfs", "raw", "oss", "gcs", "azure")


def artifact(value: Mapping[str, Any]) -> str:
    """The location: S3 as Go prints it, any other as JSON; "" where it is not told."""
    s3 = value.get("s3")
    if s3 is not None:
        bucket = "".join(f"{go}:{_go(s3[key]) if key in s3 else unset}," for go, key, unset in _BUCKET)
        return f"&S3Artifact{{S3Bucket:S3Bucket{{{bucket}}},Key:{s3.get('key', '')},}}"
    return next((f"{kind} {encode(value[kind]).decode()}" for kind in _OTHERS if value.get(kind) is not None), "")


def _go(value: object) -> str:
    if isinstance(value, str):
        return value
    return encode(value).decode()
