
// --- The headline table -----------------------------------------------------------------------------
function whisker(ends, at, middle, half) {
  const [low, high] = ends.map(at);
  const line = { d: `M${low} ${middle - half}v${2 * half}m0 ${-half}H${high}m0 ${-half}v${2 * half}`, fill: "none" };
  // A rim of paper keeps it visible on its bar.
  return draw("g", {}, draw("path", { ...line, stroke: colour("paper"), "stroke-width": 3.6 }), draw("path", { ...line, stroke: colour("ink"), "stroke-width": 1.3 }));
}
function balance(found) {
  const middle = 42;
  const at = (x) => middle + Math.max(-40, Math.min(40, x * 0.4));
  const picture = draw("svg", { width: 84, height: 16, viewBox: "0 0 84 16" });
  picture.append(draw("line", { x1: 2, x2: 82, y1: 8, y2: 8, stroke: colour("rule") }));
  const x = value(found);
  if (x !== null) {
    const end = at(x);
    picture.append(draw("rect", { x: Math.min(middle, end), width: Math.abs(end - middle), y: 3, height: 10, fill: colour(x < 0 ? "negative" : "positive") }));
    const ends = interval(found);
    if (ends) picture.append(whisker(ends, at, 8, 4));
  }
  picture.append(draw("line", { x1: middle, x2: middle, y1: 0, y2: 16, stroke: colour("ink") }));
  return picture;
}
// Detractors to the left, advocates to the right, on one scale over the brands.
function sides(against, favour, top) {
  const [middle, reach] = [58, 54];
  const picture = draw("svg", { width: 2 * middle, height: 20, viewBox: `0 0 ${2 * middle} 20` });
  for (const [found, sign, tint] of [[against, -1, "negative"], [favour, 1, "positive"]]) {
    const x = value(found);
    if (x === null) continue;
    const at = (number) => middle + (sign * reach * number) / top;
    picture.append(draw("rect", { x: Math.min(middle, at(x)), width: Math.abs(at(x) - middle), y: 4, height: 12, fill: colour(tint) }));
    const ends = interval(found);
    if (ends) picture.append(whisker(ends, at, 10, 4));
  }
  picture.append(draw("line", { x1: middle, x2: middle, y1: 0, y2: 20, stroke: colour("ink") }));
  return picture;
}
function spark(entity) {
  const numbers = data.periods.map((_, index) => value(cell(entity, "voices", { promotion: "o", period: index + 1 })) || 0);
  const top = Math.max(1, ...numbers);
  const step = Math.min(10, 80 / Math.max(1, numbers.length));
  const picture = draw("svg", { width: Math.ceil(step * numbers.length), height: 22, viewBox: `0 0 ${Math.ceil(step * numbers.length)} 22`, preserveAspectRatio: "none", role: "img", "aria-label": summary(words.trend, "", numbers, "count") });
  numbers.forEach((number, index) => {
    const height = Math.max(1, (20 * number) / top);
    const chosen = state.period === index + 1 ? "ink" : "organic";
    picture.append(draw("rect", { x: index * step, width: Math.max(0.6, step - Math.min(1.6, step / 3)), y: 21 - height, height, fill: colour(chosen) }));
  });
  return picture;
}
function summary(what, brand, numbers, form) {
  const known = numbers.map((number, index) => [number, index]).filter(([number]) => number !== null);
  if (!known.length) return words.chart.none;
  const top = known.reduce((best, next) => (next[0] > best[0] ? next : best));
  const [first, last] = [known[0], known[known.length - 1]];
  const text = fill(words.chart.summary, {
    brand, what,
    first: write[form](first[0]), first_window: data.periods[first[1]][1],
    last: write[form](last[0]), last_window: data.periods[last[1]][1],
    top: write[form](top[0]), top_window: data.periods[top[1]][1],
  });
  return brand ? text : text.replace(/^, /, "");
}
function headline() {
  const organic = (entity, metric) => (state.promotion === "s" ? null : cell(entity, metric, { promotion: "o" }));
  const brands = shownEntities();
  const reach = brands.flatMap((entity) => ["detractors", "advocates"].flatMap((metric) => {
    const found = organic(entity, metric);
    return [value(found), ...(interval(found) || [])];
  }));
  const top = Math.max(1, ...reach.filter((x) => x !== null));
  // Whoever cuts the table out of the page takes its slice along.
  const slice = [words.table.caption, whenName(state.period), ...(state.language ? [data.languages[state.language - 1]] : []), ...(state.place ? [data.places[state.place - 1].name] : [])];
  document.querySelector("#headline caption").replaceChildren(...slice.flatMap((part, index) => [index ? " · " : "", isolate(part)]));
  document.querySelector("#headline th.c-posts .unit").textContent = { o: words.table.posts_unit, s: words.table.posts_unit_sponsored, a: words.table.posts_unit_all }[state.promotion];
  const told = [];
  for (const row of document.querySelectorAll("#headline tbody tr")) {
    const entity = Number(row.dataset.entity);
    const everyone = entity === data.everyone && data.entities.length > 1;
    row.hidden = state.brand >= 0 && entity !== state.brand && !everyone;
    row.querySelector(".few").hidden = (value(cell(entity, "voices", { promotion: "o" })) || 0) >= data.few;
    for (const column of data.columns) {
      const spot = row.querySelector(`td[data-column="${column.id}"]`);
      // What is defined over organic voices has no value among sponsored posts.
      const hidden = (column.alone && everyone) || (state.promotion === "s" && column.promotion === "o" && column.metric !== "voices");
      const found = hidden ? null : cell(entity, column.metric, { promotion: column.promotion || state.promotion });
      const known = value(found);
      spot.querySelector(".value").textContent = known === null ? words.table.none : write[column.form](known);
      spot.querySelector(".interval").textContent = between(found, column.form);
      spot.querySelector(".raw").textContent = rawOf(found, column.form);
      spot.dataset.hint = hint(found, column.form);
      if (column.id === "influence") spot.querySelector(".drawn").replaceChildren(balance(found));
      if (!row.hidden) told.push(record(entity, words.table[column.id], column.form, found, { promotion: column.promotion || state.promotion }));
    }
    const drawn = brands.includes(entity) && state.promotion !== "s";
    row.querySelector(".sides").replaceChildren(...(drawn ? [sides(organic(entity, "detractors"), organic(entity, "advocates"), top)] : []));
    row.querySelector(".spark").replaceChildren(...(data.periods.length > 1 ? [spark(entity)] : []));
  }
  records.set("glance", () => told);
}
