"""Deliveries to URLs: signed, retried and on record."""
