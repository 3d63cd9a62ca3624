"""What a service manager wants to know."""
