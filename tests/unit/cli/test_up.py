"""`tiphys up` and what can be in its way."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pwd
import resource
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from conftest import Cluster
from tiphys.cli.main import main
from tiphys.errors import TiphysError
from tiphys.kit.redact import Secret
from tiphys.local import Local, Settings
from tiphys.local.place import Place


@pytest.fixture
def stopped(tmp_path: pathlib.Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path / "data")
    yield found
    found.tiphys("down")


def test_up_status_down_and_up_again_at_the_same_address(stopped: Cluster) -> None:
    said = stopped.tiphys("up", "-d")
    assert f"export KUBECONFIG={stopped.kubeconfig}" in said
    assert stopped.kubeconfig.stat().st_mode & 0o777 == 0o600
    first = stopped.kubeconfig.read_text()
    assert "tiphys is ready" in stopped.tiphys("status")
    assert "has stopped" in stopped.tiphys("down")
    assert "does not run" in stopped.tiphys("status", code=3)
    stopped.tiphys("up", "-d")
    assert stopped.kubeconfig.read_text() == first


def test_a_second_start_on_the_same_data_says_who_has_it(stopped: Cluster) -> None:
    stopped.tiphys("up", "-d")
    said = stopped.tiphys("up", "-d", code=1)
    assert "in use by process" in said
    assert f"`tiphys down --data-dir {stopped.folder}`" in said
    assert "Traceback" not in said
    assert "tiphys is ready" in stopped.tiphys("status")


def test_a_port_that_is_taken(stopped: Cluster) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = stopped.tiphys("up", "-d", "--port", str(port), code=1)
    assert said == f"Error: port {port} of 127.0.0.1 cannot be used: Address already in use; choose another --port\n"
    stopped.tiphys("up", "-d")


@pytest.mark.parametrize(
    ("flag", "value", "why"),
    [
        ("--host-path", "{}/nope", "--host-path {}/nope: there is no such directory: make it (mkdir -p {}/nope)"),
        ("--host-path", "nope", "/nope: there is no such directory"),
        ("--secret-store", "n=file:{}/nope", "--secret-store n=file:{}/nope: there is no such file: write it first"),
        ("--secret-store", "n=file:{}", "it is no file: name one in YAML"),
        ("--secret-store", "n=exec:nope-there-is-none --x", "there is no program nope-there-is-none"),
        ("--secret-store", "file:{}/nope", "write NAME=file:/path.yaml, NAME=env:PREFIX or NAME=exec:COMMAND"),
    ],
)
def test_what_a_flag_names_must_be_there(
    stopped: Cluster, tmp_path: pathlib.Path, flag: str, value: str, why: str
) -> None:
    for how in (("-d",), ()):
        said = stopped.tiphys("up", *how, flag, value.replace("{}", str(tmp_path)), code=1)
        assert why.replace("{}", str(tmp_path)) in said
        assert "Traceback" not in said


def test_a_host_path_may_be_given_from_where_one_is(
    stopped: Cluster, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    store = tmp_path / "store.yaml"
    store.write_text("{}")
    store.chmod(0o600)
    said = stopped.tiphys("up", "-d", "--host-path", "here", "--secret-store", f"n=file:{store}")
    assert "tiphys is ready" in said


def test_a_database_that_is_damaged_or_newer_is_left_as_it_is(stopped: Cluster) -> None:
    stopped.tiphys("up", "-d")
    stopped.tiphys("down")
    path = stopped.folder / "tiphys.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    assert "newer Tiphys" in stopped.tiphys("up", "-d", code=1)
    before = b"garbage " * 1000
    path.write_bytes(before)
    assert "damaged" in stopped.tiphys("up", "-d", code=1)
    assert path.read_bytes() == before


def test_what_was_written_is_there_after_a_kill(stopped: Cluster, kubectl: str) -> None:
    stopped.tiphys("up", "-d")
    stopped.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    pid = int((stopped.folder / "tiphys.db.lock").read_text())
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    readable, _, _ = select.select([process], [], [], 10)
    os.close(process)
    assert readable, "it did not die"
    stopped.tiphys("up", "-d")
    assert stopped.get("cm", "kept")["data"] == {"a": "b"}


def test_the_foreground_says_when_it_is_ready_and_stops_at_sigterm(stopped: Cluster) -> None:
    command = [sys.executable, "-m", "tiphys.cli.main", "up", "--data-dir", str(stopped.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("tiphys is ready at https://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_merge_keeps_the_other_clusters(
    stopped: Cluster, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.write_text(
        "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: []\nusers: []\n"
    )
    stopped.tiphys("up", "-d")
    command = [sys.executable, "-m", "tiphys.cli.main", "kubeconfig", "--merge", "--data-dir", str(stopped.folder)]
    done = subprocess.run(
        command, env={**os.environ, "KUBECONFIG": str(own)}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    text = own.read_text()
    assert "current-context: tiphys" in text
    assert "name: x" in text
    itself = {**os.environ, "KUBECONFIG": str(stopped.kubeconfig)}
    done = subprocess.run(command, env=itself, capture_output=True, text=True, timeout=30)
    assert (done.returncode, "`unset KUBECONFIG` first" in done.stderr) == (1, True), "nothing can be added to itself"


MINE = "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [%s]\n"
OTHERS = "{name: tiphys, cluster: {server: 'https://10.0.0.1:6443'}}"


@pytest.mark.parametrize(
    ("mode", "content", "says"),
    [
        (0o600, "a: [\n", "is not YAML: line 2, column 1"),
        (0o600, "just words\n", "is not a kubeconfig"),
        (0o600, "clusters: {a: b}\n", "is not a kubeconfig (clusters is no list of maps)"),
        (0o600, MINE % OTHERS, "has another cluster of the name tiphys (https://10.0.0.1:6443)"),
        (0o400, MINE % "", "is read-only and was left as it was: chmod u+w it first"),
        (0o600, "\udcff", "is not YAML: not UTF-8"),
    ],
)
def test_a_kubeconfig_that_cannot_be_added_to_is_left_as_it_is(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: int,
    content: str,
    says: str,
) -> None:
    data, own = Place(tmp_path / "data"), tmp_path / "own"
    data.write_kubeconfig("https://127.0.0.1:1", Secret("word"))
    own.write_bytes(content.encode(errors="surrogateescape"))
    own.chmod(mode)
    monkeypatch.setenv("KUBECONFIG", str(own))
    assert main(["kubeconfig", "--merge", "--data-dir", str(data.folder)]) == 1
    assert says in capsys.readouterr().err
    assert own.read_bytes() == content.encode(errors="surrogateescape")
    assert own.stat().st_mode & 0o777 == mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "own"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda own: own.symlink_to(own), "is a link that leads to itself: it was left as it was"),
        (lambda own: os.mkfifo(own), "is no file: it was left as it was"),
        (lambda own: own.mkdir(), "is no file: it was left as it was"),
    ],
    ids=["loop", "pipe", "folder"],
)
def test_merge_into_what_is_no_file_is_refused_at_once(
    make: Callable[[pathlib.Path], object],
    says: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, own = Place(tmp_path / "data"), tmp_path / "own"
    data.write_kubeconfig("https://127.0.0.1:1", Secret("word"))
    make(own)
    monkeypatch.setenv("KUBECONFIG", str(own))
    assert main(["kubeconfig", "--merge", "--data-dir", str(data.folder)]) == 1
    assert says in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "own"]


def test_merge_goes_where_kubectl_would_write(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Place(tmp_path / "data")
    data.write_kubeconfig("https://127.0.0.1:1", Secret("word"))
    first, second, real = tmp_path / "first", tmp_path / "second", tmp_path / "real"

    def merged() -> int:
        return main(["kubeconfig", "--merge", "--data-dir", str(data.folder)])

    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    assert merged() == 0
    assert (first.exists(), "tiphys" in second.read_text()) == (False, True), "none is there: the last"
    second.unlink()
    real.write_text(MINE % "")
    second.symlink_to(real)
    assert merged() == 0
    assert merged() == 0, "once more is no other cluster"
    assert not first.exists(), "of several the first that is there"
    assert second.is_symlink()
    assert real.read_text().count("name: tiphys") == 3
    assert "name: x" in real.read_text()
    (tmp_path / "real.lock").touch()
    assert merged() == 1, "kubectl is at it"
    assert (tmp_path / "real.lock").exists()


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        *(
            (f"pki/{name}", damage)
            for name in ("ca.crt", "server.crt", "server.key")
            for damage in (b"\xff", b"", None)
        ),
        *((name, damage) for name in ("admin.token", "config.yaml") for damage in (b"\xff", None)),
    ],
)
def test_a_damaged_file_is_named(tmp_path: pathlib.Path, file: str, damage: bytes | None) -> None:
    data = Place(tmp_path)
    data.admin_token()
    _ = data.authority
    path = tmp_path / file
    path.unlink(missing_ok=True)
    if damage is None:
        path.mkdir()
    else:
        path.write_bytes(damage)
    with pytest.raises(TiphysError, match=r"are damaged|cannot be read|not UTF-8"):
        Local(Settings.read(tmp_path))


def test_the_end_of_the_terminal_is_a_stop(stopped: Cluster) -> None:
    command = [sys.executable, "-m", "tiphys.cli.main", "up", "--data-dir", str(stopped.folder)]
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may be run by nohup, which it would inherit
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(signal.SIGHUP, before)
        assert process.stdout is not None
        assert "tiphys is ready" in process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"XDG_DATA_HOME": "relative", "HOME": "/there"}, "/there/.local/share/tiphys"),
        ({"XDG_DATA_HOME": "/data", "HOME": "/there"}, "/data/tiphys"),
        ({"HOME": ""}, f"{pwd.getpwuid(os.getuid()).pw_dir}/.local/share/tiphys"),
        ({}, f"{pwd.getpwuid(os.getuid()).pw_dir}/.local/share/tiphys"),
    ],
)
def test_where_the_data_lies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: dict[str, str], place: str
) -> None:
    for name in ("XDG_DATA_HOME", "HOME", "TIPHYS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    main(["status"])
    said = capsys.readouterr().out
    assert f"in {place} (" in said or f"Data:        {place}\n" in said


def test_a_user_without_a_home_is_told_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    data = Place(tmp_path / "data")
    data.write_kubeconfig("https://127.0.0.1:1", Secret("word"))
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("XDG_DATA_HOME", "HOME", "TIPHYS_DATA_DIR", "KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for words in (["status"], ["kubeconfig", "--merge", "--data-dir", str(data.folder)]):
        assert main(words) == 1
        assert capsys.readouterr().err.startswith("Error: this user has no home directory: set HOME")
    assert main(["list"]) == 1
    assert "no cluster is configured (looked at nothing)" in capsys.readouterr().err


def test_advice_is_about_the_same_data(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a b"
    assert main(["status", "--data-dir", str(folder)]) == 3
    assert f"(start it: tiphys up -d --data-dir '{folder}')" in capsys.readouterr().out
    assert main(["kubeconfig", "--data-dir", str(folder)]) == 1
    assert f"`tiphys up -d --data-dir '{folder}'`" in capsys.readouterr().err
    for command in ("up", "down", "status", "kubeconfig", "doctor"):
        assert main([command, "--data-dir", ""]) == 1
        assert "--data-dir is empty" in capsys.readouterr().err
        assert main([command, "--data-dir", "y" * 300]) == 1
        assert "choose another --data-dir" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fly",), 'unknown command "fly"'),
        (("up", "--port", "99999"), "port 99999 does not exist"),
        (("up", "--port", "x"), "invalid int value"),
        (("kubeconfig",), "start the cluster with `tiphys up -d`"),
    ],
)
def test_bad_input_is_one_line_and_exit_1(stopped: Cluster, arguments: tuple[str, ...], says: str) -> None:
    said = stopped.tiphys(*arguments, code=1)
    assert said.startswith("Error: ")
    assert says in said
    assert "Traceback" not in said


def test_doctor_finds_this_machine_fit(stopped: Cluster) -> None:
    said = stopped.tiphys("doctor")
    assert "Python" in said
    assert "mount namespaces" in said
    assert "✔ time: 2" in said
    assert "✔ ports of 127.0.0.1: free" in said


def test_doctor_tells_a_port_that_somebody_else_has(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (tmp_path / "port").write_text(f"{port}\n")
        assert main(["doctor", "--data-dir", str(tmp_path)]) == 0
    assert f"! port {port} of 127.0.0.1: address already in use: `tiphys up` takes another" in capsys.readouterr().out


def test_another_users_data_is_not_said_to_be_idle(tmp_path: pathlib.Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become somebody else")
    tmp_path.chmod(0o700)
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "tiphys.cli.main"]
    for command, code in (("status", 1), ("down", 1), ("doctor", 1)):
        done = subprocess.run(
            [*become, command, "--data-dir", str(tmp_path)], capture_output=True, text=True, timeout=30, cwd="/"
        )
        if "No module named" in done.stderr:
            pytest.skip("the programs cannot be read by an ordinary user")
        assert (done.returncode, "Traceback" in done.stderr) == (code, False)
        assert "another user's" in done.stdout + done.stderr or "cannot be looked at" in done.stdout + done.stderr


@pytest.fixture
def small_disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A file system of 3 MB that can be filled, and made read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, timeout=30).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=30)


def fill(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "fill"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return path


def test_a_full_disk_refuses_writes_and_loses_nothing(small_disk: pathlib.Path, kubectl: str) -> None:
    cluster = Cluster(small_disk / "data")
    cluster.tiphys("up", "-d")
    try:
        cluster.kubectl("create", "configmap", "kept", "--from-literal=a=b")
        filled = fill(small_disk)
        said = cluster.kubectl("create", "configmap", "lost", "--from-literal=a=b", code=1)
        assert said == (
            f"error: failed to create configmap: {small_disk}/data/tiphys.db cannot be written: "
            "database or disk is full (is the disk full or read-only?)\n"
        )
        assert cluster.get("cm", "kept")["data"] == {"a": "b"}
        filled.unlink()
        cluster.kubectl("create", "configmap", "after", "--from-literal=a=b")
        cluster.tiphys("down")
        cluster.tiphys("up", "-d")
        names = cluster.kubectl("get", "cm", "-o", "name").split()
        assert {"configmap/kept", "configmap/after"} <= set(names)
        assert "configmap/lost" not in names
    finally:
        cluster.tiphys("down")


@pytest.mark.parametrize("flags", [(), ("-d",)], ids=["foreground", "background"])
def test_a_start_on_a_full_disk_says_so_and_the_next_one_works(
    small_disk: pathlib.Path, flags: tuple[str, ...]
) -> None:
    cluster = Cluster(small_disk / "data")
    cluster.folder.mkdir()
    filled = fill(small_disk)
    said = cluster.tiphys("up", *flags, code=1)
    assert said.startswith("Error: ")
    assert "No space left on device" in said or "disk is full" in said
    assert said.count("\n") == 1
    filled.unlink()
    cluster.tiphys("up", "-d")
    cluster.tiphys("down")


@pytest.mark.parametrize("flags", [(), ("-d",)], ids=["foreground", "background"])
def test_a_read_only_disk_is_left_as_it_is(small_disk: pathlib.Path, flags: tuple[str, ...]) -> None:
    cluster = Cluster(small_disk / "data")
    cluster.tiphys("up", "-d")
    cluster.tiphys("down")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True, timeout=30)
    said = cluster.tiphys("up", *flags, code=1)
    assert said == f"Error: {cluster.folder} cannot be written: Read-only file system; choose another --data-dir\n"


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("tiphys.db.key", None, "tiphys.db.key is missing: restore it from a backup; nothing was changed"),
        ("tiphys.db.key", b"x", "tiphys.db.key is damaged (it has 1 bytes, not 32): restore it from a backup"),
        ("tiphys.db.key", bytes(32), "restore the key file it was made with"),
        ("tokens.key", b"x", "tokens.key is damaged: restore it from a backup"),
        ("admin.token", b"", "the administrator's token is empty: remove its file, and another is made"),
    ],
)
def test_a_key_that_is_lost_or_damaged_is_not_replaced(
    stopped: Cluster, kubectl: str, file: str, content: bytes | None, says: str
) -> None:
    stopped.tiphys("up", "-d")
    stopped.kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    stopped.tiphys("down")
    path = stopped.folder / file
    before = path.read_bytes()
    path.unlink()
    if content is not None:
        path.touch(0o600)
        path.write_bytes(content)
    said = stopped.tiphys("up", "-d", code=1)
    assert says in said
    assert said.count("\n") == 1
    assert (path.read_bytes() if path.exists() else None) == content
    path.touch(0o600)
    path.write_bytes(before)
    stopped.tiphys("up", "-d")
    assert stopped.get("secret", "s")["data"] == {"a": "Yg=="}


def test_a_stop_ends_the_watches_of_others_and_leaves_nothing_in_the_log(stopped: Cluster, kubectl: str) -> None:
    stopped.tiphys("up", "-d")
    env = {**os.environ, "KUBECONFIG": str(stopped.kubeconfig), "HOME": str(stopped.folder)}
    stopped.kubectl("create", "configmap", "c")
    with subprocess.Popen([kubectl, "get", "cm", "-w"], stdout=subprocess.PIPE, text=True, env=env) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("NAME")
        stopped.tiphys("down")
        assert (stopped.folder / "tiphys.log").read_text() == ""
        watch.kill()


def test_the_server_has_as_many_connections_as_its_user_may_and_steps_what_it_was_started_with(
    stopped: Cluster, tmp_path: pathlib.Path
) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    manifest = tmp_path / "limit.json"
    container = {"image": "python:3", "command": ["sh", "-c", "ulimit -Sn"]}
    spec = {"entrypoint": "main", "templates": [{"name": "main", "container": container}]}
    about = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "limit-"}}
    manifest.write_text(json.dumps({**about, "spec": spec}))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        stopped.tiphys("up", "-d")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    server = int((stopped.folder / "tiphys.db.lock").read_text())
    assert resource.prlimit(server, resource.RLIMIT_NOFILE) == (hard, hard)
    assert ": 256\n" in stopped.tiphys("submit", "--log", str(manifest))
