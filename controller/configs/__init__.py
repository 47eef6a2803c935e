"""Templates, configurations, their rendering and their way to the devices."""
