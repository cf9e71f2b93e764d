"""The site of a preset: results/<preset>/report/, which opens from disk, anywhere, with no network."""

from rediffuse.report.site.render import page

__all__ = ["page"]
