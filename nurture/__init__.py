"""An email nurture engine built on micro-commitments: each mail asks one small thing, each answer chooses the next."""

__version__ = "0.1.0"
