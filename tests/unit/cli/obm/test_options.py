"""What the options and a mounted ConfigMap `obm` say of a BMC."""

import argparse
import pathlib

import pytest

from tiphys.cli.obm.options import add_common, host_of
from tiphys.errors import UsageError


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_common(parser, wait=0)
    return parser.parse_args(["--address", "10.0.0.1", *arguments])


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    """As a pod has it: links of the kubelet's own beside the keys."""
    (tmp_path / "..data").mkdir()
    return tmp_path


def test_each_key_also_with_a_device_behind_it(config: pathlib.Path) -> None:
    for name in ("port.r1", "tls", "ca.crt.r2", "credentials", "store.r2"):
        (config / name).write_text({"port.r1": "8443", "tls": "ca"}.get(name, "x"))
    settings = host_of(parsed("--device", "r1", "--config", str(config))).settings
    assert (settings.port, settings.tls) == (8443, "ca")


@pytest.mark.parametrize(("name", "meant"), [("tsl", "tls"), ("Port", "port"), ("ca-crt.r1", "ca.crt")])
def test_a_key_that_nobody_reads_is_refused(config: pathlib.Path, name: str, meant: str) -> None:
    (config / name).write_text("x")
    with pytest.raises(UsageError, match=rf"key '{name}' of the ConfigMap obm is not known \(did you mean {meant}\?\)"):
        host_of(parsed("--device", "r1", "--config", str(config)))


def test_a_device_whose_name_is_longer_than_that_of_any_key(config: pathlib.Path) -> None:
    (config / "port").write_text("8443")
    assert host_of(parsed("--device", "日本" * 60, "--config", str(config))).settings.port == 8443


@pytest.mark.parametrize("port", ["²", "٤٤٣", "0", "65536", "1" * 5000])
def test_what_is_no_port(port: str) -> None:
    with pytest.raises(UsageError, match="is no port"):
        host_of(parsed("--port", port))
