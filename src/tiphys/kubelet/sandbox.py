"""A container's own view of the file system: the host's, with private and mounted paths laid over it.

Called by the zygote (`join`, once) and the shim (`build`, for each start of a container). The view is a new tmpfs on
which every entry of the host's root is bound, except `/tmp`, `/dev` and `/run`, which are the container's own, as a
container runtime gives them. So a step can make `/work` or write to `/`, and nobody else sees it. Directories that a
mount needs below one of the host's (`/mnt/vol`, `/etc/config`) are made by laying that directory out entry by entry on
the tmpfs; the host's own is never written to.

An ordinary user gets mounts through a user namespace that maps only itself; root needs none.
"""

from __future__ import annotations

import os
import stat

from tiphys.kubelet import syscalls
from tiphys.kubelet.syscalls import MS_BIND, MS_MOVE, MS_NODEV, MS_NOSUID, MS_REC, MS_UNBINDABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["TERMINATION_LOG", "Bind", "Survey", "allowed", "become_user_apart", "build", "join"]

TERMINATION_LOG = "/dev/termination-log"
"""Where Kubernetes has a container leave its last words, unless told otherwise."""

_MESSAGE_BYTES = 4096  # that Kubernetes reads of it
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "ptmx": "pts/ptmx",
    "stderr": "/proc/self/fd/2",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
}
_OWN = frozenset(("dev", "run", "tmp"))
# What name resolution needs of the host's /run (/etc/resolv.conf is often a link into it), and where some
# distributions keep the very programs.
_RUN_KEPT = (
    "NetworkManager",
    "booted-system",
    "connman",
    "current-system",
    "nscd",
    "resolvconf",
    "systemd/resolve",
    "wrappers",
)


class Bind:
    """A file or directory of the host to be seen at a path of the container."""

    __slots__ = ("path", "read_only", "source")

    def __init__(self, source: str, path: str, read_only: bool = False) -> None:
        self.source = source
        self.path = path
        self.read_only = read_only


class Survey:
    """What the host's root holds, looked up once for all containers, and again when it has changed."""

    def __init__(self) -> None:
        self.links: list[tuple[str, str]] = []
        self.shown: list[tuple[str, bool]] = []
        self.run: list[str] = []
        self._moment = -1

    def renew(self) -> None:
        """Look, where something has changed."""
        moment = os.stat("/").st_mtime_ns
        if moment == self._moment:
            return
        entries = [entry for entry in os.scandir("/") if entry.name not in _OWN]
        self.links = [(entry.name, os.readlink(entry.path)) for entry in entries if entry.is_symlink()]
        self.shown = [(entry.name, entry.is_dir()) for entry in entries if not entry.is_symlink()]
        self.run = [name for name in _RUN_KEPT if os.path.isdir(f"/run/{name}")]
        self._moment = moment


def join() -> None:
    """Move this process into a mount namespace of its own, where it and its children may mount.

    Raises:
        OSError: the kernel does not allow it to this user.
    """
    if os.geteuid() == 0:
        syscalls.unshare(syscalls.CLONE_NEWNS)
    else:
        proc = os.open("/proc", os.O_PATH | os.O_CLOEXEC)
        become_user_apart(proc, syscalls.CLONE_NEWNS)
        os.close(proc)
    syscalls.mount("", "/", "", syscalls.MS_SLAVE | MS_REC)


