"""Money in responses."""

from rest_framework import serializers

from governance.budgets.reservations import MICRO_PER_CENT


class CentsField(serializers.FloatField):
    """US cents of an amount that is kept in micro-USD, rounded once."""

    def to_representation(self, value: int) -> float:
        """The amount to four digits."""
        return round(value / MICRO_PER_CENT, 4)
