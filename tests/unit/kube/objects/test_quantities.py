import pytest

from tiphys.errors import SpecError
from tiphys.kube.objects.quantities import milli


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("100m", 100),
        ("1", 1000),
        (2, 2000),
        ("0.5", 500),
        (".5", 500),
        ("1.", 1000),
        ("1e3", 1_000_000),
        ("2E", 2_000 * 10**18),
        ("100Mi", 100 * 1024 * 1024 * 1000),
        ("1k", 1_000_000),
        ("-3", -3000),
        ("1n", 1),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(text, thousandths):
    assert milli(text) == thousandths


@pytest.mark.parametrize("text", ["", "1 Gi", "ten", "1KB", "0x10", "1e"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(SpecError, match="is not a quantity"):
        milli(text)
