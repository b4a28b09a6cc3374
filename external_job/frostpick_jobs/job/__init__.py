"""What every job has, whatever program it runs in: `host` says what a task asks of it."""
