/* One sample: photo with boxes, caption, expressions, and why it failed or is doubted. */

const STATUS_TEXT = {
  none_seen: "none seen",
  not_mentioned: "not mentioned in the reply",
  out_of_vocabulary: "not in the teacher’s vocabulary",
  not_grounded: "not grounded yet",
};
const VERDICT_TEXT = { accept: "accepted", reject: "rejected" };
const MOST_SCORES = 8;

const scoreText = ([, , , , score, source]) =>
  source === "reviewer" ? "yours" : typeof score !== "number" ? "no score" : score.toFixed(2) + (source === "default" ? " default" : "");

function cardElement(row, verdict) {
  const card = el("article", { class: "sample", tabindex: "-1", "aria-label": `Sample ${row.id}` },
    el("div", { class: "mat" }, photoElement(row)),
    el("div", { class: "told" },
      captionElement(row),
      row.failure ? failureElement(row.failure) : expressionsElement(row),
      el("p", { class: "doubt" }, doubtText(row)),
      el("div", { class: "verdict" },
        ...(row.failure ? [] : [verdictButton("accept", "✓", "Accept"), verdictButton("reject", "✕", "Reject")]),
        el("bdi", { class: "sample-id", title: row.path }, row.id)),
      provenanceElement(row)));
  if (row.caption.length > 240) card.classList.add("long");
  showVerdict(card, verdict);
  for (const event of ["pointerover", "focusin"]) card.addEventListener(event, ({ target }) => lightFrom(card, target));
  for (const event of ["pointerleave", "focusout"]) card.addEventListener(event, () => light(card, [], null));
  return card;
}

function photoElement(row) {
  const figure = el("figure", { class: "photo" });
  shapePhoto(figure, row, row.size ?? [4, 3]);
  return figure;
}

/** Gives the photo its frame, and lays the boxes over it in pixels of the upright original. */
function shapePhoto(figure, row, [width, height]) {
  figure.style.setProperty("--width", width);
  figure.style.setProperty("--height", height);
  figure.imageSize = [width, height];
  const labels = [];
  const overlay = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", class: "boxes", role: "group", "aria-label": "Boxes",
  });
  for (const { expression, position, box, count } of largestFirst(row)) {
    const [x1, y1, x2, y2] = box;
    const { text } = row.expressions[expression];
    const isEditable = isCorrecting(row, expression);
    const frame = { x: x1, y: y1, width: Math.max(x2 - x1, 0), height: Math.max(y2 - y1, 0) };
    const named = `${text}, box ${position + 1} of ${count}, score ${scoreText(box)}`;
    const namedBy = { "data-expression": expression, "data-box": position };
    const looks = ["box", isEditable ? "editable" : "", marks.phrase(row, expression).verdict === "reject" ? "refused" : ""];
    const group = svg("g", { class: looks.join(" ").trim(), tabindex: "0", role: "img", "aria-label": named, ...namedBy },
      svg("rect", { class: "halo", ...frame }), svg("rect", { class: "line", ...frame }));
    group.style.setProperty("--hue", hue(expression));
    if (isEditable) group.append(...cornerHandles(box, figure, width));
    overlay.append(group);
    const place = ["tag", y1 / height < 0.06 ? "inside" : ""].join(" ");
    const label = el("span", { class: place, "aria-hidden": "true", ...namedBy }, String(expression + 1),
      el("span", { class: "tag-more" }, ` ${scoreText(box)}`));
    label.style.setProperty("--hue", hue(expression));
    if (x1 / width > 0.8) label.style.right = `${(1 - x2 / width) * 100}%`;
    else label.style.left = `${(x1 / width) * 100}%`;
    label.style.top = `${(y1 / height) * 100}%`;
    labels.push(label);
  }
  figure.replaceChildren(overlay, ...labels);
}

