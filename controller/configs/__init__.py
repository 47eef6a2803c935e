"""Templates, configurations, rendering, pushes, rollouts and drift."""
