// Shows the slices that were counted. It picks numbers, writes them and draws them; it adds nothing
// up. Strangers' words are written with textContent only, and none is given to the charts.

// --- What was given: words as JSON, numbers as JSON in gzip in base64 -------------------------------
const data = JSON.parse(document.getElementById("data").textContent);
const words = data.words;
const root = document.documentElement;

async function unpack(letters) {
  const bytes = Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}
const cells = await unpack(document.getElementById("cells").textContent);

const COUNTED = new Set(["posts", "voices", "good", "bad", "advocates", "detractors", "echoes", "unknown_authors"]);
const SERIES = new Set(data.series);
const FEWEST = 5; // voices that a period needs for its influence to be drawn
const MINUS = "\u2212";
const state = { brand: -1, language: 0, place: 0, period: 0, promotion: "o" };

// --- Numbers: the same figures as the server's, to the letter ---------------------------------------
const plain = new Intl.NumberFormat(data.locale, { maximumFractionDigits: 0, useGrouping: "always" });
const write = {
  count: (x) => (x < 0 && plain.format(-x) !== "0" ? MINUS : "") + plain.format(Math.abs(x)),
  signed: (x) => (x > 0 && plain.format(x) !== "0" ? "+" : "") + write.count(x),
  hundredths: (x) => write.count(100 * x),
  percent: (x) => write.hundredths(x) + (data.locale.startsWith("fr") ? "\u202f%" : "%"),
};
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// Whether the page holds a number: those of single periods may be too many for every slice.
function held(metric, language, place, period, promotion) {
  if (!period) return true;
  if (!language && !place) return SERIES.has(metric) || promotion === "o" || data.depth > 0;
  return SERIES.has(metric) && (data.depth === 3 || (data.depth === 2 && !(language && place)));
}

// A cell is [raw, n] or [raw, n, estimate, low, high]; a counted metric without a row is zero.
function cell(entity, metric, { promotion = state.promotion, period = state.period, language = state.language, place = state.place } = {}) {
  if (!held(metric, language, place, period, promotion)) return null;
  const slice = cells[`${entity}.${language}.${place}.${promotion}`];
  const found = slice && slice[metric] && slice[metric][period];
  return found || (COUNTED.has(metric.split(":")[0]) ? [0, 0] : null);
}
const value = (found) => (found === null ? null : found.length > 2 && found[2] !== null ? found[2] : found[0]);
const interval = (found) => (found && found.length > 4 && found[3] !== null && found[4] !== null ? [found[3], found[4]] : null);

function between(found, form) {
  const ends = interval(found);
  if (!ends) return "";
  const [low, high] = [write[form === "percent" ? "hundredths" : form](ends[0]), write[form](ends[1])];
  return `[${form === "signed" ? fill(words.chart.from_to, { low, high }) : `${low}–${high}`}]`;
}
// For paper, where nothing hovers: an estimate's raw count.
const rawOf = (found, form) =>
  found && found.length > 2 && found[2] !== null && found[0] !== null ? `${words.chart.raw} ${write[form](found[0])}` : "";
function hint(found, form) {
  if (value(found) === null) return "";
  const told = [];
  if (found.length > 2 && found[2] !== null) told.push([words.chart.estimate, write[form](found[2]), between(found, form)].filter(Boolean).join(" "));
  if (found[0] !== null) told.push(`${words.chart.raw} ${write[form](found[0])}`);
  told.push(`${words.chart.n} ${write.count(found[1])}`);
  return told.join(" · ");
}

// --- Small builders ---------------------------------------------------------------------------------
function build(element, attributes, children) {
  for (const [key, given] of Object.entries(attributes)) element.setAttribute(key, given);
  element.append(...children);
  return element;
}
const make = (name, attributes = {}, ...children) => build(document.createElement(name), attributes, children);
const draw = (name, attributes = {}, ...children) => build(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
const isolate = (text) => {
  const element = make("bdi");
  element.textContent = text;
  return element;
};
const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const tone = () => ({ o: "organic", s: "sponsored", a: "neutral" })[state.promotion];
const together = data.everyone >= data.brands; // several brands, and all of them as one
const shownEntities = () => {
  if (state.brand >= 0) return [state.brand];
  return data.entities.map((_, index) => index).slice(0, Math.min(data.brands, data.panels));
};

// What each picture shows, for its table of figures and its CSV: name -> () => records.
const records = new Map();
const record = (entity, measure, form, found, { period = state.period, promotion = state.promotion } = {}) =>
  ({ entity, measure, form, found, period, promotion });
