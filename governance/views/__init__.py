"""What is allowed, over REST."""
