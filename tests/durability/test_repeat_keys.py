"""An idempotency key stands for one run, however many ask at once."""

from tests.durability.repeat_keys import repeat_keys
from tests.durability.stand import Stand


def test_the_same_key_at_the_same_moment_makes_one_run(stand: Stand) -> None:
    report = repeat_keys(stand, keys=3, clients=20)
    assert report.ok, str(report)
