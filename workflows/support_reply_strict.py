"""The same answers to customers, but what nobody reviews in time is withheld."""

from __future__ import annotations

from workflows.support_reply import samples, strict

__all__ = ["samples", "workflow"]

workflow = strict
