"""The site of a preset: results/<preset>/report/, which opens from disk, anywhere, with no network."""

from rediffuse.report.site.build import build
from rediffuse.report.site.page import page

__all__ = ["build", "page"]
