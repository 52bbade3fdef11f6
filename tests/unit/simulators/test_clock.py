"""One clock for everything, faster than the wall or moved by hand."""

import asyncio

import pytest

from tiphys_simulators.clock import SimulatedClock, iso


def test_a_still_clock_moves_only_by_hand() -> None:
    async def run() -> None:
        clock = SimulatedClock(speed=0)
        before = clock.now()
        sleeper = asyncio.create_task(clock.sleep_until(before + 600))
        await asyncio.sleep(0)
        clock.advance(599)
        await asyncio.sleep(0)
        assert not sleeper.done()
        clock.advance(1)
        await asyncio.wait_for(sleeper, 5)
        assert clock.now() == before + 600

    asyncio.run(run())


def test_a_fast_clock_makes_long_penalties_short() -> None:
    async def run() -> None:
        clock = SimulatedClock(speed=100_000)
        await asyncio.wait_for(clock.sleep_until(clock.now() + 600), 5)

    asyncio.run(run())


def test_no_clock_runs_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        SimulatedClock(speed=-1)
    with pytest.raises(ValueError, match="backwards"):
        asyncio.run(_advance(-1))


async def _advance(seconds: float) -> None:
    SimulatedClock().advance(seconds)


def test_moments_are_written_as_redfish_does() -> None:
    assert iso(0.9) == "1970-01-01T00:00:00+00:00"
