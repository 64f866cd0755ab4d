"""Batch jobs at an endpoint: the services, and the caller that puts a run's requests into them."""
