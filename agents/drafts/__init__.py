"""The changes of a draft run: applied or discarded once the run has finished (RULINGS §7)."""
