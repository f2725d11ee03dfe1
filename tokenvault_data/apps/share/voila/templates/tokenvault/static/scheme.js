/* Widgets follow JupyterLab's theme; here that is whatever the reader's system prefers. */
const dark = matchMedia("(prefers-color-scheme: dark)");
function follow() {
  document.body.dataset.jpThemeLight = String(!dark.matches);
  document.body.dataset.jpThemeName = dark.matches ? "JupyterLab Dark" : "JupyterLab Light";
}
dark.addEventListener("change", follow);
follow();
