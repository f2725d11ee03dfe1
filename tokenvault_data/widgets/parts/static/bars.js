/* Bars that are buttons: a click, Space or Enter chooses; Shift extends a choice of months. */

export default {
  render({ model, el }) {
    keepKeys(el);
    el.classList.add("tv-part");
    const isColumns = model.get("form") === "columns";
    let isWhole = false; // whether all bars are shown, not only the first of them
    let cursor = 0; // the one bar that Tab reaches; arrows lead to the others
    let anchor = null; // where a range began
    let dragged = null;

    const heading = element("h4");
    const note = element("span", { class: "tv-note", "aria-live": "polite" });
    const clear = element("button", { class: "tv-link", type: "button", onclick: () => choose([]) }, "Clear");
    const list = element("ul");
    const axis = element("div", { class: "tv-axis", "aria-hidden": "true" });
    const more = element("button", { class: "tv-link", type: "button", onclick: () => {
      isWhole = !isWhole;
      rebuild();
    } });
    const root = element(
      "section", { class: `tv-bars tv-card ${isColumns ? "tv-columns" : "tv-list"}` },
      element("header", {}, heading, note, clear), list,
    );
    root.append(isColumns ? axis : more);
    el.replaceChildren(root);
    let buttons = [];

    function choose(places) {
      if (!places.length && !places.size) anchor = null;
      model.set("chosen", [...places].sort((one, other) => one - other));
      model.save_changes();
    }

    function toggle(place) {
      const chosen = new Set(model.get("chosen"));
      if (!chosen.delete(place)) chosen.add(place);
      anchor = place;
      choose(chosen);
    }

    function range(from, to) {
      const [first, last] = from < to ? [from, to] : [to, from];
      return Array.from({ length: last - first + 1 }, (_, step) => first + step);
    }

    function focus(place) {
      const shown = buttons.length - 1;
      cursor = Math.max(0, Math.min(shown, place));
      buttons.forEach((button, at) => button.setAttribute("tabindex", at === cursor ? "0" : "-1"));
      buttons[cursor]?.focus();
    }

    function onKey(event) {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      const jump = { Home: 0, End: buttons.length - 1 }[event.key];
      if (event.key === "Escape" && model.get("chosen").length) choose([]);
      else if (step === undefined && jump === undefined) return;
      else {
        const from = anchor ?? cursor;
        focus(jump ?? cursor + step);
        if (event.shiftKey && isColumns) {
          anchor = from;
          choose(range(from, cursor));
        }
      }
      event.preventDefault();
      event.stopPropagation();
    }

    function onClick(event, place) {
      if (dragged && dragged.moved) return;
      if (event.shiftKey && isColumns && anchor !== null) choose(range(anchor, place));
      else toggle(place);
    }

    function drag(place) {
      if (!dragged || dragged.from === place && !dragged.moved) return;
      dragged.moved = true;
      dragged.to = place;
      preview(new Set(range(dragged.from, place)));
    }

    function drop() {
      if (dragged?.moved) {
        const { from, to } = dragged;
        anchor = from;
        choose(range(from, to));
      }
      setTimeout(() => { dragged = null; }); // the click that follows belongs to the drag
    }

    function preview(chosen) {
      root.classList.toggle("tv-has-choice", chosen.size > 0);
      buttons.forEach((button, place) => button.setAttribute("aria-pressed", chosen.has(place)));
    }

    function rebuild() {
      const labels = model.get("labels");
      const past = model.get("past");
      const missing = model.get("missing");
      const first = isColumns || isWhole ? labels.length : Math.min(labels.length, model.get("most"));
      list.replaceChildren();
      buttons = labels.slice(0, first).map((label, place) => {
        const kinds = [place < past ? "tv-past" : "", place === missing ? "tv-missing" : ""];
        const button = element(
          "button",
          {
            type: "button", class: kinds.join(" ").trim(), tabindex: place === cursor ? "0" : "-1",
            onclick: (event) => onClick(event, place), onkeydown: onKey, onfocus: () => { cursor = place; },
          },
          element("span", { class: "tv-label", title: label }, label),
          element("span", { class: "tv-track" }, element("span", { class: "tv-fill" })),
          element("span", { class: "tv-number" }),
        );
        if (isColumns) {
          button.addEventListener("pointerdown", () => { dragged = { from: place, moved: false }; });
          button.addEventListener("pointerenter", () => drag(place));
        }
        list.append(element("li", {}, button));
        return button;
      });
      more.hidden = labels.length <= model.get("most");
      more.textContent = isWhole ? "Show fewer" : `Show all ${wholeNumber.format(labels.length)}`;
      if (isColumns) drawAxis(labels);
      draw();
    }

    function drawAxis(labels) {
      const years = [];
      const yearOf = (label) => label?.match(/^\D*(\d{4})$/)?.[1]; // none of "Nov 2021 and before"
      labels.forEach((label, place) => {
        const year = yearOf(label);
        if (!year || year === yearOf(labels[place - 1])) return;
        if (years.length && place - years.at(-1)[0] < labels.length / 24) years.pop(); // no room for both
        years.push([place, year]);
      });
      axis.replaceChildren(...years.map(([place, year]) =>
        element("span", { style: `left:${(100 * place) / labels.length}%` }, year)));
    }

    function draw() {
      const labels = model.get("labels");
      const counts = model.get("counts");
      const compared = model.get("compared");
      const total = model.get("total");
      const unit = model.get("unit");
      const chosen = new Set(model.get("chosen"));
      const largest = Math.max(1, ...counts, ...compared);
      const along = isColumns ? "height" : "width";
      const at = isColumns ? "bottom" : "left";
      heading.textContent = model.get("title");
      list.setAttribute("aria-label", model.get("title"));
      clear.hidden = chosen.size === 0;
      clear.setAttribute("aria-label", `Clear the filter on ${model.get("title")}`);
      note.textContent = chosen.size ? `${wholeNumber.format(chosen.size)} chosen` : model.get("note");
      preview(chosen);
      buttons.forEach((button, place) => {
        const count = counts[place] ?? 0;
        const share = percent(count, total);
        let said = `${labels[place]}: ${wholeNumber.format(count)} ${unit}, ${share}`;
        const track = button.children[1];
        track.firstChild.style[along] = count ? `max(2px, ${(100 * count) / largest}%)` : "0";
        track.querySelector(".tv-mark")?.remove();
        if (compared.length) {
          const before = compared[place] ?? 0;
          if (before) {
            const mark = element("span", { class: "tv-mark" });
            mark.style[at] = `calc(${(100 * before) / largest}% - 1px)`;
            track.append(mark);
          }
          said += `; before ${wholeNumber.format(before)}`;
        }
        button.classList.toggle("tv-none", count === 0);
        button.children[2].textContent = wholeNumber.format(count);
        button.title = said;
        button.setAttribute("aria-label", said);
      });
    }

    window.addEventListener("pointerup", drop);
    const stop = [
      redrawOn(model, ["labels", "past", "missing", "most"], rebuild),
      redrawOn(model, ["counts", "compared", "total", "chosen", "title", "note", "unit"], draw),
    ];
    return () => {
      window.removeEventListener("pointerup", drop);
      stop.forEach((end) => end());
    };
  },
};
