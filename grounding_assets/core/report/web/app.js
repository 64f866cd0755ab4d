/* The page's state and what changes it: controls, pages of samples, keys. */

const PAGE_SIZE = 24;
const FOR_READING_PX = 400; // smaller photos are better seen in the grid than enlarged

const rows = [...document.querySelectorAll("script.rows")].flatMap((chunk) => JSON.parse(chunk.textContent));
rows.forEach((row, position) => { row.photo = PAGE.photos[position]; });
const marks = new Marks(rows);
const choice = { text: "", filters: new Set(), marked: "all", sort: "input" };
let selected = rows;
let current = 0;
let shownPage = -1;
let waiting = [];

const cards = () => byId("samples").querySelectorAll("article");

function showWaitingPhotos() {
  waiting = waiting.filter(([figure, row]) => !showPhoto(figure, row));
}

function showPage(page) {
  stopCorrecting();
  shownPage = page;
  waiting = [];
  const start = page * PAGE_SIZE;
  const shown = selected.slice(start, start + PAGE_SIZE);
  const entries = shown.map((row, position) => {
    const card = cardElement(row, marks.of(row));
    card.dataset.position = start + position;
    waiting.push([card.querySelector(".photo"), row]);
    return el("li", {}, card);
  });
  byId("samples").replaceChildren(...entries);
  showWaitingPhotos();
}

function showState() {
  const start = shownPage * PAGE_SIZE;
  const end = Math.min(start + PAGE_SIZE, selected.length);
  const of = selected.length === rows.length ? "" : ` (of ${counted.format(rows.length)})`;
  byId("position").textContent = selected.length
    ? `${counted.format(start + 1)}–${counted.format(end)} of ${counted.format(selected.length)}${of}` : `0${of}`;
  byId("page-before").disabled = start === 0;
  byId("page-after").disabled = end >= selected.length;
  byId("empty").hidden = selected.length > 0;
  const accepted = marks.count("accept");
  const rejected = marks.count("reject");
  const phrases = marks.countPhrases();
  const partly = phrases ? `, ${counted.format(phrases)} with marked phrases` : "";
  byId("tally").textContent = `${counted.format(accepted)} accepted, ${counted.format(rejected)} rejected${partly}`;
  byId("export").disabled = !rows.some((row) => marks.exported(row));
  for (const card of cards()) {
    if (Number(card.dataset.position) === current) card.setAttribute("aria-current", "true");
    else card.removeAttribute("aria-current");
  }
}

function refresh() {
  selected = select(rows, choice, marks);
  current = 0;
  showPage(0);
  showState();
}

/** Makes a sample of the selection the current one, turns to its page, and brings it into view. */
function goTo(position) {
  if (!selected.length) return;
  current = Math.min(Math.max(position, 0), selected.length - 1);
  const page = Math.floor(current / PAGE_SIZE);
  if (page !== shownPage) showPage(page);
  showState();
  const card = currentCard();
  card.focus({ preventScroll: true });
  const fits = card.offsetHeight < innerHeight * 0.8;
  card.scrollIntoView({ block: fits ? "center" : "start" });
}

const currentCard = () => cards()[current - shownPage * PAGE_SIZE];

function mark(verdict) {
  const row = selected[current];
  if (!row || row.failure) return;
  marks.set(row, verdict);
  showVerdict(currentCard(), verdict);
  showState();
}

/** Marks one expression of the current sample; the mark that it bears is taken back. */
function markPhrase(index, verdict) {
  const row = selected[current];
  const before = marks.phrase(row, index).verdict ?? null;
  marks.setPhrase(row, index, { verdict: before === verdict ? null : verdict });
  redrawCard(currentCard(), row);
  showState();
  phraseOf(index)?.querySelector(".expression").focus({ preventScroll: true });
}

const phraseOf = (index) => currentCard()?.querySelector(`.phrase[data-phrase="${index}"]`);

/** Does something with the expression that has the focus. */
function withPhrase(act) {
  const phrase = document.activeElement?.closest?.(".phrase");
  if (phrase) act(Number(phrase.dataset.phrase));
}

function markAndGoOn(verdict) {
  mark(verdict);
  if (current + 1 < selected.length) goTo(current + 1);
}

const KEYS = {
  j: () => goTo(current + 1),
  ArrowRight: () => goTo(current + 1),
  k: () => goTo(current - 1),
  ArrowLeft: () => goTo(current - 1),
  a: () => markAndGoOn("accept"),
  r: () => markAndGoOn("reject"),
  u: () => mark(null),
  p: () => currentCard()?.querySelector(".provenance > summary").click(),
  g: () => setView(document.body.dataset.view === "grid" ? "reading" : "grid"),
  y: () => withPhrase((index) => markPhrase(index, "accept")),
  x: () => withPhrase((index) => markPhrase(index, "reject")),
  e: () => withPhrase((index) => correct(currentCard(), selected[current], index)),
  "/": () => byId("find").focus(),
  "?": () => byId("help").showModal(),
};

for (let number = 1; number <= 9; number += 1)
  KEYS[number] = () => phraseOf(number - 1)?.querySelector(".expression").focus();

