"""What happened, and whether it is as it should be: alerts over what the other apps have recorded."""
