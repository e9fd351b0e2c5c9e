
// --- Tables with bars -------------------------------------------------------------------------------
// Columns side by side need room: without it each number gets a line, with its brand's name.
const narrow = matchMedia("screen and (max-width: 46rem)");
const PAPER_COLUMNS = 6;
const folds = (columns) => columns > 1 && (root.dataset.theme ? columns > PAPER_COLUMNS : narrow.matches);
function matrix(id, rows) {
  const entities = [...shownEntities(), ...(together ? [data.everyone] : [])];
  const found = rows.map((row) => entities.map((entity) => row.cell(entity)));
  const brands = entities.filter((entity) => entity !== data.everyone || data.brands === 1);
  const reach = (one) => Math.max(value(one) || 0, ...(interval(one) || []));
  const top = Math.max(1, ...rows.flatMap((row, index) => (row.total ? [] : brands.map((_, column) => reach(found[index][column])))));
  const head = make("tr", {}, make("td"), ...entities.map((entity) => make("th", { scope: "col" }, isolate(data.entities[entity]))));
  const body = make("tbody");
  rows.forEach((row, index) => {
    const line = make("tr", { class: row.inner ? "inner" : row.total ? "total" : "" }, make("th", { scope: "row" }, isolate(row.name)));
    entities.forEach((entity, column) => {
      const one = found[index][column];
      const number = value(one);
      const figure = make("span", { class: "figure" });
      figure.textContent = number === null ? words.table.none : write.count(number);
      const inside = make("div", { class: "cell" }, figure);
      if (!row.total && brands.includes(entity)) {
        const track = make("div", { class: "track", "aria-hidden": "true" });
        const bar = make("div", { class: `bar ${row.tone}` });
        bar.style.width = `${(100 * (number || 0)) / top}%`;
        if (number) track.append(bar);
        const ends = interval(one);
        if (ends && ends[1] > 0) {
          const reached = make("div", { class: "whisker" });
          reached.style.left = `${(100 * ends[0]) / top}%`;
          reached.style.width = `${(100 * (ends[1] - ends[0])) / top}%`;
          track.append(reached);
        }
        inside.append(track);
      }
      // Without an interval, its room stays.
      inside.append(make("span", { class: "interval" }, between(one, "count"), make("span", { class: "raw" }, rawOf(one, "count"))));
      line.append(make("td", { "data-hint": hint(one, "count") }, make("span", { class: "named" }, isolate(data.entities[entity])), inside));
    });
    body.append(line);
  });
  const table = document.getElementById(`matrix-${id}`);
  table.classList.toggle("folded", folds(entities.length));
  // Bars share one scale only where numbers and intervals leave every one of them the same room.
  const room = (texts) => Math.max(1, ...texts.map((text) => text.length));
  const all = found.flat();
  table.style.setProperty("--columns", entities.length);
  table.style.setProperty("--figure", room(all.map((one) => (value(one) === null ? words.table.none : write.count(value(one))))));
  table.style.setProperty("--interval", room(all.flatMap((one) => [between(one, "count"), root.dataset.theme ? rawOf(one, "count") : ""])));
  table.replaceChildren(table.caption, make("thead", {}, head), body);
  records.set(id, () => rows.flatMap((row, index) => entities.map((entity, column) =>
    record(entity, row.name, "count", found[index][column], { period: state.period, ...row.at }))));
}
function tables() {
  matrix("touchpoint", [
    ...data.touchpoints.map(([label, name]) => ({ name, tone: "negative", cell: (entity) => cell(entity, `bad:${label}`) })),
    { name: words.section.touchpoint_all, total: true, cell: (entity) => cell(entity, "bad") },
  ]);
  matrix("lived", [["good", "positive"], ["bad", "negative"]].flatMap(([metric, tint]) =>
    ["own", "shared"].map((label) => ({ name: words.section[`${metric}_${label}`], tone: tint, cell: (entity) => cell(entity, `${metric}:experience:${label}`) }))));
  matrix("crowd", [
    { name: { o: words.chart.organic, s: words.chart.sponsored, a: words.crowd.voices_all }[state.promotion], tone: tone(), cell: (entity) => cell(entity, "voices") },
    { name: words.crowd.effective, tone: tone(), cell: (entity) => cell(entity, "concentration") },
    { name: words.crowd.echoes, tone: "neutral", cell: (entity) => cell(entity, "echoes") },
    { name: words.crowd.unknown_authors, tone: "neutral", cell: (entity) => cell(entity, "unknown_authors") },
  ]);
  const total = (at) => ({ name: words.section.mix_all, total: true, at, cell: (entity) => cell(entity, "posts", at) });
  matrix("language", [
    ...data.languages.map((name, index) => ({ name, tone: tone(), cell: (entity) => cell(entity, "posts", { language: index + 1 }) })),
    total({ language: 0 }),
  ]);
  matrix("place", [
    ...data.places.map((place, index) => ({ name: place.name, tone: place.kind ? "neutral" : tone(), kind: place.kind, inner: place.inside && !place.kind, cell: (entity) => cell(entity, "posts", { place: index + 1 }) })),
    total({ place: 0 }),
  ]);
}

// --- The same figures as text: every number with what it rests on -----------------------------------
const whenName = (period) => (period ? data.periods[period - 1][1] : words.filter.all_periods);
function fillFigures() {
  for (const details of document.querySelectorAll("details.figures")) {
    if (!details.open) continue;
    const rows = records.get(details.dataset.chart)().filter((one) => value(one.found) !== null);
    const heads = [words.table.brand, words.chart.window, words.chart.measure, words.chart.estimate, words.chart.low, words.chart.high, words.chart.raw, words.chart.n];
    const body = make("tbody");
    for (const { entity, measure, form, found, period } of rows) {
      const numbers = found.length > 2 ? [found[2], found[3], found[4], found[0]] : [null, null, null, found[0]];
      const texts = numbers.map((x) => (x === null ? words.table.none : write[form](x)));
      body.append(make(
        "tr", {}, make("th", { scope: "row" }, isolate(data.entities[entity])), make("td", {}, whenName(period)), make("td", {}, isolate(measure)),
        ...[...texts, write.count(found[1])].map((text, index) => make("td", { class: "number", "data-name": heads[index + 3] }, text)),
      ));
    }
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))), body);
    details.querySelector(".scroll").replaceChildren(table);
  }
}
for (const details of document.querySelectorAll("details.figures")) details.addEventListener("toggle", fillFigures);
