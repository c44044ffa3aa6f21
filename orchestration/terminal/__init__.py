"""What `manage.py run_workflow` reads and shows."""
