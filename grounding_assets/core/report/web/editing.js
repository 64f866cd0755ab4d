/* Correcting the boxes of one expression: draw, drag, resize, delete. In pixels of the upright original. */

const LEAST_PX = 3; // of a side; what is smaller was a slip
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** What is being corrected: `{ card, row, index, picked, draft }`; `draft` are boxes in the middle of a drag. */
let correcting = null;

const isCorrecting = (row, index) => correcting?.row === row && correcting.index === index;

/** The boxes of an expression as they are shown. */
const shownBoxes = (row, index) => (isCorrecting(row, index) && correcting.draft) || marks.boxes(row, index);

function correct(card, row, index) {
  stopCorrecting();
  correcting = { card, row, index, picked: marks.boxes(row, index).length ? 0 : -1, draft: null };
  card.classList.add("correcting");
  card.querySelector(".told").prepend(correctingBar(row, index));
  redraw();
  card.querySelector(".correcting-bar").scrollIntoView({ block: "nearest" });
}

function stopCorrecting() {
  if (!correcting) return;
  const { card, row, index } = correcting;
  correcting = null;
  card.classList.remove("correcting");
  card.querySelector(".correcting-bar")?.remove();
  redrawCard(card, row);
  card.querySelector(`.phrase[data-phrase="${index}"] [data-correct]`)?.focus();
}

function correctingBar(row, index) {
  const button = (act, text, key) =>
    el("button", { type: "button", "data-act": act }, `${text} `, el("kbd", {}, key));
  return el("div", { class: "correcting-bar", role: "group", "aria-label": "Correct boxes" },
    el("p", {}, "Boxes of ", el("b", { dir: "auto" }, row.expressions[index].text),
      ": drag over the photo to draw one, drag a box or a corner to change it."),
    button("add", "Add", "N"), button("delete", "Delete", "Del"), button("reset", "As the model had it", "0"),
    button("done", "Done", "Esc"));
}

/** Draws the card again, and keeps the focus where a keyboard needs it. */
function redraw() {
  const { card, row, index, picked } = correcting;
  const inBar = document.activeElement?.closest?.(".correcting-bar");
  redrawCard(card, row);
  if (inBar) return;
  const box = card.querySelector(`.box.editable[data-expression="${index}"][data-box="${picked}"]`);
  (box ?? card.querySelector(`.phrase[data-phrase="${index}"] [data-correct]`)).focus({ preventScroll: true });
}

function keep(boxes) {
  correcting.draft = null;
  correcting.picked = Math.min(correcting.picked, boxes.length - 1);
  const { row, index } = correcting;
  // whoever corrects a phrase wants it
  const verdict = marks.phrase(row, index).verdict === "reject" ? null : marks.phrase(row, index).verdict ?? null;
  marks.setPhrase(row, index, { verdict, boxes: boxes.map((box) => box.slice(0, 4).map(Math.round)) });
  redraw();
  showState();
}

const CORRECTIONS = {
  add() {
    const [width, height] = correcting.card.querySelector(".photo").imageSize;
    const boxes = marks.boxes(correcting.row, correcting.index);
    correcting.picked = boxes.length;
    keep([...boxes, [width * 0.35, height * 0.35, width * 0.65, height * 0.65]]);
  },
  delete() {
    const boxes = marks.boxes(correcting.row, correcting.index);
    if (boxes[correcting.picked]) keep(boxes.filter((_, position) => position !== correcting.picked));
  },
  reset() {
    marks.setPhrase(correcting.row, correcting.index, { boxes: null });
    correcting.picked = 0;
    redraw();
    showState();
  },
  done: stopCorrecting,
};
const CORRECTING_KEYS = { n: "add", Delete: "delete", Backspace: "delete", 0: "reset", Escape: "done" };

/** Whether the key was one of correcting. */
function correctByKey(event) {
  if (!correcting || event.target.closest?.("input, select, dialog")) return false;
  const act = CORRECTING_KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  const step = STEPS[event.key];
  if (act) CORRECTIONS[act]();
  else if (step) nudge(step, event.shiftKey);
  else return false;
  event.preventDefault();
  return true;
}

