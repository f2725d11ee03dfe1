"""How far something is: a progress bar with a role and a sentence that is read out."""

from __future__ import annotations

import anywidget
import traitlets as t

from tokenvault_data.widgets.parts.front_end import script, style


class ProgressView(anywidget.AnyWidget):
    """A progress bar and one sentence.

    Attributes
    ----------
    fraction : float
        0 to 1; below 0 there is no bar, only the sentence.
    text : str
        The sentence; without one nothing is shown.
    label : str
        What is on its way, for screen readers.
    tone : {'idle', 'running', 'good', 'warning'}
    """

    _esm = script("progress_view")
    _css = style("progress_view")

    fraction = t.Float(-1.0).tag(sync=True)
    text = t.Unicode().tag(sync=True)
    label = t.Unicode("Progress").tag(sync=True)
    tone = t.Enum(["idle", "running", "good", "warning"], default_value="idle").tag(sync=True)

    def show(self, text: str, *, fraction: float = -1.0, tone: str = "running") -> None:
        """Set all at once, in one message to the page."""
        with self.hold_sync():
            self.fraction, self.text, self.tone = min(fraction, 1.0), text, tone
