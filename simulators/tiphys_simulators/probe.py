"""A client without opinions: one request, one answer, nothing retried. For tests of the simulator, and to try it out.

It trusts exactly the certificate that the BMC shows when the probe is made, so a changed one fails, as it should.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import uuid
from dataclasses import dataclass
from typing import Any

from tiphys_simulators.simulator import BmcHandle

__all__ = ["Answer", "Probe"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is JSON where it is JSON, else text."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def message_ids(self) -> list[str]:
        """The MessageIds of a Redfish error."""
        error = self.body.get("error", self.body) if isinstance(self.body, dict) else {}
        return [info["MessageId"] for info in error.get("@Message.ExtendedInfo", [])]


class Probe:
    """A client of one BMC.

    Args:
        bmc: the BMC.
        token: sent as X-Auth-Token, "" = not.
        basic: user name and password sent as Basic credentials, None = not.
    """

    def __init__(self, bmc: BmcHandle, *, token: str = "", basic: tuple[str, str] | None = None) -> None:
        self._address = (bmc.address, bmc.port)
        self._context = ssl.create_default_context(cadata=bmc.certificate_pem)
        self._headers = {"X-Auth-Token": token} if token else {}
        if basic:
            self._headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Send one request; a body that is not bytes goes as JSON.

        Raises:
            OSError, http.client.HTTPException: no answer came.
        """
        connection = http.client.HTTPSConnection(*self._address, context=self._context, timeout=20)
        sent = {**self._headers, **(headers or {})}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if isinstance(data, bytes):
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        is_json = "json" in (answer.headers.get("Content-Type") or "")
        return Answer(answer.status, dict(answer.headers), json.loads(text) if is_json else text)

    def upload(self, path: str, image: bytes, *, fields: dict[str, str], file_field: str, cookie: str = "") -> Answer:
        """Send an image as multipart/form-data: the fields, then the file."""
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        disposition = f'Content-Disposition: form-data; name="{file_field}"; filename="firmware.bin"'
        parts += [f"--{boundary}\r\n{disposition}\r\n\r\n".encode(), image, f"\r\n--{boundary}--\r\n".encode()]
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        if cookie:
            headers["Cookie"] = cookie
        return self.request("POST", path, b"".join(parts), headers)

    def log_in(self, user: str, password: str) -> Answer:
        """One POST to Sessions."""
        return self.request("POST", "/redfish/v1/SessionService/Sessions", {"UserName": user, "Password": password})
