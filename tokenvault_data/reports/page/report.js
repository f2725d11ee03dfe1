"use strict";
// Adds to a page that is whole without it: what a mark says on pointing and by keyboard, tables that
// sort, tables opened for print.
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);

  const show = (mark) => {
    tip.textContent = mark.dataset.said;
    tip.hidden = false;
    const box = mark.getBoundingClientRect();
    const left = box.left + box.width / 2 - tip.offsetWidth / 2;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(left, room)) + scrollX}px`;
    const above = box.top - tip.offsetHeight - 8;
    tip.style.top = `${(above < 8 ? box.bottom + 8 : above) + scrollY}px`;
  };
  const hide = () => { tip.hidden = true; };

  for (const svg of document.querySelectorAll(".drawing svg")) {
    const marks = [...svg.querySelectorAll("[data-said]")];
    if (!marks.length) continue;
    svg.setAttribute("role", "group");
    marks.forEach((mark, place) => {
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", mark.dataset.said);
      mark.setAttribute("tabindex", place ? "-1" : "0");
      mark.addEventListener("pointerenter", () => show(mark));
      mark.addEventListener("pointerleave", hide);
      mark.addEventListener("focus", () => show(mark));
      mark.addEventListener("blur", hide);
    });
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return hide();
      const at = marks.indexOf(event.target);
      const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      const to = event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1 : at + step;
      if (at < 0 || !marks[to]) return;
      event.preventDefault();
      marks[at].setAttribute("tabindex", "-1");
      marks[to].setAttribute("tabindex", "0");
      marks[to].focus();
    });
  }

  for (const table of document.querySelectorAll("table.numbers")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      button.addEventListener("click", () => {
        const falling = heading.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const key = (row) => row.cells[column].dataset.order;
        const rows = [...body.rows].sort((a, b) =>
          key(a).localeCompare(key(b), "en", {numeric: true}) * (falling ? -1 : 1));
        body.append(...rows);
      });
    });
  }

  const closed = new Set();
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) {
      closed.add(one);
      one.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const one of closed) one.open = false;
    closed.clear();
  });
})();
