"""What a request may do to a run: start, cancel, resume, answer, look up."""
