"""`make bench`: what the engine reaches, each figure beside a floor that is measured in the same run."""
