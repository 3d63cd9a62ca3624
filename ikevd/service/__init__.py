"""The service manager: readiness, status and watchdog (sd_notify(3))."""
