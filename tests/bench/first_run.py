# SPDX-License-Identifier: Apache-2.0
"""Times the first inference of a process, from the program's bytes to the outputs.

python tests/bench/first_run.py MODEL.pte     prints seconds; imports do not count
"""

import sys
import time
from pathlib import Path

import numpy as np

from pilotlight.npu import Simulator

pte = Path(sys.argv[1]).read_bytes()
start = time.perf_counter()
simulator = Simulator(pte)
simulator.run([np.zeros(tensor.shape, tensor.dtype) for tensor in simulator.method.inputs])
print(time.perf_counter() - start)
