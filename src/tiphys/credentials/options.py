"""The URL that says where passwords live, taken apart: `SCHEME:REST?name=value&…`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tiphys.errors import UsageError

__all__ = ["Options"]


@dataclass
class Options:
    """What a provider is opened with. Each takes what it knows; what is left over is refused.

    Attributes:
        url: as given; it holds no secret, and may be shown.
        environ: variables of the environment.
        rest: between the scheme and the question mark, as it is written.
        values: of the query, by name; taken one by one.
    """

    url: str
    environ: Mapping[str, str] = field(repr=False)
    rest: str = ""
    values: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str, environ: Mapping[str, str]) -> Options:
        """Taken apart.

        Raises:
            UsageError: it is not such a URL, or has a password in it.
        """
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise UsageError(f"--store {url.partition('?')[0]} is no URL: {error}") from error
        if "@" in parts.netloc or parts.fragment:
            scheme = url.partition(":")[0]
            raise UsageError(f"--store {scheme}:… must have no user, password or fragment: anybody can see it")
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            values.setdefault(name, []).append(value)
        return cls(url, environ, url.partition("?")[0].partition(":")[2], values)

    def take(self, name: str, default: str = "") -> str:
        """One value of the query.

        Raises:
            UsageError: it is given twice.
        """
        found = self.values.pop(name, [])
        if len(found) > 1:
            raise UsageError(f"--store {self.url}: {name} is given twice")
        return found[0] if found else default

    def seconds(self, name: str, default: float) -> float:
        """One value of the query, a number of seconds above 0.

        Raises:
            UsageError: it is none.
        """
        text = self.take(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= 86400:
            raise UsageError(f"--store {self.url}: {name} must be a number of seconds above 0")
        return value

    def all(self, name: str) -> list[str]:
        """All values of the query by that name, in their order."""
        return self.values.pop(name, [])

    def path(self, form: str) -> Path:
        """What stands after the scheme, as a path; `~` is the home folder.

        Args:
            form: what the URL should look like, for the message.

        Raises:
            UsageError: there is none.
        """
        if not self.rest:
            raise UsageError(f"--store {self.url} needs a path: {form}")
        home = self.environ.get("HOME", "")
        if home and self.rest.startswith("~/"):
            return Path(home, self.rest[2:])
        return Path(self.rest)

    def done(self) -> None:
        """Nothing may be left.

        Raises:
            UsageError: names what nobody took.
        """
        if self.values:
            raise UsageError(f"--store {self.url}: unknown: {', '.join(sorted(self.values))}")
