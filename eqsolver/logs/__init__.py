"""Logs that people have, of many formats, as one table of attempts: read, priced, audited."""

from __future__ import annotations
