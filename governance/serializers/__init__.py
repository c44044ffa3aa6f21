"""What governance takes and tells over REST."""
