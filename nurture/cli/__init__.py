"""The command line. What it imports is no garbage, and looking for some would take a sixth of the time of a short command."""

import gc

gc.set_threshold(50_000, 20, 20)
