/* How far something is: a bar, and a sentence that a screen reader reads out. */

export default {
  render({ model, el }) {
    keepKeys(el);
    el.classList.add("tv-part");
    const done = element("div", { class: "tv-done" });
    const rail = element("div", {
      class: "tv-rail", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100",
    }, done);
    const said = element("p", { role: "status" });
    const root = element("div", { class: "tv-progress" }, rail, said);
    el.replaceChildren(root);

    function draw() {
      const fraction = model.get("fraction");
      const text = model.get("text");
      root.dataset.tone = model.get("tone");
      root.hidden = !text;
      rail.hidden = fraction < 0;
      done.style.width = `${100 * Math.max(0, fraction)}%`;
      rail.setAttribute("aria-label", model.get("label"));
      rail.setAttribute("aria-valuenow", Math.round(100 * Math.max(0, fraction)));
      rail.setAttribute("aria-valuetext", text);
      if (said.textContent !== text) said.textContent = text;
    }
    return redrawOn(model, ["fraction", "text", "tone", "label"], draw);
  },
};
