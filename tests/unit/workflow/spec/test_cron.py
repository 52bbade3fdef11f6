"""Cron schedules: what is one, and what is said of what is not."""

import pytest

from tiphys.errors import SpecError
from tiphys.workflow.spec.cron import check_schedule


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "0 4 * * *",
        "*/5 0-6,12 ? jan-MAR sun",
        "5/15 * * * mon-fri",
        "@daily",
        "@every 1h30m",
        "@every 1.5s",
        "TZ=Europe/Berlin 0 4 * * *",
        "CRON_TZ=UTC @hourly",
    ],
)
def test_schedules(schedule: str) -> None:
    check_schedule(schedule)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("@often", "unrecognized descriptor: @often"),
        ("@every soon", 'failed to parse duration @every soon: time: invalid duration "soon"'),
        ("TZ=Nowhere/At-all * * * * *", "provided bad location Nowhere/At-all: unknown time zone Nowhere/At-all"),
    ],
)
def test_what_is_no_schedule(schedule: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_schedule(schedule)
    assert str(caught.value) == message
