"""The command line. What it imports is no garbage, and looking for some takes an eighth of the time of a short one."""

import gc

gc.set_threshold(50_000, 20, 20)
