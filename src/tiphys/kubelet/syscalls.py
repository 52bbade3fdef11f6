"""The Linux calls Python has no name for, by ctypes: mounts, namespaces, prctl, capabilities.

Called by the processes outside the server (`sandbox`, `shim`, `process`). Each raises OSError with the kernel's word.
"""

from __future__ import annotations

import ctypes
import os
import resource

__all__ = [
    "CLONE_NEWNS",
    "CLONE_NEWUSER",
    "CONTAINER_CAPABILITIES",
    "MNT_DETACH",
    "MS_BIND",
    "MS_MOVE",
    "MS_NODEV",
    "MS_NOSUID",
    "MS_REC",
    "MS_SLAVE",
    "MS_UNBINDABLE",
    "bound_capabilities",
    "close_from",
    "drop_capabilities",
    "forbid_new_privileges",
    "kill_with_parent",
    "make_read_only",
    "mount",
    "reserve",
    "set_dumpable",
    "set_subreaper",
    "setns",
    "umount",
    "unshare",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MNT_DETACH = 2
MS_NOSUID = 2
MS_NODEV = 4
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_SLAVE = 1 << 19

CONTAINER_CAPABILITIES = sum(1 << number for number in (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31))
"""What container runtimes leave to root: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, AUDIT_WRITE, SETFCAP. Not MKNOD: no cgroup keeps devices from being opened here.
"""

_SYS_CLOSE_RANGE = 436
_SYS_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1
_FALLOC_FL_KEEP_SIZE = 1

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    made = _libc.mount(
        os.fsencode(source), os.fsencode(target), os.fsencode(kind) or None, ctypes.c_ulong(flags), options.encode()
    )
    _check(made, f"mount {source} on {target}")


def make_read_only(target: str) -> None:
    """mount_setattr(2): a mount and all below it become read-only; their other flags stay."""
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY)
    made = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    _check(made, f"mount_setattr {target}")


def umount(target: str) -> None:
    """umount2(2), lazily: what is still in use goes with its last user."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def reserve(fd: int, size: int) -> None:
    """fallocate(2): these bytes can be written, however full the file system gets; the file is no longer for it."""
    made = _libc.fallocate(fd, _FALLOC_FL_KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(size))
    _check(made, f"fallocate {size}")


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int) -> None:
    """setns(2) of a mount namespace; root and working directory become that namespace's root."""
    _check(_libc.setns(fd, CLONE_NEWNS), "setns")


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def close_from(first: int) -> None:
    """Close every descriptor from this one on: also those above RLIMIT_NOFILE, which others may have lowered."""
    if _libc.syscall(ctypes.c_long(_SYS_CLOSE_RANGE), ctypes.c_uint(first), ctypes.c_uint(0xFFFFFFFF), 0) != 0:
        os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # a kernel before 5.9


def kill_with_parent(signal_number: int) -> None:
    """Get this signal when the thread that forked this process ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def set_subreaper() -> None:
    """Orphans among the descendants become this process's children, so that it finds them all."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_dumpable() -> None:
    """Let processes of the same user look into /proc/self again, after a new user namespace forbade it."""
    _prctl(_PR_SET_DUMPABLE, 1)


def forbid_new_privileges() -> None:
    """No exec gives more rights from now on (allowPrivilegeEscalation: false)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities(kept: int = 0) -> None:
    """Give up every capability but these (bits), for good where the user is not root: those of a new user namespace,
    or of root. Of the first 32 that there are any may be kept.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    now = (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, now), "capget")
    effective, permitted = now[0] & kept, now[1] & kept
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)(effective, permitted)), "capset")


def bound_capabilities(kept: int) -> None:
    """What this process executes from now on gets none but these (bits), root or not; it keeps its own."""
    number = 0
    while _libc.prctl(_PR_CAPBSET_READ, ctypes.c_ulong(number), 0, 0, 0) >= 0:
        if not kept >> number & 1:
            _prctl(_PR_CAPBSET_DROP, number)
        number += 1
