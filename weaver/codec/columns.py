"""The columns in which rows of edges travel: numpy arrays of narrow types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Nodes = NDArray[np.uint32]
Degrees = NDArray[np.uint32]
Offsets = NDArray[np.int64]
Targets = NDArray[np.uint32]
Kinds = NDArray[np.uint8]
Row = tuple[Targets, Kinds]
