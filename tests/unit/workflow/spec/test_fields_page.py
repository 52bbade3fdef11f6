"""docs/reference/fields.md says what the table says."""

import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).parents[4]


def test_the_page_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("fields_page", ROOT / "tools" / "fields_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "reference" / "fields.md").read_text()
    assert page == module.page(), "run: python tools/fields_page.py > docs/reference/fields.md"
