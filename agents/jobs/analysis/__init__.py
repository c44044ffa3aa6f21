"""What job agents compute, without a model, from alerts, sensor readings and work orders."""
