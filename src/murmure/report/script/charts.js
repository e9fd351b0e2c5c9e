
// --- Charts over time -------------------------------------------------------------------------------
const charts = new Map(); // element -> chart
const series = (entity, metric, promotion = state.promotion) =>
  data.periods.map((_, index) => cell(entity, metric, { promotion, period: index + 1 }));
const influences = (entity) =>
  series(entity, "influence", "o").map((found, index) => {
    const voices = value(cell(entity, "voices", { promotion: "o", period: index + 1 }));
    return voices >= FEWEST ? found : null;
  });
// The counts look for alerts over everything organic.
const alarms = (entity) => {
  const whole = !state.language && !state.place && state.promotion === "o";
  return data.periods.map((_, index) => whole && value(cell(entity, "alert", { promotion: "o", language: 0, place: 0, period: index + 1 })) === 1);
};
const kinds = {
  voices: {
    form: "count", what: words.section.time_voices,
    lines: (entity) => [
      { name: words.chart.organic, tone: "organic", promotion: "o", cells: series(entity, "voices", "o") },
      { name: words.chart.sponsored, tone: "sponsored", promotion: "s", cells: series(entity, "voices", "s"), dashed: true },
    ],
  },
  influence: {
    form: "signed", what: words.section.time_influence,
    lines: (entity) => [{ name: words.chart.influence, tone: "ink", promotion: "o", signs: true, cells: influences(entity) }],
  },
  experience: {
    form: "count", what: words.section.time_experience,
    lines: (entity) => [
      { name: words.chart.good, tone: "positive", cells: series(entity, "good") },
      { name: words.chart.bad, tone: "negative", cells: series(entity, "bad"), down: true, dashed: true, alarms: alarms(entity) },
    ],
  },
};
function nice(top) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, top)));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * unit).find((limit) => limit >= top);
}
function scale(name, all) {
  let [low, high] = [0, 1];
  for (const line of all.flat()) {
    for (const found of line.cells) {
      const reach = [value(found), ...(interval(found) || [])].filter((x) => x !== null);
      for (const x of reach.map((number) => (line.down ? -number : number))) {
        low = Math.min(low, x);
        high = Math.max(high, x);
      }
    }
  }
  if (name === "influence") return { min: -100, max: 100, interval: 100 };
  const top = nice(Math.max(-low, high));
  // Upwards and downwards are on one scale, each as long as it needs to be.
  const step = top <= 3 ? 1 : top / 2;
  return { min: -Math.ceil(-low / step) * step, max: Math.ceil(high / step) * step, interval: step };
}
const turned = (line, x) => (x === null ? null : line.down ? -x : x);
function band(line) {
  const ends = line.cells.map(interval).map((pair) => pair && pair.map((x) => turned(line, x)).sort((a, b) => a - b));
  if (!ends.some(Boolean)) return [];
  const shared = { type: "line", silent: true, symbol: "none", stack: `band ${line.name}`, stackStrategy: "all", lineStyle: { opacity: 0 }, emphasis: { disabled: true }, tooltip: { show: false } };
  // A week between two unknown ones has no neighbour to make an area with: it gets a stroke.
  const lone = (index) => ends[index] && !ends[index - 1] && !ends[index + 1];
  const strokes = ends.map((pair, index) => lone(index) && [{ coord: [index, pair[0]] }, { coord: [index, pair[1]] }]).filter(Boolean);
  return [
    { ...shared, data: ends.map((pair) => pair && pair[0]) },
    {
      ...shared, data: ends.map((pair) => pair && pair[1] - pair[0]), areaStyle: { color: colour(line.tone), opacity: 0.2 },
      markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { type: "solid", width: 2, opacity: 0.35, color: colour(line.tone) }, data: strokes },
    },
  ];
}
function option(kind, lines, axis) {
  const text = { color: colour("soft"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: root.dataset.theme ? 9 : 11 };
  const many = data.periods.length > 30;
  const drawn = lines.flatMap(band);
  lines.forEach((line, place) => {
    const points = line.cells.map((found, index) => {
      const y = turned(line, value(found));
      if (y === null) return null;
      const alarm = line.alarms && line.alarms[index];
      const sign = write.count(y) === "0" ? "neutral" : y < 0 ? "negative" : "positive";
      const tint = colour(line.signs ? sign : line.tone);
      // A point between two unknown ones would not be seen without its mark.
      const before = index > 0 && value(line.cells[index - 1]) !== null;
      const after = index + 1 < line.cells.length && value(line.cells[index + 1]) !== null;
      const small = many && (before || after) ? 0 : 5;
      return { value: y, symbol: alarm ? "diamond" : "circle", symbolSize: alarm ? 13 : small, itemStyle: { color: tint, borderColor: alarm ? colour("ink") : tint, borderWidth: alarm ? 1.5 : 0 } };
    });
    drawn.push({
      type: "line", name: line.name, data: points, z: 3, showAllSymbol: true,
      lineStyle: { width: 1.8, color: colour(line.tone), type: line.dashed ? [5, 3] : "solid" },
      emphasis: { disabled: true },
      markLine: place ? undefined : {
        silent: true, symbol: "none", label: { show: false }, animation: false,
        data: state.period ? [{ xAxis: state.period - 1 }] : [],
        lineStyle: { color: colour("ink"), width: 1, type: [2, 2] },
      },
    });
  });
  return {
    animation: false,
    textStyle: text,
    grid: { left: 4, right: 10, top: 12, bottom: 2, containLabel: true },
    xAxis: {
      type: "category", data: data.periods.map((period) => period[0]), boundaryGap: !many,
      axisTick: { show: false }, axisLine: { onZero: true, lineStyle: { color: colour("soft") } },
      axisLabel: { ...text, hideOverlap: true, margin: 7 }, position: "bottom",
    },
    yAxis: {
      type: "value", ...axis,
      splitLine: { lineStyle: { color: colour("hair") } },
      axisLabel: { ...text, formatter: (x) => write[kind.form](kind.form === "signed" ? x : Math.abs(x)) },
    },
    tooltip: {
      trigger: "axis", renderMode: "richText", confine: true, padding: [6, 9],
      axisPointer: { type: "line", lineStyle: { color: colour("faint") } },
      backgroundColor: colour("bubble"), borderWidth: 0,
      textStyle: { ...text, color: colour("bubble-ink"), fontSize: 12, lineHeight: 17 },
      formatter: (points) => {
        const index = points[0].dataIndex;
        const told = lines.map((line) => {
          const alarm = line.alarms && line.alarms[index] ? ` (${words.chart.alert})` : "";
          return `${line.name}${alarm}${words.head.colon}${hint(line.cells[index], kind.form) || words.table.none}`;
        });
        return [data.periods[index][1], ...told].join("\n");
      },
    },
    series: drawn,
  };
}
function fit(spot) {
  const chart = charts.get(spot);
  const [width, height] = [spot.clientWidth, spot.clientHeight];
  if (!width || !height) return; // while the window is put away
  if (chart.getWidth() !== width || chart.getHeight() !== height) chart.resize();
  chart.getZr().flush(); // now, not in the next frame: the printer does not wait
}
function panelOf(place, index, what, entity) {
  let panel = place.children[index];
  if (!panel) {
    panel = make(
      "figure", { class: "panel picture" },
      make("div", { class: "heading" }, make("figcaption"), make("span", { class: "tools" })),
      make("div", { class: "chart", role: "img" }), make("p", { class: "none" }),
    );
    place.append(panel);
  }
  panel.querySelector("figcaption").replaceChildren(...(together || data.brands > 1 ? [isolate(data.entities[entity])] : [what]));
  const buttons = ["png", "csv"].map((kind) => {
    const button = make("button", { type: "button", "data-as": kind, "aria-label": fill(words.chart[`as_${kind}`], { what: `${what}, ${data.entities[entity]}` }) });
    button.textContent = words.chart[kind];
    return button;
  });
  panel.querySelector(".tools").replaceChildren(buttons[0], " ", buttons[1]);
  return panel;
}
// Charts are drawn a few at a time, so that the tables follow a filter at once.
const waitingCharts = [];
let drawing = 0;
function drawWaiting() {
  clearTimeout(drawing);
  root.dataset.drawing = "yes";
  return new Promise((done) => {
    const some = () => {
      const end = root.dataset.theme ? Infinity : performance.now() + 30; // the printer does not wait
      while (waitingCharts.length && performance.now() < end) waitingCharts.shift()();
      if (waitingCharts.length) {
        drawing = setTimeout(some);
        return;
      }
      delete root.dataset.drawing;
      done();
    };
    some();
  });
}
function overTime() {
  waitingCharts.length = 0;
  const entities = shownEntities();
  for (const note of document.querySelectorAll(".too-many")) {
    note.hidden = state.brand >= 0 || data.brands <= data.panels;
    note.firstElementChild.textContent = fill(words.section.too_many, { n: write.count(data.panels) });
  }
  for (const [name, kind] of Object.entries(kinds)) {
    const place = document.getElementById(`chart-${name}`);
    const all = entities.map((entity) => kind.lines(entity));
    const axis = scale(name, all);
    place.classList.toggle("alone", entities.length === 1);
    while (place.children.length > entities.length) {
      const gone = place.lastElementChild.querySelector(".chart");
      if (charts.has(gone)) charts.get(gone).dispose();
      charts.delete(gone);
      place.lastElementChild.remove();
    }
    const told = (chosen) => chosen.flatMap((index) => all[index].flatMap((line) => line.cells.map((found, at) =>
      record(entities[index], line.name, kind.form, found, { period: at + 1, promotion: line.promotion || state.promotion }))));
    entities.forEach((entity, index) => {
      const panel = panelOf(place, index, kind.what, entity);
      const spot = panel.querySelector(".chart");
      const lines = all[index];
      const empty = !data.periods.length || lines.every((line) => line.cells.every((found) => !value(found)));
      panel.querySelector(".none").hidden = !empty;
      panel.querySelector(".none").textContent = name === "influence" && data.periods.length ? fill(words.chart.few, { n: FEWEST }) : words.chart.none;
      panel.querySelector(".tools").hidden = empty;
      spot.hidden = empty;
      panel.dataset.chart = `${name}.${index}`;
      records.set(panel.dataset.chart, () => told([index]));
      if (empty) return;
      spot.setAttribute("aria-label", lines.map((line) => summary(line.name.toLowerCase(), data.entities[entity], line.cells.map(value), kind.form)).join(" "));
      waitingCharts.push(() => {
        if (!spot.isConnected) return;
        if (!charts.has(spot)) charts.set(spot, echarts.init(spot, null, { renderer: "svg" }));
        charts.get(spot).setOption(option(kind, lines, axis), { notMerge: true });
        fit(spot);
      });
    });
    records.set(name, () => told(entities.map((_, index) => index)));
  }
}
