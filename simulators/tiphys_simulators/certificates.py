"""Self-signed TLS certificates, as BMCs leave the factory with; one key pair a BMC."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Certificate", "load_into", "new_certificate"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, both PEM."""

    certificate: str
    key: str

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the DER form, lower-case hex: what a client pins."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate)).hexdigest()


def new_certificate(name: str, address: str) -> Certificate:
    """A fresh key and a self-signed certificate for ten years, for a name and an IP address."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = dt.datetime.now(dt.UTC)
    alternative = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )


def load_into(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Make new handshakes of a context show this certificate; open connections keep the old one."""
    # ssl reads key pairs from files only. One in memory where there are such: a thousand BMCs do not wait for a disk.
    pair = (certificate.certificate + certificate.key).encode()
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("certificate")
        with os.fdopen(descriptor, "wb") as file:
            file.write(pair)
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        return
    with tempfile.NamedTemporaryFile(suffix=".pem") as named:  # 0600, and gone at once
        named.write(pair)
        named.flush()
        context.load_cert_chain(Path(named.name))
