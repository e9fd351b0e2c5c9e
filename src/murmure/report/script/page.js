
// --- Examples, stories, status ----------------------------------------------------------------------
const whole = () => !state.language && !state.place && !state.period && state.promotion === "o";
function posts() {
  const topic = document.getElementById("filter-touchpoint").value;
  for (const block of document.querySelectorAll(".examples")) {
    const brand = Number(block.dataset.brand);
    block.hidden = state.brand >= 0 ? brand !== state.brand : brand >= data.panels;
    if (block.hidden) continue;
    for (const none of block.querySelectorAll(".none")) {
      let shown = 0;
      for (const example of none.parentElement.querySelectorAll(".example")) {
        const { language, place, kind, period, promotion, touchpoint } = example.dataset;
        const fits = (!state.language || Number(language) === state.language)
          && (!state.place || Number(place) === state.place || Number(kind) === state.place)
          && (!state.period || Number(period) === state.period)
          && (!topic || touchpoint === topic)
          && (state.promotion === "a" || promotion === state.promotion);
        example.hidden = !fits || shown >= data.shown;
        if (!example.hidden) shown += 1;
      }
      none.hidden = shown > 0;
    }
  }
}
// The sentences tell of everything organic; beside another slice's numbers they would mislead.
function sentences() {
  const other = (element) => state.brand >= 0 && Number(element.dataset.brand) !== state.brand;
  const stories = [...document.querySelectorAll(".story")];
  for (const story of stories) story.hidden = other(story);
  const section = stories.length && stories[0].closest("section");
  if (section) section.hidden = !whole() || stories.every((story) => story.hidden);
  for (const told of document.querySelectorAll(".told[data-brand]")) told.hidden = !whole() || other(told);
  for (const alert of document.querySelectorAll(".alerts li")) alert.hidden = other(alert);
}
function status() {
  const parts = [
    state.brand < 0 ? words.filter.all_brands : data.entities[state.brand],
    state.language ? data.languages[state.language - 1] : words.filter.all_languages,
    state.place ? data.places[state.place - 1].name : words.filter.all_places,
    whenName(state.period),
    { o: words.filter.organic, s: words.filter.sponsored, a: words.filter.all }[state.promotion],
  ];
  const line = document.getElementById("slice");
  line.replaceChildren(words.filter.shown + words.head.colon);
  parts.forEach((part, index) => line.append(index ? " · " : "", isolate(part)));
  const lacking = !held("share", state.language, state.place, state.period, state.promotion);
  if (lacking) line.append(" ", words.filter.not_held);
}

function show() {
  headline();
  overTime();
  tables();
  posts();
  sentences();
  status();
  fillFigures();
  return drawWaiting();
}

// --- What the reader does ---------------------------------------------------------------------------
const form = document.getElementById("filters");
function read() {
  const chosen = (id, none) => {
    const select = document.getElementById(id);
    return select ? Number(select.value) : none;
  };
  state.brand = chosen("filter-brand", -1);
  state.language = chosen("filter-language", 0);
  state.place = chosen("filter-place", 0);
  state.period = chosen("filter-period", 0);
  state.promotion = form.elements.promotion.value;
  show();
}
form.addEventListener("change", read);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(read));
document.getElementById("filter-touchpoint").addEventListener("change", posts);

const bubble = document.getElementById("bubble");
function explain(event) {
  const spot = event.target.closest && event.target.closest(".define, [data-hint]");
  const text = spot && (spot.dataset.hint || (spot.dataset.about && document.querySelector(`#about-${spot.dataset.about} dd`).textContent));
  if (!text) return;
  bubble.textContent = text;
  bubble.hidden = false;
  if (spot.dataset.about) spot.setAttribute("aria-describedby", "bubble");
  const box = spot.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left - 12, root.clientWidth - bubble.offsetWidth - 8));
  const below = box.bottom + 8 + bubble.offsetHeight < root.clientHeight;
  bubble.style.left = `${left}px`;
  bubble.style.top = `${below ? box.bottom + 8 : box.top - 8 - bubble.offsetHeight}px`;
}
const quiet = () => { bubble.hidden = true; };
for (const name of ["mouseover", "focusin", "click"]) document.addEventListener(name, explain);
for (const name of ["mouseout", "focusout", "scroll"]) document.addEventListener(name, quiet, { passive: true, capture: true });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") quiet(); });

let waiting = 0;
window.addEventListener("resize", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => [...charts.keys()].forEach(fit));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
narrow.addEventListener("change", tables);
// Printing lays the page out at the paper's width, in light colours, before the charts are drawn.
window.addEventListener("beforeprint", () => { root.dataset.theme = "print"; show(); });
window.addEventListener("afterprint", () => { delete root.dataset.theme; show(); });

await show();
root.dataset.ready = "yes";
