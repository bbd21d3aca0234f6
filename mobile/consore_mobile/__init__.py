"""The physician's app of Consore: a client of the public GraphQL API and of nothing else."""

__version__ = "0.1.0"
