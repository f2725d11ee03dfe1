"""Local servers for people who do not program: JupyterLab on the notebooks, and the app page."""
