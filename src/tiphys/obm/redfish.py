"""A conversation with one BMC: look at it as a stranger, log in, read, change, log out.

One log-in is one request; whether one may be sent is decided by `journal`, never here. No body is logged.

A BMC that is busy answers a GET with 503, 429 or 500 now and then. Asking again changes nothing, so it is asked again,
a few times, when it says. That goes for GETs only: a log-in may be counted, and a change may have been made.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from tiphys.kit.redact import Secret
from tiphys.obm.errors import ObmError, RefusedByBmc, Unreachable
from tiphys.obm.shapes import mappings, part
from tiphys.obm.transport import Answer, Body, Transport, path_of
from tiphys.obm.vendors import PLAIN, Vendor, vendor_of
from tiphys.obm.verdict import Verdict, change_required, explain, judge

__all__ = ["Auth", "ChangeRequired", "Redfish", "SessionEnded"]

Auth = Literal["session", "basic"]

_ROOT = "/redfish/v1/"
_SESSIONS = "/redfish/v1/SessionService/Sessions"
_SYSTEMS = "/redfish/v1/Systems"
_PARTS = ("AccountService", "Chassis", "Managers", "Systems")  # AMI's root has none while it starts
_MOST_PAGES = 50
_NOT_NOW = (429, 502, 503, 504)
_ASKED_AGAIN = dict.fromkeys(_NOT_NOW, 3) | {500: 1}  # some resources of real BMCs are 500 for good
_LONGEST_PAUSE = 30.0
_PATIENCE = 60.0
_CONFIGURE_BASIC = (
    "if that is right, set `auth.DEVICE: basic` in its configuration (in the folder of --config, a file `auth.DEVICE` "
    "with the word basic): it is never tried by itself"
)


class SessionEnded(Unreachable):
    """The BMC no longer knows the session; a new log-in is needed."""


class ChangeRequired(RefusedByBmc):
    """The BMC has let somebody in whose password must be changed first, and says so only now.

    Attributes:
        account: its path, "" = not named.
    """

    def __init__(self, message: str, account: str) -> None:
        super().__init__(message)
        self.account = account


class Redfish:
    """One BMC as one client sees it.

    Attributes:
        root: its service root, once `look` has read it.
        vendor: what kind it is.
        transport: the way to it.
        denied: called when the BMC refuses credentials that it had accepted: they go with every request where there is
            no session, and it counts that as a log-in that failed.
    """

    def __init__(self, transport: Transport, auth: Auth = "session") -> None:
        self.transport = transport
        self.root: Mapping[str, Any] = {}
        self.vendor: Vendor = PLAIN
        self.denied: Callable[[], None] = lambda: None
        self.pause: Callable[[float], None] = time.sleep
        self._patience = _PATIENCE
        self._auth = auth
        self._headers: dict[str, str | Secret] = {}
        self._session = ""

    def look(self) -> Mapping[str, Any]:
        """Read the service root without credentials.

        Raises:
            Unreachable: no answer, or no Redfish.
            RefusedIdentity: the certificate is another one.
        """
        answer = self._get(_ROOT)
        if answer.status == 404:
            answer = self._get(_ROOT.rstrip("/"))  # the only form that some know
        body = answer.body
        if answer.status != 200:
            raise Unreachable(f"{self.transport.where} answers {explain(answer.status, body)} to its service root")
        if body is None or not ("RedfishVersion" in body or "#ServiceRoot." in str(body.get("@odata.type"))):
            raise Unreachable(f"{self.transport.where} answers, but it is no Redfish service")
        self.root, self.vendor = body, vendor_of(body)
        return body

    # Log-ins

    def log_in(self, user: str, password: Secret) -> Verdict:
        """One log-in attempt.

        Raises:
            Unanswered: it was or may have been sent; the BMC may have counted it.
            Unreachable: it was not sent, perhaps because the BMC is starting.
            RefusedByBmc: it has no sessions, and Basic is not configured; nothing was sent.
        """
        self._patience = _PATIENCE
        if self._auth == "basic":
            return self._log_in_basic(user, password)
        path = path_of(part(self.root, "Links", "Sessions").get("@odata.id"))
        if not path and not part(self.root, "SessionService"):
            if not any(part(self.root, name) for name in _PARTS):
                raise Unreachable(f"the service root of {self.transport.where} names nothing yet; it is starting")
            raise RefusedByBmc(f"{self.transport.where} offers no sessions; {_CONFIGURE_BASIC}")
        answer = self.transport.send("POST", path or _SESSIONS, {"UserName": user, "Password": password}, kept=True)
        verdict = judge(answer.status, answer.body)
        if answer.status in (404, 405):
            return Verdict("unread", f"{verdict.detail}: it has no sessions; {_CONFIGURE_BASIC}")
        if answer.ok:
            token = answer.headers.get("x-auth-token", "")
            if not token or not token.isascii() or not token.isprintable():
                return Verdict(
                    "unclear", f"the session ({answer.status}) has no usable X-Auth-Token; {_CONFIGURE_BASIC}"
                )
            self._headers = {"X-Auth-Token": Secret(token)}
            link = answer.headers.get("location") or (answer.body or {}).get("@odata.id")
            self._session = path_of(link)
        elif verdict.kind == "change-required":
            self._headers = _basic(user, password)  # known to be right, and no session was given
        return verdict

    def _log_in_basic(self, user: str, password: Secret) -> Verdict:
        """By a GET of what nobody may read without a log-in; where anybody may, it proves nothing."""
        headers = _basic(user, password)
        path = self.link("AccountService", "") or self.link("Systems", _SYSTEMS)
        stranger = self._get(path)
        if stranger.status in _ASKED_AGAIN:
            said = explain(stranger.status, stranger.body)
            raise Unreachable(f"{self.transport.where} does not tell who may read {path}: it answers {said}")
        answer = self.transport.send("GET", path, None, headers, kept=True)  # `get` might send it twice
        verdict = judge(answer.status, answer.body)
        if verdict.kind == "accepted":
            if answer.body is None:
                return Verdict("unclear", f"{answer.status} to GET {path}, and no JSON object")
            verdict = Verdict("accepted", open=stranger.ok)
        if verdict.right:
            self._headers = headers
        return verdict

    @property
    def token(self) -> Secret:
        """The session's token, for the one form that wants it in its body; empty without a session."""
        value = self._headers.get("X-Auth-Token")
        return value if isinstance(value, Secret) else Secret("")

    def log_out(self) -> None:
        """End the session. A change of its own password may have ended it already, and so may a restart."""
        session, headers, self._session, self._headers = self._session, self._headers, "", {}
        try:
            if session:
                self.transport.send("DELETE", session, None, headers, kept=True)
        except ObmError:
            pass  # nothing that was achieved depends on it, and the BMC ends idle sessions itself

    # Resources

    def ask(self, path: str) -> Answer:
        """A GET as whoever is logged in; any status.

        Raises:
            SessionEnded: 401.
        """
        answer = self._seen(self._get(path, self._headers))
        if answer.status == 401:
            raise SessionEnded(f"{self.transport.where} no longer knows the session ({explain(401, answer.body)})")
        return answer

    def read(self, path: str) -> Mapping[str, Any]:
        """A resource that must be there.

        Raises:
            ChangeRequired: it may not be read before the password is changed.
            RefusedByBmc: it may not be read, or does not exist.
            Unreachable: any other answer.
        """
        answer = self.ask(path)
        if answer.status == 200 and answer.body is not None:
            return answer.body
        what = "what is no JSON" if answer.status == 200 else explain(answer.status, answer.body)
        said = f"{self.transport.where} answers {what} to GET {path}"
        named = change_required(answer.body) if answer.status == 403 else None
        if named is not None:
            raise ChangeRequired(f"{said}: the password must be changed first, run obm-sync-creds", named)
        raise RefusedByBmc(said) if answer.status in (403, 404, 405) else Unreachable(said)

    def maybe(self, path: str) -> Mapping[str, Any]:
        """A resource that may be missing or forbidden: then an empty one.

        Raises:
            Unreachable: the BMC is too busy to say so.
        """
        if not path:
            return {}
        answer = self.ask(path)
        if answer.status in _NOT_NOW:
            raise Unreachable(f"{self.transport.where} answers {explain(answer.status, answer.body)} to GET {path}")
        return answer.body if answer.status == 200 and answer.body is not None else {}

    def members(self, path: str) -> list[str]:
        """The paths of a collection's members, over all its pages."""
        found: list[str] = []
        for _ in range(_MOST_PAGES):
            page = self.read(path)
            links = [path_of(link.get("@odata.id")) for link in mappings(page.get("Members"))]
            found += [link for link in links if link]
            path = path_of(page.get("Members@odata.nextLink"))
            if not path:
                return found
        raise Unreachable(f"{self.transport.where} has a collection without an end at {path}")

    def link(self, name: str, default: str) -> str:
        """Where the service root says a part of the tree is."""
        return path_of(part(self.root, name).get("@odata.id")) or default

    def change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Body,
        headers: Mapping[str, str | Secret] | None = None,
        *,
        timeout: float = 0.0,
    ) -> Answer:
        """A PATCH or POST as whoever is logged in, sent once; any status.

        Raises:
            Unanswered: it may have been carried out.
        """
        sent = {**self._headers, **(headers or {})}
        return self._seen(self.transport.send(method, path, body, sent, timeout=timeout))

    def _get(self, path: str, headers: Mapping[str, str | Secret] | None = None) -> Answer:
        """A GET, again where the BMC is busy: as long as it says, else 1, 2, 4 s; a minute in all after a log-in."""
        tried = 0
        while True:
            answer = self.transport.get(path, headers)
            pause = max(_retry_after(answer), 2.0**tried)
            if tried >= _ASKED_AGAIN.get(answer.status, 0) or pause > min(_LONGEST_PAUSE, self._patience):
                return answer
            tried += 1
            self._patience -= pause
            self.pause(pause)

    def _seen(self, answer: Answer) -> Answer:
        if answer.status == 401 and "Authorization" in self._headers:
            self.denied()
        return answer


def _retry_after(answer: Answer) -> float:
    """Seconds that it says; 0 = it does not, or it says a date."""
    told = answer.headers.get("retry-after", "").strip()
    return float(told) if told.isascii() and told.isdigit() and len(told) < 8 else 0.0


def _basic(user: str, password: Secret) -> dict[str, str | Secret]:
    pair = base64.b64encode(f"{user}:{password.reveal()}".encode()).decode()
    return {"Authorization": Secret(f"Basic {pair}")}
