"""Where a setting comes from: a flag, the environment, `.env`, `nurture.toml`, in this order."""

import os
import subprocess
import sys

import pytest

from nurture.settings import read_settings

TOLD = """
import sys
from pathlib import Path
from nurture.errors import SettingsError
from nurture.settings import read_settings
try:
    found = read_settings(Path(), **({"port": int(sys.argv[1])} if sys.argv[1:] else {}))
    print(found.port, found.gap, {name: (one.key.get_secret_value(), one.rate) for name, one in found.providers.items()})
except SettingsError as error:
    print(error)
"""


def told(folder, *words, **variables):
    """What a program of its own, with this environment, reads there."""
    known = {**os.environ, **{f"NURTURE_{name}": value for name, value in variables.items()}}
    command = [sys.executable, "-c", TOLD, *words]
    return subprocess.run(command, cwd=folder, env=known, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nurture.toml").write_text("port = 1\ngap = '1 day'\n[providers.postmark]\nrate = 3\n")
    (tmp_path / ".env").write_text("NURTURE_PROVIDERS__POSTMARK__KEY=a,b\nNURTURE_GAP=2 days\n")
    return tmp_path


def test_what_stands_higher_wins_name_by_name(folder):
    found = read_settings(folder)
    assert (found.port, found.gap, found.providers["postmark"].rate) == (1, "2 days", 3)
    assert found.providers["postmark"].key.get_secret_value() == "a,b"
    more = {"GAP": "3 days", "PORT": "2", "PROVIDERS__POSTMARK__RATE": "4"}
    assert told(folder, **more) == "2 3 days {'postmark': ('a,b', 4.0)}"
    assert told(folder, "9", **more) == "9 3 days {'postmark': ('a,b', 4.0)}", "a flag is above the environment"
    assert told(folder, GAP="", PORT="") == "1 2 days {'postmark': ('a,b', 3.0)}", "set to nothing is not set"


@pytest.mark.parametrize("one", [{"PROVIDERS": '{"ses": {"key": "k"}}'}, {"PROVIDERS__SES": '{"key": "k"}'}])
def test_a_table_may_come_in_one_piece(tmp_path, one):
    assert told(tmp_path, **one) == "8000  {'ses': ('k', None)}"
    assert told(tmp_path, **one, PROVIDERS__SES__RATE="5") == "8000  {'ses': ('k', 5.0)}"
