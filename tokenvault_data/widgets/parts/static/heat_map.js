/* A table whose cells are buttons. Arrows lead from one to the next; a cell chooses its row and its
   column, a heading only one of them. */

const STEPS = 8;

export default {
  render({ model, el }) {
    keepKeys(el);
    el.classList.add("tv-part");
    let isWhole = false; // whether all rows are shown, not only the first of them
    let cursor = [0, 0]; // the one button that Tab reaches; row -1 and column -1 are headings
    let buttons = new Map();

    const heading = element("h4");
    const note = element("span", { class: "tv-note", "aria-live": "polite" });
    const clear = element("button", { class: "tv-link", type: "button", onclick: () => choose([], []) }, "Clear");
    const head = element("tr");
    const body = element("tbody");
    const foot = element("tr");
    const table = element("table", {}, element("thead", {}, head), body, element("tfoot", {}, foot));
    const more = element("button", { class: "tv-link", type: "button", onclick: () => {
      isWhole = !isWhole;
      rebuild();
    } });
    const legend = element("span", { class: "tv-legend", "aria-hidden": "true" }, "fewer",
      ...Array.from({ length: STEPS }, (_, step) => element("i", { class: `tv-heat-${step + 1}` })), "more");
    const border = element("span", { class: "tv-border-note" });
    el.replaceChildren(element("section", { class: "tv-heat tv-card" },
      element("header", {}, heading, note, clear),
      element("div", { class: "tv-scroll" }, table),
      element("footer", {}, more, border, legend)));

    const at = (row, column) => buttons.get(`${row} ${column}`);
    const shownRows = () => isWhole ? model.get("rows").length : Math.min(model.get("rows").length, model.get("most"));

    function choose(rows, columns) {
      const inOrder = (places) => [...places].sort((one, other) => one - other);
      model.set("chosen", { rows: inOrder(rows), columns: inOrder(columns) });
      model.save_changes();
    }

    function isOnly(places, place) {
      return places.length === 1 && places[0] === place;
    }

    function toggled(places, place) {
      return places.includes(place) ? places.filter((one) => one !== place) : [...places, place];
    }

    function onClick(row, column) {
      const { rows, columns } = model.get("chosen");
      reach(row, column);
      if (row < 0) choose(rows, toggled(columns, column));
      else if (column < 0) choose(toggled(rows, row), columns);
      else if (isOnly(rows, row) && isOnly(columns, column)) choose([], []);
      else choose([row], [column]);
    }

    function reach(row, column) {
      at(...cursor)?.setAttribute("tabindex", "-1");
      cursor = [row, column];
      at(row, column)?.setAttribute("tabindex", "0");
    }

    function move(event) {
      const last = [Math.min(shownRows(), model.get("choosable")) - 1, model.get("columns").length - 1];
      let [row, column] = cursor;
      const { rows, columns } = model.get("chosen");
      if (event.key === "ArrowDown") row += 1;
      else if (event.key === "ArrowUp") row -= 1;
      else if (event.key === "ArrowRight") column += 1;
      else if (event.key === "ArrowLeft") column -= 1;
      else if (event.key === "Home") [row, column] = event.ctrlKey ? [0, 0] : [row, 0];
      else if (event.key === "End") [row, column] = event.ctrlKey ? last : [row, last[1]];
      else if (event.key === "Escape" && rows.length + columns.length) choose([], []);
      else return;
      row = Math.max(-1, Math.min(last[0], row));
      column = Math.max(-1, Math.min(last[1], column));
      if (at(row, column)) {
        reach(row, column);
        at(row, column).focus();
      }
      event.preventDefault();
      event.stopPropagation();
    }

    function button(row, column, text, label) {
      const made = element("button", {
        type: "button", tabindex: row === cursor[0] && column === cursor[1] ? "0" : "-1",
        "aria-label": label, title: label, onclick: () => onClick(row, column), onkeydown: move,
      }, ...text);
      buttons.set(`${row} ${column}`, made);
      return made;
    }

    function rebuild() {
      const rows = model.get("rows");
      const columns = model.get("columns");
      const counts = model.get("counts");
      const choosable = model.get("choosable");
      const before = model.get("border");
      const unit = model.get("unit");
      const first = shownRows();
      const largest = Math.max(1, ...counts.slice(0, choosable).flat());
      const step = (count) => count ? Math.max(1, Math.ceil(STEPS * (count / largest) ** 0.7)) : 0;
      const edge = (column) => before > 0 && column === before ? "tv-edge" : "";
      const hadFocus = el.contains(document.activeElement) && document.activeElement === at(...cursor);
      buttons = new Map();
      cursor = [Math.min(cursor[0], first - 1, choosable - 1), Math.min(cursor[1], columns.length - 1)];

      head.replaceChildren(element("th", { scope: "col" }, model.get("corner")),
        ...columns.map((name, column) => element("th", { scope: "col", class: edge(column) },
          button(-1, column, (model.get("shorts")[column] ?? name).split(" ").map((line) => element("span", {}, line)),
            `${name}, all rows`))));
      body.replaceChildren(...rows.slice(0, first).map((name, row) => element("tr", {},
        element("th", { scope: "row" }, row < choosable
          ? button(row, -1, [name], `${name}, all columns`) : element("span", { title: name }, name)),
        ...columns.map((of, column) => {
          const count = counts[row]?.[column] ?? 0;
          const shown = wholeNumber.format(count);
          const kind = `${edge(column)} ${row < choosable ? `tv-heat-${step(count)}` : ""}`;
          return element("td", { class: kind.trim() }, row < choosable
            ? button(row, column, [shown], `${name}, ${of}: ${shown} ${unit}`) : element("span", {}, shown));
        }))));
      // No number may be cut; the names have a quarter of the width. What does not fit scrolls.
      const digits = wholeNumber.format(Math.max(largest, ...model.get("totals"))).length;
      table.style.minWidth = `${(columns.length * Math.max(33, 9 + 8 * digits)) / 0.76}px`;
      foot.replaceChildren(element("th", { scope: "row" }, "All"),
        ...columns.map((_, column) => element("td", { class: edge(column) },
          element("span", {}, wholeNumber.format(model.get("totals")[column] ?? 0)))));
      more.hidden = rows.length <= model.get("most");
      more.textContent = isWhole ? "Show fewer" : `Show all ${wholeNumber.format(rows.length)}`;
      border.textContent = before > 0 && before < columns.length ? model.get("border_label") : "";
      draw();
      if (hadFocus) at(...cursor)?.focus();
    }

    function draw() {
      const { rows, columns } = model.get("chosen");
      const isAny = rows.length + columns.length > 0;
      const title = model.get("title");
      heading.textContent = title;
      table.setAttribute("aria-label", title);
      table.classList.toggle("tv-has-choice", isAny);
      clear.hidden = !isAny;
      clear.setAttribute("aria-label", `Clear the choice in ${title}`);
      note.textContent = model.get("note");
      for (const [place, made] of buttons) {
        const [row, column] = place.split(" ").map(Number);
        const isRow = rows.includes(row);
        const isColumn = columns.includes(column);
        const isChosen = row < 0 ? isColumn : column < 0 ? isRow
          : isAny && (isRow || !rows.length) && (isColumn || !columns.length);
        made.setAttribute("aria-pressed", isChosen);
      }
    }

    const stop = [
      redrawOn(model, ["rows", "columns", "shorts", "counts", "totals", "choosable", "border", "border_label",
        "corner", "most", "unit"], rebuild),
      redrawOn(model, ["chosen", "title", "note"], draw),
    ];
    return () => stop.forEach((end) => end());
  },
};
