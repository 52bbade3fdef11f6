"""Images kept between runs, by their SHA-256: a fleet of one model fetches its image once.

Safe for many processes: one of them fetches an image while the others wait for it, and what is in use may be thrown
out, since it is read through an open file. What is found is compared again before it is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

from tiphys.errors import UsageError
from tiphys.kit.places import below_home
from tiphys.obm.firmware.image import Image, digest_of

__all__ = ["Cache", "cache_folder"]

_log = logging.getLogger(__name__)

_MOST_BYTES = 4 << 30
_LOOK_AGAIN_SECONDS = 1.0


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CACHE_HOME/tiphys/firmware`, else below the home directory.

    Raises:
        UsageError: this user has no home.
    """
    return below_home(environ, "XDG_CACHE_HOME", ".cache", instead="--cache") / "tiphys" / "firmware"


class Cache:
    """The images in one folder.

    Args:
        folder: made if it is not there; where it cannot be, a temporary one is used for this run.
        most: bytes that are kept; the images used longest ago go first.
        sleep: waits while another process fetches the same image.
    """

    def __init__(self, folder: Path, sleep: Callable[[float], None], *, most: int = _MOST_BYTES) -> None:
        self.folder = folder
        self._sleep = sleep
        self._most = most

    def find(self, sha256: str) -> int | None:
        """The size of an image that is here, None = it is not. Not compared."""
        with contextlib.suppress(OSError):
            return self._path(sha256).stat().st_size
        return None

    @contextlib.contextmanager
    def image(
        self, sha256: str, name: str, fetch: Callable[[BinaryIO], None], tick: Callable[[], None]
    ) -> Iterator[Image]:
        """An image, open; fetched if it is not here.

        Args:
            name: it is sent under (iDRACs look at it).
            fetch: writes it into a file, and has compared its digest when it returns; raises OSError where that
                cannot be written only.
            tick: called while time passes.

        Raises:
            UsageError: there is no place for it.
        """
        with contextlib.ExitStack() as stack:
            folder = self._folder(stack)
            try:
                with self._locked(folder / f"{sha256}.lock", tick):
                    found = self._kept(folder / sha256, sha256) or self._fetched(folder, sha256, fetch)
                    file = stack.enter_context(found)
                self._throw_out(folder, sha256)
            except OSError as error:  # a full disk; what fetches tells its own troubles otherwise
                raise UsageError(
                    f"the image cannot be kept in {folder}: {error.strerror or error}; --cache names another folder"
                ) from error
            yield Image(file, name, os.fstat(file.fileno()).st_size, sha256)

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256

    def _folder(self, stack: contextlib.ExitStack) -> Path:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if os.access(self.folder, os.W_OK):
                return self.folder
        except OSError as error:
            _log.info("%s cannot be made (%s); the image is not kept", self.folder, error.strerror)
        try:
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tiphys-firmware-")))
        except OSError as error:
            raise UsageError(f"there is no place for an image: {self.folder} and {tempfile.gettempdir()}") from error

    @contextlib.contextmanager
    def _locked(self, path: Path, tick: Callable[[], None]) -> Iterator[None]:
        """One process at a time; the lock goes with the process, and its file when nobody holds it."""
        while True:
            with path.open("wb") as lock:
                if not _taken(lock):
                    tick()
                    self._sleep(_LOOK_AGAIN_SECONDS)
                elif _is_still(path, lock):  # else it was swept between the two, and is nobody's lock any more
                    yield
                    return

    def _kept(self, path: Path, sha256: str) -> BinaryIO | None:
        try:
            file = path.open("rb")
        except OSError:
            return None
        if digest_of(file) == sha256:
            with contextlib.suppress(OSError):
                os.utime(path)
            return file
        file.close()
        _log.warning("%s is not what it was: it is fetched again", path)
        return None

    def _fetched(self, folder: Path, sha256: str, fetch: Callable[[BinaryIO], None]) -> BinaryIO:
        part = folder / f"{sha256}.part"
        try:
            with part.open("wb") as file:
                fetch(file)
            part.replace(folder / sha256)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return (folder / sha256).open("rb")

    def _throw_out(self, folder: Path, keep: str) -> None:
        """The images used longest ago, until the rest is small enough; and what killed processes have left."""
        found = []
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if path.suffix == ".part" and _free(path.with_suffix(".lock")):
                    path.unlink()
                elif path.suffix == ".lock":
                    _sweep(path)
                elif not path.suffix and path.name != keep:
                    found.append((path.stat().st_mtime, path.stat().st_size, path))
        room = self._most - (self.find(keep) or 0)
        for _, size, path in sorted(found, reverse=True):
            room -= size
            if room < 0:
                path.unlink(missing_ok=True)


def _taken(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, lock: IO[bytes]) -> bool:
    try:
        return path.stat().st_ino == os.fstat(lock.fileno()).st_ino
    except FileNotFoundError:
        return False


def _free(lock: Path) -> bool:
    """Whether no process holds it."""
    try:
        with lock.open("rb") as file:
            return _taken(file)
    except OSError:
        return True


def _sweep(lock: Path) -> None:
    """Take the file of a lock away while holding it, so that nobody has it at that moment."""
    with lock.open("rb") as file:
        if _taken(file) and _is_still(lock, file):
            lock.unlink()
