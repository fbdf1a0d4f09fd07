"""The picture of how long an offer is still open, drawn when it is asked for. Mail clients show PNG, and no SVG."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from nurture.mail.phrases import phrases

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

WIDTH, HEIGHT = 600, 160
"""Twice as large as it is meant to be shown, for sharp screens."""

CARD, LINE, INK, SOFT = "#fffefb", "#bfd8cd", "#0f7a5a", "#5d667a"
"""The colours of the hosted pages by day; a picture cannot know whether a mail is read in the dark."""

MINUTE = timedelta(minutes=1)


def countdown(left: timedelta, language: str) -> bytes:
    """A PNG: days, hours and minutes, rounded up, so that nothing is over before it is over; then a sentence."""
    said = phrases(language).page
    picture = Image.new("RGBA", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((1, 1, WIDTH - 2, HEIGHT - 2), 24, CARD, LINE, 3)
    if left <= timedelta(0):
        draw.text((WIDTH / 2, HEIGHT / 2), said["missed"], SOFT, _fitting(said["missed"], 38), "mm")
    else:
        for column, (number, unit) in enumerate(parts(left)):
            middle = WIDTH * (2 * column + 1) / 6
            words = said[unit if number == 1 else f"{unit}s"]
            draw.text((middle, 66), str(number), INK, _font(68), "mm")
            draw.text((middle, 124), words, SOFT, _font(27), "mm")
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def parts(left: timedelta) -> tuple[tuple[int, str], ...]:
    minutes = -(-left // MINUTE)
    return ((minutes // 1440, "day"), (minutes // 60 % 24, "hour"), (minutes % 60, "minute"))


@cache
def _font(size: int) -> FreeTypeFont | BitmapFont:
    return ImageFont.load_default(size)


def _fitting(words: str, size: int) -> FreeTypeFont | BitmapFont:
    while size > 18 and _font(size).getbbox(words)[2] > WIDTH - 48:
        size -= 2
    return _font(size)
