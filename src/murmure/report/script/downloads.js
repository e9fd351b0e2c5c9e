
// --- Downloads: each picture as PNG, its figures as CSV ---------------------------------------------
function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
// A cell that a spreadsheet would compute gets an apostrophe before it, as in murmure/guard.py.
const beginsFormula = /^(?:[\t\r\n']| *[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n])/;
function quoted(given) {
  if (given === null || given === undefined) return "";
  if (typeof given === "number") return String(given);
  const text = beginsFormula.test(given) ? `'${given}` : given;
  return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
function csvOf(name) {
  const slice = [state.language ? data.languages[state.language - 1] : words.filter.all_languages, state.place ? data.places[state.place - 1].name : words.filter.all_places];
  const promotions = { o: words.filter.organic, s: words.filter.sponsored, a: words.filter.all };
  const head = [words.table.brand, words.chart.window, words.chart.measure, words.filter.promotion, words.filter.language, words.filter.place,
    words.chart.estimate, words.chart.low, words.chart.high, words.chart.raw, words.chart.n];
  const rows = records.get(name)().filter((one) => value(one.found) !== null).map(({ entity, measure, found, period, promotion }) => [
    data.entities[entity], whenName(period), measure, promotions[promotion], ...slice,
    ...(found.length > 2 ? [found[2], found[3], found[4]] : [null, null, null]), found[0], found[1],
  ]);
  return `\ufeff${[head, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n")}\r\n`;
}

// Paints what stands in an element as it is laid out: its words, bars and drawings.
async function paint(element, title) {
  const box = element.getBoundingClientRect();
  const [edge, head, foot, sharp] = [16, 40, 30, 2];
  const width = Math.max(element.scrollWidth, ...[...element.querySelectorAll("table")].map((table) => table.offsetWidth));
  const canvas = make("canvas", { width: sharp * (width + 2 * edge), height: sharp * (box.height + head + foot) });
  const brush = canvas.getContext("2d");
  brush.scale(sharp, sharp);
  brush.fillStyle = colour("paper");
  brush.fillRect(0, 0, width + 2 * edge, box.height + head + foot);
  brush.textBaseline = "alphabetic";
  const family = getComputedStyle(document.body).fontFamily;
  const caption = (text, y, size, tint, weight) => {
    brush.font = `${weight} ${size}px ${family}`;
    brush.fillStyle = colour(tint);
    brush.fillText(text, edge, y, width);
  };
  caption(title, 26, 15, "ink", 600);
  caption(fill(words.chart.source, { slice: document.getElementById("slice").textContent }), box.height + head + 20, 10.5, "soft", 400);
  // A chart's key stands over all the panels: in a panel's own picture it takes the buttons' place.
  const over = element.closest(".panels");
  let right = width + edge;
  for (const key of over ? [...over.previousElementSibling.querySelectorAll(".key")].reverse() : []) {
    brush.font = `400 12px ${family}`;
    right -= brush.measureText(key.textContent).width;
    brush.fillStyle = colour("ink");
    brush.fillText(key.textContent, right, head + 14);
    brush.fillStyle = getComputedStyle(key.querySelector(".mark")).backgroundColor;
    brush.fillRect(right - 13, head + 5, 9, 9);
    right -= 26;
  }
  brush.translate(edge - box.left, head - box.top);
  // On narrow screens each number carries its name, and the heading of the table is not seen.
  const heading = element.querySelector("thead");
  const folded = heading && getComputedStyle(heading).position === "absolute";
  const skipped = (node) => node.parentElement.closest(`.tools, .unseen, svg, [hidden]${folded ? ", thead" : ""}`);
  for (const bar of element.querySelectorAll(".bar, .whisker, .mark")) {
    if (skipped(bar)) continue;
    const at = bar.getBoundingClientRect();
    if (bar.matches(".whisker")) {
      brush.fillStyle = colour("ink");
      for (const [x, y, width, height] of [[at.left, at.top + at.height / 2 - 0.5, at.width, 1], [at.left, at.top, 1, at.height], [at.right - 1, at.top, 1, at.height]]) brush.fillRect(x, y, width, height);
      continue;
    }
    brush.fillStyle = getComputedStyle(bar).backgroundColor;
    brush.fillRect(at.left, at.top, at.width, at.height);
  }
  for (const drawing of element.querySelectorAll("svg")) {
    const at = drawing.getBoundingClientRect();
    if (!at.width) continue;
    const image = new Image();
    const source = new XMLSerializer().serializeToString(drawing);
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
    await image.decode();
    brush.drawImage(image, at.left, at.top, at.width, at.height);
  }
  const range = document.createRange();
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.textContent.trim() || skipped(node)) continue;
    const style = getComputedStyle(node.parentElement);
    if (style.visibility === "hidden") continue;
    brush.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    brush.fillStyle = style.color;
    for (const word of node.textContent.matchAll(/\S+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const at = range.getBoundingClientRect();
      const size = brush.measureText(word[0]);
      const rise = (at.height - size.fontBoundingBoxAscent - size.fontBoundingBoxDescent) / 2;
      if (at.width) brush.fillText(word[0], at.left, at.top + rise + size.fontBoundingBoxAscent);
    }
  }
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-as]");
  if (!button) return;
  const own = button.closest(".picture");
  const picture = own || document.querySelector(`.picture[data-chart="${button.closest(".heading").querySelector("[id]").id}"]`);
  const name = picture.dataset.chart;
  const what = button.getAttribute("aria-label").split(words.head.colon).slice(1).join(words.head.colon);
  const file = `murmure-${name.replace(".", "-")}.${button.dataset.as}`;
  if (button.dataset.as === "csv") save(new Blob([csvOf(name)], { type: "text/csv" }), file);
  else save(await paint(picture, what), file);
});
