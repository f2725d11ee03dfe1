/* What all front ends share. Text from data becomes text in the page, never markup. */

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) {
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return made;
}

// Grouped as the kernel groups them, so that one page has one way to write a number.
const wholeNumber = new Intl.NumberFormat("en-US");

function percent(part, whole) {
  if (!whole) return "0%";
  const share = (100 * part) / whole;
  if (part && share < 0.1) return "under 0.1%";
  return `${share.toFixed(1)}%`;
}

/* Keys typed here belong to the widget: JupyterLab would take arrows and Enter for its own. */
function keepKeys(el) {
  el.setAttribute("data-lm-suppress-shortcuts", "true");
}

/* Draw now, and again whenever one of these traits changes; one drawing a frame is enough. */
function redrawOn(model, names, draw) {
  let due = false;
  const later = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
  for (const name of names) model.on(`change:${name}`, later);
  draw();
  return () => names.forEach((name) => model.off(`change:${name}`, later));
}
