"""Monitoring: what each device measures, kept over time and judged."""
