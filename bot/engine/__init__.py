"""Threads: the catalog of workflows, `advance`, which brings a graph where its rows say, and the worker."""
