"""Alert rules: measurements, the check, and the notifications of channels."""