document.addEventListener("keydown", (event) => {
  if (correctByKey(event)) return;
  const typing = event.target.closest?.("input:not([type=radio], [type=checkbox]), select, textarea");
  if (event.key === "Escape" && event.target === byId("find")) byId("samples").focus();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  const isSingle = event.key.length === 1;
  if (!act || (isSingle && !byId("shortcuts").checked) || (!isSingle && event.target.type === "radio")) return;
  event.preventDefault();
  act();
});

byId("samples").addEventListener("click", ({ target }) => {
  const card = target.closest("article");
  if (!card) return;
  current = Number(card.dataset.position);
  const phrase = target.closest(".phrase");
  const index = phrase && Number(phrase.dataset.phrase);
  const act = target.closest("[data-act]");
  const phraseVerdict = target.closest("[data-phrase-verdict]");
  if (act) return CORRECTIONS[act.dataset.act]();
  if (phraseVerdict) return markPhrase(index, phraseVerdict.dataset.phraseVerdict);
  if (target.closest("[data-correct]")) {
    return isCorrecting(selected[current], index) ? stopCorrecting() : correct(card, selected[current], index);
  }
  const pressed = target.closest("[data-verdict]");
  if (pressed) mark(pressed.getAttribute("aria-pressed") === "true" ? null : pressed.dataset.verdict);
  else showState();
});
byId("samples").addEventListener("pointerdown", beginDrag);
byId("samples").addEventListener("focusin", ({ target }) => {
  const picked = target.closest(".box.editable");
  if (picked && correcting) correcting.picked = Number(picked.dataset.box);
  const card = target.closest("article");
  if (!card || Number(card.dataset.position) === current) return;
  current = Number(card.dataset.position);
  showState();
});

for (const chip of document.querySelectorAll("[data-filter]")) {
  const name = chip.dataset.filter;
  const count = rows.reduce((sum, row) => sum + row.filters.includes(name), 0);
  chip.querySelector(".count").textContent = counted.format(count);
  chip.disabled = count === 0;
  chip.addEventListener("click", () => {
    if (!choice.filters.delete(name)) choice.filters.add(name);
    chip.setAttribute("aria-pressed", String(choice.filters.has(name)));
    refresh();
  });
}
let typed = 0;
byId("find").addEventListener("input", ({ target }) => {
  clearTimeout(typed);
  typed = setTimeout(() => { choice.text = target.value; refresh(); }, 120);
});
for (const name of ["marked", "sort"])
  byId(name).addEventListener("change", ({ target }) => { choice[name] = target.value; refresh(); });
byId("clear").addEventListener("click", () => {
  Object.assign(choice, { text: "", filters: new Set(), marked: "all" });
  byId("find").value = "";
  byId("marked").value = "all";
  for (const chip of document.querySelectorAll("[data-filter]")) chip.setAttribute("aria-pressed", "false");
  refresh();
});
byId("page-before").addEventListener("click", () => goTo((shownPage - 1) * PAGE_SIZE));
byId("page-after").addEventListener("click", () => goTo((shownPage + 1) * PAGE_SIZE));
byId("export").addEventListener("click", () => marks.export(byId("reviewer").value));
byId("open-help").addEventListener("click", () => byId("help").showModal());

const wishes = Object.assign({ view: PAGE.photo_px < FOR_READING_PX ? "grid" : "reading", theme: "light dark", shortcuts: true }, storage.read("wishes"));

function setView(view) {
  document.body.dataset.view = view;
  document.querySelector(`[name=view][value=${view}]`).checked = true;
  keepWish("view", view);
}

function keepWish(name, value) {
  wishes[name] = value;
  storage.write("wishes", wishes);
}

byId("view").addEventListener("change", ({ target }) => setView(target.value));
byId("theme").addEventListener("change", ({ target }) => setTheme(target.value));
byId("reviewer").addEventListener("change", ({ target }) => keepWish("reviewer", target.value));
byId("shortcuts").addEventListener("change", ({ target }) => keepWish("shortcuts", target.checked));

function setTheme(theme) {
  document.documentElement.style.colorScheme = theme;
  byId("theme").value = theme;
  keepWish("theme", theme);
}

setView(wishes.view === "grid" ? "grid" : "reading");
setTheme(["light", "dark"].includes(wishes.theme) ? wishes.theme : "light dark");
byId("shortcuts").checked = wishes.shortcuts !== false;
byId("reviewer").value = String(wishes.reviewer ?? "");
for (const name of ["summary", "purpose"]) byId(name).open = !matchMedia("(max-width: 800px)").matches;
byId("storage-note").textContent = storage.works
  ? "Marks stay in this browser for this file; export them to make them count."
  : "This browser keeps no marks for this file: export them before closing the tab.";
refresh();

/** A sample can be linked to: `report.html#<sample id>`. */
function followLink() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  const position = wanted ? selected.findIndex((row) => row.id === wanted) : -1;
  if (position >= 0) goTo(position);
}
addEventListener("hashchange", followLink);
followLink();

(function watchPhotos() {
  showWaitingPhotos();
  if (document.readyState === "loading") requestAnimationFrame(watchPhotos);
})();
document.addEventListener("DOMContentLoaded", showWaitingPhotos);
requestAnimationFrame(() => setTimeout(() => performance.mark("samples-painted")));