def become_user_apart(proc: int, also: int = 0) -> None:
    """Move this process of an ordinary user's into a user namespace of its own, which maps only itself.

    Args:
        proc: a descriptor of /proc.
        also: other namespaces to make with it.

    Raises:
        OSError: the kernel does not allow it to this user, or has no more of them.
    """
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER | also)
    syscalls.set_dumpable()
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        fd = os.open(f"self/{name}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def allowed() -> str:
    """Why this user may not have mount namespaces here, from the kernel's own mouth; "" when it may.

    Tried in a child, so it must be called where forking is harmless: in a process without threads.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            join()
            syscalls.mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "size=4k")
        except OSError as error:
            os.write(writer, str(error).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader) as answer:
        return answer.read()


def build(
    survey: Survey,
    stage: str,
    binds: Iterable[Bind],
    kept: Iterable[str],
    hidden: str,
    size: int,
    *,
    read_only: bool,
    own_message: bool,
) -> None:
    """Make the container's root in this process's mount namespace and move into it.

    Args:
        survey: of the host's root.
        stage: an empty directory to build it on.
        binds: volumes and private directories (`/tmp` among them); parents may be mounted too.
        kept: directories of the host to keep although they lie below a private one (the Python environment).
        hidden: a directory of the host in whose place an empty one is seen; "" for none.
        size: bytes that may be written to the root itself.
        read_only: nothing can be written but to `binds` and /dev/shm.
        own_message: TERMINATION_LOG is a file of the root's own; not where that is read-only.

    Raises:
        OSError: a mount point cannot be made, or the kernel refuses; the message names the path.
    """
    syscalls.mount("tmpfs", stage, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=755,size={size}")
    root = _Root(stage)
    if own_message:
        root.make_message()
    # The stage lies below one of the directories that are bound with all that is mounted below them.
    syscalls.mount("", stage, flags=MS_UNBINDABLE)
    survey.renew()
    root.make_top(survey)
    root.make_dev()
    ordered = sorted(binds, key=lambda bind: bind.path.rstrip("/").count("/"))
    ordered += [Bind(path, path) for path in kept if path.split("/")[1] in _OWN]
    points: dict[str, str] = {}
    # All mount points first: making one may lay a directory out anew, which would hide what is mounted below it.
    for bind in ordered:
        if any(bind.path == above or bind.path.startswith(above + "/") for above in points):
            points[bind.path] = ""  # in another volume, which is not mounted yet
        else:
            points[bind.path] = root.mount_point(bind.path, os.path.isdir(bind.source))
    if read_only:
        root.seal(size)
    if hidden and os.path.isdir(stage + hidden):
        syscalls.mount("tmpfs", stage + hidden, "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,mode=555")
    for number, bind in enumerate(ordered, 1):
        root.bind(bind, points[bind.path], [other for other in ordered[number:] if not points[other.path]])
    # Laid over the host's root, not put in its place: unmounting that would wait for every processor (measured: 1 to
    # 3 ms). Whoever joins the namespace, and whoever is in it, finds the uppermost root.
    os.chdir(stage)
    syscalls.mount(stage, "/", flags=MS_MOVE)
    os.chroot(".")


class _Root:
    """A root under construction."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._device = os.stat(stage).st_dev
        self._laid_out = False
        for name in _OWN:
            os.mkdir(f"{stage}/{name}")

    def make_message(self) -> None:
        """The termination message's file: a mount of its own, so that nobody can put another one in its place, with
        room of its own, so that who has filled the root can still say so.
        """
        message = f"{self._stage}{TERMINATION_LOG}"
        fd = os.open(message, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666)
        syscalls.reserve(fd, _MESSAGE_BYTES)
        os.close(fd)
        syscalls.mount(message, message, flags=MS_BIND)

    def make_top(self, survey: Survey) -> None:
        """Every entry of the host's root, each bound on its own, so that others can be put beside them; an empty /run,
        but for what name resolution needs.
        """
        for name, target in survey.links:
            os.symlink(target, f"{self._stage}/{name}")
        for name, directory in survey.shown:
            self._show(f"/{name}", directory)
        for name in survey.run:
            os.makedirs(f"{self._stage}/run/{name}")
            syscalls.mount(f"/run/{name}", f"{self._stage}/run/{name}", flags=MS_BIND | MS_REC)

    def _lay_out(self, directory: str) -> None:
        for entry in os.scandir(directory):
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), f"{self._stage}{entry.path}")
            else:
                self._show(entry.path, entry.is_dir())

    def _show(self, path: str, directory: bool) -> None:
        self._put(f"{self._stage}{path}", directory)
        syscalls.mount(path, f"{self._stage}{path}", flags=MS_BIND | MS_REC)

    @staticmethod
    def _put(target: str, directory: bool) -> None:
        if directory:
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))

    def make_dev(self) -> None:
        """/dev as container runtimes give it."""
        dev = f"{self._stage}/dev"
        for name in _DEVICES:
            self._put(f"{dev}/{name}", False)
            syscalls.mount(f"/dev/{name}", f"{dev}/{name}", flags=MS_BIND)
        for name, target in _DEVICE_LINKS.items():
            os.symlink(target, f"{dev}/{name}")
        for name in ("pts", "shm"):
            os.mkdir(f"{dev}/{name}")
        syscalls.mount("/dev/pts", f"{dev}/pts", flags=MS_BIND | MS_REC)
        os.chmod(f"{dev}/shm", 0o1777)  # noqa: S103 - as it is everywhere

    def seal(self, size: int) -> None:
        """Nothing that is there so far can be written; /dev/shm is a file system of its own."""
        syscalls.make_read_only(self._stage)
        shm = f"{self._stage}/dev/shm"  # noqa: S108 - the container's own
        syscalls.mount("tmpfs", shm, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=1777,size={size}")

    def mount_point(self, path: str, directory: bool) -> str:
        """Where in the new root `path` is, links followed; what is missing is made, but not in the host's directories.

        Once volumes are being mounted, only their own directories can lack something.
        """
        at, rest, links = self._stage, path.strip("/").split("/"), 0
        while rest:
            name = rest.pop(0)
            here = f"{at}/{name}"
            try:
                mode = os.lstat(here).st_mode
            except FileNotFoundError:
                if not self._laid_out:
                    self._own(at)
                self._put(here, directory or bool(rest))
            else:
                if stat.S_ISLNK(mode):
                    links += 1
                    if links > 40:
                        raise OSError(40, f"too many symbolic links in the mount path {path}")
                    target = os.readlink(here)
                    at, rest = (self._stage if target.startswith("/") else at), target.strip("/").split("/") + rest
                    continue
            at = os.path.normpath(here)
            if not f"{at}/".startswith(f"{self._stage}/"):
                at = self._stage
        return at

    def _own(self, at: str) -> None:
        """Make `at` a directory of the tmpfs where it is one of the host's."""
        below = at[len(self._stage) :].strip("/")
        host = ""
        for name in below.split("/") if below else ():
            host = f"{host}/{name}"
            here = f"{self._stage}{host}"
            if os.stat(here).st_dev != self._device:
                mode = stat.S_IMODE(os.stat(host).st_mode)
                syscalls.umount(here)
                os.chmod(here, mode | 0o700)
                self._lay_out(host)

    def bind(self, bind: Bind, point: str, inner: Iterable[Bind]) -> None:
        """Mount; a mount point inside another volume (`point` "") is made there, as Kubernetes does: those of `inner`
        before a volume becomes read-only.
        """
        self._laid_out = True
        try:
            target = point or self.mount_point(bind.path, os.path.isdir(bind.source))
            syscalls.mount(bind.source, target, flags=MS_BIND | MS_REC)
            if bind.read_only:
                for other in inner:
                    if other.path.startswith(f"{bind.path.rstrip('/')}/"):
                        self.mount_point(other.path, os.path.isdir(other.source))
                syscalls.make_read_only(target)
        except OSError as error:
            raise OSError(error.errno, f"mount path {bind.path}: {error.strerror}") from error
