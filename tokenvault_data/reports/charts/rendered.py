"""A finished chart: what it says in words, and the same as SVG, PNG or an interactive page.

Drawing needs no browser and no network: vl-convert carries Vega inside.
"""

from __future__ import annotations

import html
import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.dataset.durable_files import check_place, write_whole
from tokenvault_data.errors import UsageError
from tokenvault_data.local_paths import local_path
from tokenvault_data.reports.charts.style import FONT, INK, PAPER, QUIET_INK

if TYPE_CHECKING:
    import os
    from pathlib import Path
    from types import ModuleType

SUFFIXES: Final = (".svg", ".png", ".html")
_TITLE_PX, _SUBTITLE_PX = 17, 13
_MARGIN_PX: Final = 18
_LETTER: Final = 0.56
"""Width of a letter in parts of its size, on the generous side for the fonts of charts."""

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ margin: 24px; background: {paper}; color: {ink}; font-family: {font}; }}</style>
</head>
<body>
<main><div id="chart" role="img" aria-label="{description}"></div></main>
<script type="module">{bundle}
const spec = {spec};
vegaEmbed("#chart", spec, {{renderer: "svg", actions: {{export: true, source: false, \
compiled: false, editor: false}}}});
</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True, repr=False)
class Chart:
    """A chart of aggregates.

    Attributes
    ----------
    title : str
        What the chart finds, in a sentence.
    subtitle : str
        What is counted, where, as of when.
    description : str
        The same for those who do not see it.
    body : altair chart
        The drawing without title.
    padding : tuple of int
        Pixels left, right, above and below the drawing, for names and labels.
    """

    title: str
    subtitle: str
    description: str
    body: Any
    padding: tuple[int, int, int, int]

    def __repr__(self) -> str:
        return f"<Chart: {self.title}>"

    @property
    def spec(self) -> Any:
        """The chart as an altair object, with its title."""
        import altair as alt

        left, right, above, below = self.padding
        total_px = left + right + int(self.body.width)
        title = _wrapped(self.title, total_px, _TITLE_PX)
        subtitle = _wrapped(self.subtitle, total_px, _SUBTITLE_PX)
        title_px = len(title) * (_TITLE_PX + 5) + len(subtitle) * (_SUBTITLE_PX + 5) + 18
        return self.body.properties(
            title=alt.TitleParams(
                text=title,
                subtitle=subtitle,
                anchor="start",
                frame="group",
                font=FONT,
                fontSize=_TITLE_PX,
                fontWeight=600,
                lineHeight=_TITLE_PX + 5,
                color=INK,
                subtitleFont=FONT,
                subtitleFontSize=_SUBTITLE_PX,
                subtitleLineHeight=_SUBTITLE_PX + 5,
                subtitleColor=QUIET_INK,
                offset=12,
                dx=-left,
            ),
            padding={
                "left": left + _MARGIN_PX,
                "right": right + _MARGIN_PX,
                "top": above + title_px + _MARGIN_PX,
                "bottom": below + _MARGIN_PX,
            },
        )

    def to_svg(self, *, titled: bool = True) -> str:
        """Draw it as SVG; text stays text.

        Parameters
        ----------
        titled : bool
            With title and subtitle; without, for pages that set them as text of their own.
        """
        drawn: str = _renderer().vegalite_to_svg(self._json(titled=titled))
        return drawn

    def to_png(self, scale: float = 2) -> bytes:
        """Draw it as PNG, `scale` pixels for each of the chart's own."""
        drawn: bytes = _renderer().vegalite_to_png(self._json(titled=True), scale=scale)
        return drawn

    def to_html(self) -> str:
        """Return one page with the chart and all it needs: tooltips, export, no network."""
        bundle = _renderer().javascript_bundle("window.vegaEmbed = vegaEmbed;")
        return _PAGE.format(
            title=html.escape(self.title),
            description=html.escape(self.description),
            bundle=bundle.replace("</script", r"<\/script"),
            # Text of the data must not end the script that holds it.
            spec=self._json(titled=True).replace("<", r"\u003c"),
            paper=PAPER,
            ink=INK,
            font=FONT,
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as ``.svg``, ``.png`` or ``.html``, as the name of the file says.

        Raises
        ------
        UsageError
            For other names; nothing was written.
        TokenVaultError
            It cannot be written.
        """
        path = local_path(path)
        check_place(path, SUFFIXES)
        suffix = path.suffix.lower()
        if suffix == ".png":
            return write_whole(path, self.to_png())
        return write_whole(path, (self.to_svg() if suffix == ".svg" else self.to_html()).encode())

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"image/svg+xml": self.to_svg(), "text/plain": repr(self)}

    def _json(self, *, titled: bool) -> str:
        if titled:
            spec = self.spec
        else:
            left, right, above, below = self.padding
            margins = {"left": left, "right": right, "top": above, "bottom": below}
            spec = self.body.properties(padding=margins)
        return json.dumps(spec.to_dict(), ensure_ascii=False, sort_keys=True)


def _wrapped(text: str, width_px: int, size_px: int) -> list[str]:
    return textwrap.wrap(text, max(12, int(width_px / (size_px * _LETTER))))


def _renderer() -> ModuleType:
    try:
        import vl_convert
    except ImportError:
        raise missing_part() from None
    module: ModuleType = vl_convert
    return module


def missing_part() -> UsageError:
    """What is raised where the optional part of the installation for reports is not there."""
    return UsageError(
        "Charts and reports need altair, vl-convert, jinja2 and highspy, and not all are installed;"
        " nothing was drawn; run: pip install 'tokenvault-data[report]'"
    )
