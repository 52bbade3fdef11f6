"""The reference pages are what their programs print."""

import importlib.util
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["api", "cli", "outcomes"])
def test_the_page_is_up_to_date(name, monkeypatch):
    if name == "cli" and sys.version_info >= (3, 13):
        pytest.skip("argparse formats help in another way from Python 3.13 on")
    monkeypatch.setenv("COLUMNS", "100")
    spec = importlib.util.spec_from_file_location(f"{name}_page", ROOT / "tools" / f"{name}_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "reference" / f"{name}.md").read_text()
    assert page == module.page(), f"run: python tools/{name}_page.py > docs/reference/{name}.md"
