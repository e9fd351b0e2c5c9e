"use strict";
// Shows the slices that were counted. It picks numbers, writes them and draws them; it adds nothing
// up. Strangers' words are written with textContent only, and none is given to the charts.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const words = data.words;
  const root = document.documentElement;
  const COUNTED = new Set(["posts", "voices", "good", "bad", "advocates", "detractors"]);
  const FEWEST = 5; // voices that a period needs for its influence to be drawn
  const state = { brand: -1, language: 0, place: 0, promotion: "o" };
  const MINUS = "\u2212";

  // --- Numbers: the same figures as the server's, to the letter -----------------------------------
  const plain = new Intl.NumberFormat(data.locale, { maximumFractionDigits: 0, useGrouping: "always" });
  const write = {
    count: (x) => (x < 0 && plain.format(-x) !== "0" ? MINUS : "") + plain.format(Math.abs(x)),
    signed: (x) => (x > 0 && plain.format(x) !== "0" ? "+" : "") + write.count(x),
    percent: (x) => write.count(100 * x) + (data.locale.startsWith("fr") ? "\u202f%" : "%"),
  };

  // A cell is [raw, n] or [raw, n, estimate, low, high]; a counted metric without a row is zero.
  function cell(entity, metric, { promotion = state.promotion, period = 0, language = state.language, place = state.place } = {}) {
    const slice = data.cells[`${entity}.${language}.${place}.${promotion}`];
    const found = slice && slice[metric] && slice[metric][period];
    return found || (COUNTED.has(metric.split(":")[0]) ? [0, 0] : null);
  }
  const value = (found) => (found === null ? null : found.length > 2 && found[2] !== null ? found[2] : found[0]);
  const interval = (found) => (found && found.length > 4 && found[3] !== null && found[4] !== null ? [found[3], found[4]] : null);

  function hint(found, form) {
    if (value(found) === null) return "";
    const told = [];
    if (found.length > 2 && found[2] !== null) told.push(`${words.chart.estimate} ${write[form](found[2])}`);
    if (found[0] !== null) told.push(`${words.chart.raw} ${write[form](found[0])}`);
    told.push(`${words.chart.n} ${write.count(found[1])}`);
    return told.join(" · ");
  }
  function between(found, form) {
    const ends = interval(found);
    if (!ends) return "";
    const [low, high] = ends.map(write[form]);
    return `[${form === "signed" ? words.chart.from_to.replace("{low}", low).replace("{high}", high) : `${low}–${high}`}]`;
  }

  // --- Small builders -----------------------------------------------------------------------------
  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, given] of Object.entries(attributes)) element.setAttribute(key, given);
    element.append(...children);
    return element;
  }
  function draw(name, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, given] of Object.entries(attributes)) element.setAttribute(key, given);
    element.append(...children);
    return element;
  }
  const isolate = (text) => {
    const element = make("bdi");
    element.textContent = text;
    return element;
  };
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const tone = () => ({ o: "organic", s: "sponsored", a: "neutral" })[state.promotion];

  // --- The headline table -------------------------------------------------------------------------
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
      if (ends) picture.append(draw("path", { d: `M${at(ends[0])} 4v8m0-4H${at(ends[1])}m0-4v8`, stroke: colour("ink"), "stroke-width": 1.3, fill: "none" }));
    }
    picture.append(draw("line", { x1: middle, x2: middle, y1: 0, y2: 16, stroke: colour("ink") }));
    return picture;
  }
  function spark(entity) {
    const numbers = data.periods.map((_, index) => value(cell(entity, "voices", { promotion: "o", period: index + 1 })) || 0);
    const top = Math.max(1, ...numbers);
    const step = Math.min(10, 80 / Math.max(1, numbers.length));
    const picture = draw("svg", { width: Math.ceil(step * numbers.length), height: 22, role: "img", "aria-label": summary(words.trend, "", numbers, "count") });
    numbers.forEach((number, index) => {
      const height = Math.max(1, (20 * number) / top);
      picture.append(draw("rect", { x: index * step, width: Math.max(0.6, step - 1.6), y: 21 - height, height, fill: colour("organic") }));
    });
    return picture;
  }
  function summary(what, brand, numbers, form) {
    const known = numbers.map((number, index) => [number, index]).filter(([number]) => number !== null);
    if (!known.length) return words.chart.none;
    const top = known.reduce((best, next) => (next[0] > best[0] ? next : best));
    const [first, last] = [known[0], known[known.length - 1]];
    const values = {
      brand, what,
      first: write[form](first[0]), first_window: data.periods[first[1]][1],
      last: write[form](last[0]), last_window: data.periods[last[1]][1],
      top: write[form](top[0]), top_window: data.periods[top[1]][1],
    };
    const text = words.chart.summary.replace(/\{(\w+)\}/g, (_, name) => values[name]);
    return brand ? text : text.replace(/^, /, "");
  }
  function headline() {
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
        spot.title = hint(found, column.form);
        if (column.id === "influence") spot.querySelector(".drawn").replaceChildren(balance(found));
      }
      row.querySelector(".spark").replaceChildren(...(data.periods.length > 1 ? [spark(entity)] : []));
    }
  }

  // --- Charts over time ---------------------------------------------------------------------------
  const charts = new Map(); // element -> chart
  const shownEntities = () => {
    if (state.brand >= 0) return [state.brand];
    return data.entities.map((_, index) => index).slice(0, data.brands).slice(0, data.panels);
  };
  const series = (entity, metric, promotion) =>
    data.periods.map((_, index) => cell(entity, metric, { promotion, period: index + 1 }));
  const influences = (entity) =>
    series(entity, "influence", "o").map((found, index) => {
      const voices = value(cell(entity, "voices", { promotion: "o", period: index + 1 }));
      return voices >= FEWEST ? found : null;
    });
  const kinds = {
    voices: {
      form: "count", what: () => words.section.time_voices,
      lines: (entity) => [
        { name: words.chart.organic, tone: "organic", cells: series(entity, "voices", "o") },
        { name: words.chart.sponsored, tone: "sponsored", cells: series(entity, "voices", "s"), dashed: true },
      ],
    },
    influence: {
      form: "signed", bars: true, what: () => words.section.time_influence,
      lines: (entity) => [{ name: words.chart.influence, tone: "sign", cells: influences(entity) }],
    },
    experience: {
      form: "count", bars: true, what: () => words.section.time_experience,
      lines: (entity) => [
        { name: words.chart.good, tone: "positive", cells: series(entity, "good") },
        { name: words.chart.bad, tone: "negative", cells: series(entity, "bad"), down: true },
      ],
    },
  };
  function nice(top) {
    const unit = 10 ** Math.floor(Math.log10(Math.max(1, top)));
    return [1, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * unit).find((limit) => limit >= top);
  }
  function scale(name, all) {
    let [low, high] = [0, 1];
    for (const lines of all) {
      for (const line of lines) {
        for (const found of line.cells) {
          const reach = [value(found), ...(interval(found) || [])].filter((x) => x !== null);
          for (const x of reach.map((number) => (line.down ? -number : number))) {
            low = Math.min(low, x);
            high = Math.max(high, x);
          }
        }
      }
    }
    const top = name === "influence" ? Math.min(100, Math.ceil(Math.max(-low, high) / 25) * 25) : nice(Math.max(-low, high));
    return { min: low < 0 || name === "influence" ? -top : 0, max: top, interval: top <= 3 ? 1 : top / 2 };
  }
  function option(kind, lines, axis) {
    const text = { color: colour("soft"), fontFamily: getComputedStyle(document.body).fontFamily, fontSize: root.dataset.theme ? 9 : 11 };
    const many = data.periods.length > 30;
    const drawn = lines.map((line) => {
      const points = line.cells.map((found) => {
        const x = value(found);
        const y = x === null ? null : line.down ? -x : x;
        if (line.tone !== "sign" || y === null) return y;
        const sign = write.count(y) === "0" ? "neutral" : y < 0 ? "negative" : "positive";
        return { value: y, itemStyle: { color: colour(sign) } };
      });
      if (kind.bars) {
        return { type: "bar", name: line.name, data: points, stack: "one", barMinHeight: line.tone === "sign" ? 2 : 0, barMaxWidth: 18, barCategoryGap: "28%", itemStyle: { color: colour(line.tone) }, emphasis: { disabled: true } };
      }
      return {
        type: "line", name: line.name, data: points, showSymbol: !many, symbol: "circle", symbolSize: 5, z: 3,
        lineStyle: { width: 2, color: colour(line.tone), type: line.dashed ? [5, 3] : "solid" },
        itemStyle: { color: colour(line.tone) }, emphasis: { disabled: true },
      };
    });
    for (const line of kind.bars ? [] : lines) {
      const ends = line.cells.map(interval);
      if (!ends.some(Boolean)) continue;
      const shared = { type: "line", silent: true, symbol: "none", stack: `band ${line.name}`, stackStrategy: "all", lineStyle: { opacity: 0 }, emphasis: { disabled: true }, tooltip: { show: false } };
      drawn.push({ ...shared, data: ends.map((pair) => pair && pair[0]) });
      drawn.push({ ...shared, data: ends.map((pair) => pair && pair[1] - pair[0]), areaStyle: { color: colour(line.tone), opacity: 0.18 } });
    }
    return {
      animation: false,
      textStyle: text,
      grid: { left: 4, right: 10, top: 12, bottom: 2, containLabel: true },
      xAxis: {
        type: "category", data: data.periods.map((period) => period[0]), boundaryGap: Boolean(kind.bars) || !many,
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
        axisPointer: { type: kind.bars ? "shadow" : "line", lineStyle: { color: colour("faint") }, shadowStyle: { color: colour("faint"), opacity: 0.12 } },
        backgroundColor: colour("bubble"), borderWidth: 0,
        textStyle: { ...text, color: colour("bubble-ink"), fontSize: 12, lineHeight: 17 },
        formatter: (points) => {
          const index = points[0].dataIndex;
          const told = lines.map((line) => {
            const found = line.cells[index];
            const known = value(found);
            if (known === null) return `${line.name} ${words.table.none}`;
            return [`${line.name} ${write[kind.form](known)}`, between(found, kind.form), `(${hint(found, kind.form)})`].filter(Boolean).join(" ");
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
  function overTime() {
    const entities = shownEntities();
    const note = document.getElementById("too-many");
    note.hidden = state.brand >= 0 || data.brands <= data.panels;
    note.textContent = words.section.too_many.replace("{n}", write.count(data.panels));
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
      entities.forEach((entity, index) => {
        let panel = place.children[index];
        if (!panel) {
          panel = make("figure", { class: "panel" }, make("figcaption"), make("div", { class: "chart", role: "img" }), make("p", { class: "none" }));
          panel.querySelector(".none").textContent = words.chart.none;
          place.append(panel);
        }
        panel.querySelector("figcaption").replaceChildren(...(data.brands > 1 || data.everyone !== 0 ? [isolate(data.entities[entity])] : []));
        const spot = panel.querySelector(".chart");
        const lines = all[index];
        const empty = !data.periods.length || lines.every((line) => line.cells.every((found) => !value(found)));
        panel.querySelector(".none").hidden = !empty;
        spot.hidden = empty;
        if (empty) return;
        spot.setAttribute("aria-label", lines.map((line) => summary(line.name.toLowerCase(), data.entities[entity], line.cells.map(value), kind.form)).join(" "));
        if (!charts.has(spot)) charts.set(spot, echarts.init(spot, null, { renderer: "svg" }));
        charts.get(spot).setOption(option(kind, lines, axis), { notMerge: true });
        fit(spot);
      });
      const figures = document.querySelector(`details[data-chart="${name}"]`);
      if (figures.open) fill(figures, kind, entities, all);
      figures.ontoggle = () => { if (figures.open) fill(figures, kind, entities, all); };
    }
  }
  function fill(figures, kind, entities, all) {
    const heads = [make("th", { scope: "col" }, words.chart.window)];
    entities.forEach((entity, index) => all[index].forEach((line) => {
      heads.push(make("th", { scope: "col" }, isolate(data.entities[entity]), make("span", { class: "unit" }, line.name)));
    }));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)));
    const body = make("tbody");
    data.periods.forEach((period, index) => {
      const row = make("tr", {}, make("th", { scope: "row" }, period[1]));
      all.flat().forEach((line) => {
        const found = line.cells[index];
        const known = value(found);
        row.append(make("td", { title: hint(found, kind.form) }, [known === null ? words.table.none : write[kind.form](known), between(found, kind.form)].filter(Boolean).join(" ")));
      });
      body.append(row);
    });
    table.append(body);
    figures.querySelector(".scroll").replaceChildren(table);
  }

  // --- Tables with bars ---------------------------------------------------------------------------
  function matrix(id, rows, look) {
    const entities = [...shownEntities(), ...(data.everyone >= data.brands ? [data.everyone] : [])];
    const found = rows.map((row) => entities.map((entity) => row.cell(entity)));
    const brands = entities.filter((entity) => entity !== data.everyone || data.brands === 1);
    const top = Math.max(1, ...rows.flatMap((row, index) => (row.total ? [] : brands.map((_, column) => value(found[index][column]) || 0))));
    const head = make("tr", {}, make("td"), ...entities.map((entity) => make("th", { scope: "col" }, isolate(data.entities[entity]))));
    const body = make("tbody");
    rows.forEach((row, index) => {
      const line = make("tr", { class: row.inner ? "inner" : row.total ? "total" : "" }, make("th", { scope: "row" }, isolate(row.name)));
      entities.forEach((entity, column) => {
        const one = found[index][column];
        const number = value(one) || 0;
        const figure = make("span", { class: "figure" });
        figure.textContent = write.count(number);
        const inside = make("div", { class: "cell" }, figure);
        const ends = between(one, "count");
        if (ends) inside.append(make("span", { class: "interval" }, ends));
        if (!row.total && brands.includes(entity)) {
          const bar = make("div", { class: `bar ${look()}` });
          bar.style.width = `${(100 * number) / top}%`;
          if (number) inside.append(make("div", { class: "track", "aria-hidden": "true" }, bar));
        }
        line.append(make("td", { title: hint(one, "count") }, inside));
      });
      body.append(line);
    });
    document.getElementById(id).replaceChildren(make("thead", {}, head), body);
  }
  function tables() {
    matrix("matrix-touchpoint", [
      ...data.touchpoints.map(([label, name]) => ({ name, cell: (entity) => cell(entity, `bad:${label}`) })),
      { name: words.section.touchpoint_all, total: true, cell: (entity) => cell(entity, "bad") },
      ...["own", "shared"].map((label) => ({ name: words.section[`touchpoint_${label}`], inner: true, total: true, cell: (entity) => cell(entity, `bad:experience:${label}`) })),
    ], () => "negative");
    const total = (override) => ({ name: words.section.mix_all, total: true, cell: (entity) => cell(entity, "posts", override) });
    matrix("matrix-language", [
      ...data.languages.map((name, index) => ({ name, cell: (entity) => cell(entity, "posts", { language: index + 1 }) })),
      total({ language: 0 }),
    ], tone);
    matrix("matrix-place", [
      ...data.places.map((place, index) => ({ name: place.name, total: place.kind, inner: place.inside && !place.kind, cell: (entity) => cell(entity, "posts", { place: index + 1 }) })),
      total({ place: 0 }),
    ], tone);
  }

  // --- Examples, stories, status ------------------------------------------------------------------
  function posts() {
    for (const block of document.querySelectorAll(".examples")) {
      block.hidden = state.brand >= 0 && Number(block.dataset.brand) !== state.brand;
      for (const none of block.querySelectorAll(".none")) {
        let shown = 0;
        for (const example of none.parentElement.querySelectorAll(".example")) {
          const { language, place, kind, promotion } = example.dataset;
          const fits = (!state.language || Number(language) === state.language)
            && (!state.place || Number(place) === state.place || Number(kind) === state.place)
            && (state.promotion === "a" || promotion === state.promotion);
          example.hidden = !fits || shown >= data.shown;
          if (!example.hidden) shown += 1;
        }
        none.hidden = shown > 0;
      }
    }
    const whole = !state.language && !state.place && state.promotion === "o";
    const stories = [...document.querySelectorAll(".story")];
    for (const story of stories) story.hidden = state.brand >= 0 && Number(story.dataset.brand) !== state.brand;
    // The sentences tell of everything organic; beside another slice's numbers they would mislead.
    const section = stories.length && stories[0].closest("section");
    if (section) section.hidden = !whole || stories.every((story) => story.hidden);
  }
  function status() {
    const parts = [
      state.brand < 0 ? words.filter.all_brands : data.entities[state.brand],
      state.language ? data.languages[state.language - 1] : words.filter.all_languages,
      state.place ? data.places[state.place - 1].name : words.filter.all_places,
      { o: words.filter.organic, s: words.filter.sponsored, a: words.filter.all }[state.promotion],
    ];
    const line = document.getElementById("slice");
    line.replaceChildren(words.filter.shown + words.head.colon);
    parts.forEach((part, index) => line.append(index ? " · " : "", isolate(part)));
  }

  function show() {
    headline();
    overTime();
    tables();
    posts();
    status();
  }

  // --- What the reader does -----------------------------------------------------------------------
  const form = document.getElementById("filters");
  function read() {
    const chosen = (id, none) => {
      const select = document.getElementById(id);
      return select ? Number(select.value) : none;
    };
    state.brand = chosen("filter-brand", -1);
    state.language = chosen("filter-language", 0);
    state.place = chosen("filter-place", 0);
    state.promotion = form.elements.promotion.value;
    show();
  }
  form.addEventListener("change", read);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(read));

  const bubble = document.getElementById("bubble");
  function explain(event) {
    const link = event.target.closest && event.target.closest(".define");
    if (!link) return;
    bubble.textContent = document.querySelector(`#about-${link.dataset.about} dd`).textContent;
    bubble.hidden = false;
    link.setAttribute("aria-describedby", "bubble");
    const box = link.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left - 12, root.clientWidth - bubble.offsetWidth - 8));
    const below = box.bottom + 8 + bubble.offsetHeight < root.clientHeight;
    bubble.style.left = `${left}px`;
    bubble.style.top = `${below ? box.bottom + 8 : box.top - 8 - bubble.offsetHeight}px`;
  }
  const quiet = () => { bubble.hidden = true; };
  for (const name of ["mouseover", "focusin"]) document.addEventListener(name, explain);
  for (const name of ["mouseout", "focusout", "scroll"]) document.addEventListener(name, quiet, { passive: true, capture: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") quiet(); });

  let waiting = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => [...charts.keys()].forEach(fit));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  // Printing lays the page out at the paper's width, in light colours, before the charts are drawn.
  window.addEventListener("beforeprint", () => { root.dataset.theme = "print"; show(); });
  window.addEventListener("afterprint", () => { delete root.dataset.theme; show(); });

  show();
})();
