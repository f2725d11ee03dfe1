"""What tests do with a notebook that is open in JupyterLab."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

CONNECT_MS = 90_000
WIDE, NARROW, PHONE = 1400, 700, 390
_SESSION = "window.jupyterapp?.shell.currentWidget?.sessionContext"
_CONNECTED = (
    f"() => {_SESSION}?.session?.kernel?.connectionStatus === 'connected'"
    " && window.jupyterapp.shell.currentWidget.context.isReady"
)
# A command of JupyterLab that runs all cells and returns false when one of them raised.
_RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
_ERRORS = """
() => window.jupyterapp.shell.currentWidget.context.model.toJSON().cells
  .flatMap(cell => cell.outputs ?? []).filter(output => output.output_type === 'error')
  .map(output => `${output.ename}: ${output.evalue}`)
"""
_EVALUATE = f"""
async ([expression]) => {{
  const request = {{code: '', user_expressions: {{it: expression}}, store_history: false}};
  const reply = await {_SESSION}.session.kernel.requestExecute(request).done;
  const it = reply.content.user_expressions?.it ?? reply.content;
  if (it.status !== 'ok') return [null, `${{it.ename}}: ${{it.evalue}}`];
  return [it.data['text/plain'], null];
}}
"""
_THEME = """
async ([name]) => {
  await window.jupyterapp.commands.execute('apputils:change-theme', {theme: name});
}
"""
_ONLY_NOTEBOOK = """
async () => {
  const {shell} = window.jupyterapp;
  shell.mode = 'single-document';
  shell.collapseLeft();
  shell.collapseRight();
}
"""


def wait_until_connected(page: Page) -> None:
    """Return once the notebook is loaded and its kernel can be talked to."""
    page.wait_for_function(_CONNECTED, timeout=CONNECT_MS)


def run_all(page: Page) -> None:
    """Run all cells, and return when the last has ended.

    Raises
    ------
    AssertionError
        A cell raised; its error is in the message.
    """
    all_went_well = page.evaluate(_RUN_ALL)
    assert all_went_well, f"a cell raised: {page.evaluate(_ERRORS)}"


def evaluate(page: Page, expression: str) -> Any:
    """Evaluate an expression in the kernel, once the cell that is running has ended.

    Its value has to be a literal: numbers, texts, lists and the like of them.

    Raises
    ------
    AssertionError
        It raised.
    """
    text, problem = page.evaluate(_EVALUATE, [expression])
    assert problem is None, f"{expression} raised {problem}"
    return ast.literal_eval(text)


def set_theme(page: Page, theme: str) -> None:
    """Show JupyterLab in its `light` or `dark` theme, and wait until it is shown."""
    name = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme]
    page.evaluate(_THEME, [name])
    page.wait_for_selector(f'body[data-jp-theme-name="{name}"]', state="attached")


def set_width(page: Page, width: int, height: int = 1000) -> None:
    """Make the window so many pixels wide: `WIDE`, `NARROW`, `PHONE`."""
    page.set_viewport_size({"width": width, "height": height})


def show_notebook_only(page: Page) -> None:
    """Put all side bars away, so that the notebook has the window's width."""
    page.evaluate(_ONLY_NOTEBOOK)