/** Small boxes are drawn last, so that they can be pointed at. */
function largestFirst(row) {
  const area = ({ box: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1);
  return row.expressions
    .flatMap((_, expression) => {
      const boxes = shownBoxes(row, expression);
      return boxes.map((box, position) => ({ expression, position, box, count: boxes.length }));
    })
    .sort((a, b) => area(b) - area(a));
}

/** Draws what marks change: the boxes over the photo, and the list of expressions. */
function redrawCard(card, row) {
  card.querySelector(".expressions")?.replaceWith(expressionsElement(row));
  const figure = card.querySelector(".photo");
  const photo = figure.querySelector("img, p");
  shapePhoto(figure, row, figure.imageSize);
  if (photo) figure.prepend(photo);
}

/** Puts the photo in, if the page has been read that far; says whether there is nothing more to wait for. */
function showPhoto(figure, row) {
  const source = byId(`photo-${row.photo}`);
  const isWhole = source?.nextElementSibling || document.readyState !== "loading";
  if (!isWhole) return false;
  if (!source || source.dataset.trouble) {
    figure.classList.add("missing");
    figure.prepend(el("p", {}, source?.dataset.trouble || "The photo is not in this file."));
    return true;
  }
  const size = source.dataset.size.split(" ").map(Number);
  if (String(size) !== String(row.size)) shapePhoto(figure, row, size);
  const address = `data:image/jpeg;base64,${source.textContent.trim()}`;
  figure.prepend(el("img", { src: address, alt: `Photo: ${row.caption}`, decoding: "async" }));
  return true;
}

function expressionsElement(row) {
  if (!row.expressions.length) return el("p", { class: "none" }, "The model found no expression in this caption.");
  return el("ol", { class: "expressions" }, ...row.expressions.map((_, index) => phraseElement(row, index)));
}

function phraseElement(row, index) {
  const { text, status, repaired } = row.expressions[index];
  const mark = marks.phrase(row, index);
  const boxes = shownBoxes(row, index);
  const scores = boxes.slice(0, MOST_SCORES).map((box, position) =>
    el("span", { class: "score", "data-expression": index, "data-box": position }, scoreText(box)));
  const rest = boxes.length - scores.length;
  const button = el("button", { type: "button", class: "expression", "data-expression": index },
    el("span", { class: boxes.length ? "swatch" : "swatch unboxed" }, String(index + 1)),
    el("bdi", { class: "expression-text" }, text),
    boxes.length
      ? el("span", { class: "scores" }, ...scores, rest > 0 ? el("span", { class: "score" }, `+${rest}`) : null)
      : el("span", { class: "scores absent" }, `no box: ${mark.boxes ? "as you say" : STATUS_TEXT[status] ?? "none seen"}`),
    mark.boxes ? el("span", { class: "corrected" }, "corrected") : null,
    repaired ? el("span", { class: "repaired", title: "The span was found by approximate search" }, "span repaired") : null);
  button.style.setProperty("--hue", hue(index));
  return el("li", { class: "phrase", "data-phrase": index, "data-phrase-marked": mark.verdict ?? "" },
    button, phraseTools(index, text, mark, isCorrecting(row, index)));
}

function phraseTools(index, text, mark, isOpen) {
  const judge = (verdict, sign, name) => el("button", {
    type: "button", "data-phrase-verdict": verdict, "aria-pressed": String(mark.verdict === verdict),
    "aria-label": `${name} “${text}”`, title: `${name} this phrase`,
  }, sign);
  return el("span", { class: "phrase-tools", "data-expression": index },
    judge("accept", "✓", "Accept"), judge("reject", "✕", "Reject"),
    el("button", {
      type: "button", "data-correct": true, "aria-pressed": String(isOpen),
      "aria-label": `Correct the boxes of “${text}”`, title: "Correct its boxes",
    }, "✎"));
}

function failureElement({ step, reason, message, attempts }) {
  const named = String(reason).replaceAll("_", " ");
  const tried = attempts ? `, after ${attempts} attempt${attempts === 1 ? "" : "s"}` : "";
  return el("div", { class: "failure" },
    el("p", {}, el("b", {}, named.charAt(0).toUpperCase() + named.slice(1)), ` in step ${step}${tried}`),
    message ? el("p", { dir: "auto" }, message) : null);
}

const doubtText = (row) =>
  [`Doubt ${row.doubt.toFixed(2)}`, ...row.why.filter(() => !row.failure)].join(" · ");

function provenanceElement(row) {
  const details = el("details", { class: "provenance" }, el("summary", {}, "Provenance"));
  details.addEventListener("toggle", () => {
    if (details.querySelector("dl")) return;
    const { given, path, provenance } = row;
    const told = { image: path, ...(given === null ? {} : { "caption as given": given }), ...provenance };
    details.append(...tables("sample", told));
  }, { once: true });
  return details;
}

/** A definition list of the plain values, then one for each nested mapping. */
function tables(name, mapping) {
  const isMapping = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const plain = Object.entries(mapping).filter(([, value]) => !isMapping(value));
  const nested = Object.entries(mapping).filter(([, value]) => isMapping(value) && Object.keys(value).length);
  const list = el("dl", {}, ...plain.map(([key, value]) => el("div", {},
    el("dt", {}, key.replaceAll("_", " ")),
    el("dd", { dir: "auto" }, typeof value === "string" ? value : JSON.stringify(value)))));
  const heading = name === "sample" ? [] : [el("h3", {}, name.replaceAll("_", " "))];
  return [...heading, ...(plain.length ? [list] : []), ...nested.flatMap(([key, value]) => tables(key, value))];
}

function verdictButton(verdict, sign, text) {
  return el("button", { type: "button", "data-verdict": verdict, "aria-pressed": "false" },
    el("span", { "aria-hidden": "true" }, sign), ` ${text}`);
}

function showVerdict(card, verdict) {
  card.dataset.marked = verdict ?? "";
  card.setAttribute("aria-label", card.getAttribute("aria-label").split(", marked")[0]
    + (verdict ? `, marked ${VERDICT_TEXT[verdict]}` : ""));
  for (const button of card.querySelectorAll("[data-verdict]"))
    button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
}

function lightFrom(card, target) {
  const pointed = target.closest("[data-expression]");
  if (!pointed) return light(card, [], null);
  light(card, pointed.dataset.expression.split(" ").map(Number), pointed.dataset.box ?? null);
}

/** Lights up expressions wherever they are shown, and dims the rest; with a box, that box above its siblings. */
function light(card, expressions, box) {
  card.classList.toggle("lighting", expressions.length > 0);
  for (const element of card.querySelectorAll("[data-expression]")) {
    const own = (element.dataset.covering ?? element.dataset.expression).split(" ").map(Number);
    const shared = own.filter((index) => expressions.includes(index));
    const isLit = shared.length > 0 && (box === null || element.dataset.box === undefined || element.dataset.box === box);
    element.classList.toggle("lit", isLit);
    element.classList.toggle("sibling", shared.length > 0 && !isLit);
    if (isLit && element.dataset.covering) element.style.setProperty("--lit", hue(shared[shared.length - 1]));
  }
}
