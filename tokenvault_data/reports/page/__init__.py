"""The report as one HTML file: facts, sections, summary and the page around them."""
