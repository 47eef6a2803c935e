"""Requests whose changes are taken back, so that the next one finds the same rows."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction


@contextmanager
def rolled_back() -> Iterator[None]:
    """Take back what is done in the block.

    Its transaction counts as the test's own, in which a connection may be opened.
    """
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)
