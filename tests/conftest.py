"""Tests run on all cores as it is: one thread of linear algebra in each process."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
