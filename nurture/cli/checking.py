"""Checking a project's mails on all cores: writing thousands of mails to look at them is work that can be shared."""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from nurture.engine.deploy import problems_of, problems_of_mails

if TYPE_CHECKING:
    from nurture.language.problems import Problem
    from nurture.language.project import Project

WORTH_SHARING = 100
"""Sequences; fewer are checked in less time than it takes to start others."""

# a forked child has the project before it; a spawned one would have to read it again, at the cost of the check
_CAN_FORK = sys.platform == "linux"
_shared: list[Project] = []


def all_problems(project: Project) -> list[Problem]:
    """As `problems_of`, with the mails of many sequences looked at by as many processes as there are cores."""
    cores = len(os.sched_getaffinity(0)) if _CAN_FORK else 1
    names = list(project.sequences)
    if cores == 1 or len(names) < WORTH_SHARING:
        return problems_of(project)
    _shared[:] = [project]
    shares = [names[number :: cores * 4] for number in range(cores * 4)]
    with ProcessPoolExecutor(cores, multiprocessing.get_context("fork")) as pool:
        found = [problem for share in pool.map(_look, shares) for problem in share]
    return sorted({*project.problems, *found})


def _look(names: list[str]) -> list[Problem]:
    return problems_of_mails(_shared[0], names)