/** Moves the picked box by a hundredth of the photo, or its lower right corner. */
function nudge([right, down], isResizing) {
  const [width, height] = correcting.card.querySelector(".photo").imageSize;
  const boxes = marks.boxes(correcting.row, correcting.index);
  const box = boxes[correcting.picked];
  if (!box) return;
  const shift = [right * Math.max(width / 100, 1), down * Math.max(height / 100, 1)];
  keep(boxes.with(correcting.picked, pulled(box, isResizing ? "se" : "all", shift, [width, height])));
}

/** The box after a pull at a corner, or at all of it; inside the photo. */
function pulled([x1, y1, x2, y2], at, [dx, dy], [width, height]) {
  const within = (value, limit) => Math.min(Math.max(value, 0), limit);
  if (at === "all") {
    const right = within(x1 + dx, width - (x2 - x1)) - x1;
    const down = within(y1 + dy, height - (y2 - y1)) - y1;
    return [x1 + right, y1 + down, x2 + right, y2 + down];
  }
  const west = at.includes("w") ? within(x1 + dx, width) : x1;
  const north = at.includes("n") ? within(y1 + dy, height) : y1;
  const east = at.includes("e") ? within(x2 + dx, width) : x2;
  const south = at.includes("s") ? within(y2 + dy, height) : y2;
  return [Math.min(west, east), Math.min(north, south), Math.max(west, east), Math.max(north, south)];
}

function beginDrag(event) {
  const figure = event.target.closest(".photo");
  if (!correcting || event.button !== 0 || figure?.closest("article") !== correcting.card) return;
  event.preventDefault();
  const scale = figure.imageSize.map((side, axis) => side / figure.getBoundingClientRect()[axis ? "height" : "width"]);
  const place = ({ clientX, clientY }) => {
    const { left, top } = figure.getBoundingClientRect();
    return [(clientX - left) * scale[0], (clientY - top) * scale[1]];
  };
  const from = place(event);
  const boxes = marks.boxes(correcting.row, correcting.index);
  const held = event.target.closest(".box.editable");
  const position = held ? Number(held.dataset.box) : boxes.length;
  const before = boxes[position] ?? [...from, ...from];
  const at = held ? event.target.dataset.corner ?? "all" : "se";
  let hasMoved = false;
  correcting.picked = position;
  figure.setPointerCapture(event.pointerId);
  const drag = new AbortController();
  const follow = (moved) => {
    const to = place(moved);
    hasMoved ||= Math.hypot(to[0] - from[0], to[1] - from[1]) > LEAST_PX;
    const next = pulled(before, at, [to[0] - from[0], to[1] - from[1]], figure.imageSize);
    correcting.draft = position < boxes.length ? boxes.with(position, next) : [...boxes, next];
    redrawCard(correcting.card, correcting.row);
  };
  const end = (isKept) => {
    drag.abort();
    const draft = correcting?.draft;
    if (!correcting) return;
    correcting.draft = null;
    const isSlip = ([x1, y1, x2, y2]) => x2 - x1 < LEAST_PX || y2 - y1 < LEAST_PX;
    if (isKept && hasMoved && draft && !isSlip(draft[position])) keep(draft);
    else redraw();
  };
  figure.addEventListener("pointermove", follow, { signal: drag.signal });
  figure.addEventListener("pointerup", () => end(true), { signal: drag.signal });
  figure.addEventListener("pointercancel", () => end(false), { signal: drag.signal });
}

/** Corners to pull at, in the photo's own pixels but always as large as a finger needs. */
function cornerHandles([x1, y1, x2, y2], figure, width) {
  const shown = figure.getBoundingClientRect().width || width;
  const radius = (7 * width) / shown;
  return [["nw", x1, y1], ["ne", x2, y1], ["sw", x1, y2], ["se", x2, y2]].map(([corner, cx, cy]) =>
    svg("circle", { class: "corner", "data-corner": corner, cx, cy, r: radius }));
}
