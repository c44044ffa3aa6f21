"""`make measure`: the sizes and names of the source, as figures with their limits."""
