/* Sections of a page: which one is shown is said by aria-current, as in any navigation. */

export default {
  render({ model, el }) {
    keepKeys(el);
    el.classList.add("tv-part");
    const root = element("nav", { class: "tv-sections", "aria-label": model.get("label") });
    el.replaceChildren(root);
    const buttons = model.get("titles").map((title, place) =>
      element("button", { type: "button", onclick: () => {
        model.set("shown", place);
        model.save_changes();
      } }, title));
    root.append(...buttons);

    function draw() {
      buttons.forEach((button, place) => {
        if (place === model.get("shown")) button.setAttribute("aria-current", "page");
        else button.removeAttribute("aria-current");
      });
    }
    return redrawOn(model, ["shown"], draw);
  },
};
