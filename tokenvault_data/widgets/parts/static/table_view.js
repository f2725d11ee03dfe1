/* One page of a table. The rows are text that the kernel has masked and formatted. */

export default {
  render({ model, el }) {
    keepKeys(el);
    el.classList.add("tv-part");
    const caption = element("caption");
    const head = element("tr");
    const body = element("tbody");
    const empty = element("p", { class: "tv-empty" });
    const where = element("span", { role: "status" });
    const go = (label, sign, to) => element("button", {
      class: "tv-small-button", type: "button", "aria-label": label, title: label,
      onclick: () => {
        model.set("page", Math.max(0, Math.min(model.get("pages") - 1, to(model.get("page")))));
        model.save_changes();
      },
    }, sign);
    const back = [go("First page", "«", () => 0), go("Previous page", "‹", (page) => page - 1)];
    const on = [go("Next page", "›", (page) => page + 1), go("Last page", "»", () => Infinity)];
    const number = element("span");
    const nav = element("nav", { "aria-label": "Pages" }, ...back, number, ...on);
    const scroll = element("div", { class: "tv-scroll", role: "region", tabindex: "0" },
      element("table", {}, caption, element("thead", {}, head), body));
    const root = element("section", { class: "tv-table tv-card" }, scroll, empty,
      element("footer", {}, where, nav));
    el.replaceChildren(root);

    function draw() {
      const columns = model.get("columns");
      const rights = model.get("rights");
      const rows = model.get("rows");
      const page = model.get("page");
      const pages = model.get("pages");
      caption.textContent = model.get("caption");
      scroll.setAttribute("aria-label", model.get("caption"));
      head.replaceChildren(...columns.map((name, at) =>
        element("th", { scope: "col", class: rights[at] && "tv-right" }, name)));
      body.replaceChildren(...rows.map((row) => element("tr", {}, ...row.map((cell, at) =>
        element("td", { class: rights[at] && "tv-right", title: cell.length > 40 && cell }, cell)))));
      empty.textContent = model.get("empty");
      empty.hidden = rows.length > 0 || model.get("busy");
      where.textContent = model.get("note");
      number.textContent = `${wholeNumber.format(page + 1)} of ${wholeNumber.format(Math.max(pages, 1))}`;
      nav.hidden = pages < 2;
      back.forEach((button) => { button.disabled = page <= 0; });
      on.forEach((button) => { button.disabled = page >= pages - 1; });
      root.setAttribute("aria-busy", model.get("busy"));
    }

    return redrawOn(
      model, ["columns", "rights", "rows", "page", "pages", "caption", "note", "empty", "busy"], draw,
    );
  },
};
