"""A page's frame until the site's is there."""

import html


def page(title_en: str, title_zh: str, body_html: str, language: str, depth: int) -> str:
    """A whole page around a body."""
    title = html.escape(title_zh if language == "zh" else title_en)
    tag = "zh-CN" if language == "zh" else "en"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
    return f'<!DOCTYPE html>\n<html lang="{tag}">\n<head>{head}</head>\n<body>\n<main>\n{body_html}\n</main>\n</body>\n</html>\n'
