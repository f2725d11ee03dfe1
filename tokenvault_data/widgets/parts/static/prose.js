/* Words of a panel: headings, sentences, lists, facts, figures, and code to copy. */

export default {
  render({ model, el }) {
    keepKeys(el);
    el.classList.add("tv-part");
    const root = element("div", { class: "tv-prose" });
    if (model.get("is_live")) root.setAttribute("role", "status");
    el.replaceChildren(root);

    const makers = {
      heading: (text) => element("h3", {}, text),
      subheading: (text) => element("h4", {}, text),
      lead: (text) => element("p", { class: "tv-lead" }, text),
      text: (text) => element("p", {}, text),
      note: (text) => element("p", { class: "tv-note" }, text),
      warning: (text) => element("p", { class: "tv-warning" }, text),
      good: (text) => element("p", { class: "tv-good" }, text),
      list: (texts) => element("ul", {}, ...texts.map((text) => element("li", {}, text))),
      facts: (pairs) => element("dl", {}, ...pairs.flatMap(([name, value]) =>
        [element("dt", {}, name), element("dd", {}, value)])),
      figures: (pairs) => element("div", { class: "tv-figures" }, ...pairs.map(([figure, what]) =>
        element("div", {}, element("span", { class: "tv-figure" }, figure), element("span", { class: "tv-what" }, what)))),
      code: (text) => {
        const copy = element("button", { class: "tv-small-button", type: "button", "aria-label": "Copy the code",
          onclick: async () => {
            try {
              await navigator.clipboard.writeText(text);
              copy.textContent = "Copied";
            } catch {
              const range = document.createRange();
              range.selectNodeContents(code);
              getSelection().removeAllRanges();
              getSelection().addRange(range);
              copy.textContent = "Selected";
            }
            setTimeout(() => { copy.textContent = "Copy"; }, 1500);
          } }, "Copy");
        const code = element("code", {}, text);
        return element("div", { class: "tv-code" }, code, copy);
      },
    };

    function draw() {
      root.replaceChildren(...model.get("blocks").map(([kind, content]) => makers[kind](content)));
    }
    return redrawOn(model, ["blocks"], draw);
  },
};
