"""What a program may use: its context of steps, waits, children, approvals and money."""
