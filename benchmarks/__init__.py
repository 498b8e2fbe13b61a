"""Named seeded workloads, a measuring harness, and one script per comparison."""
