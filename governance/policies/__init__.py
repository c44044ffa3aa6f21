"""Policies: the rules, the decision on an action, and the back-test of a candidate."""
