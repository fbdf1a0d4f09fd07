"""The picture of a badge: a medal with a star. A few looks for all badges, so that a picture says nothing of anybody."""

from __future__ import annotations

from colorsys import hls_to_rgb
from functools import lru_cache
from io import BytesIO
from math import cos, pi, sin

from PIL import Image, ImageDraw

from nurture.mail.effort import LOOKS

SIZE = 144
"""Twice and more as large as it is meant to be shown, for sharp screens."""

FINER = 4
"""Drawn so many times larger, since Pillow's edges are not smooth."""

COLOURS = 96
"""Of its edges, since the picture itself has three; a third of the bytes that all of them would take."""

STARS = (5, 7, 9, 12)
HUES = LOOKS // len(STARS)


@lru_cache(maxsize=LOOKS)
def medal(look: int) -> bytes:
    """A PNG. `look` is 0 to `LOOKS` - 1: the star's points, then the colour."""
    hue, points = look % HUES, STARS[look // HUES]
    side = SIZE * FINER
    picture = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(picture)
    edge, face = _colour(hue, 0.26), _colour(hue, 0.38)
    for inset, colour in ((0, edge), (side // 24, "#fffefb"), (side // 14, face)):
        draw.ellipse((inset, inset, side - 1 - inset, side - 1 - inset), colour)
    draw.polygon(_star(points, side / 2, side * 0.31, 0.46 if points == STARS[0] else 0.6), "#fffefb")
    file = BytesIO()
    smooth = picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    smooth.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _colour(hue: int, light: float) -> tuple[int, int, int]:
    red, green, blue = hls_to_rgb(hue / HUES, light, 0.62)
    return round(red * 255), round(green * 255), round(blue * 255)


def _star(points: int, middle: float, radius: float, waist: float) -> list[tuple[float, float]]:
    corners = []
    for number in range(points * 2):
        far, turn = radius * (waist if number % 2 else 1), pi * number / points
        corners.append((middle + far * sin(turn), middle - far * cos(turn)))
    return corners
