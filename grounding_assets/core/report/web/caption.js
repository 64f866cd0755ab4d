/* The caption with its expressions marked. Spans count code points, strings here count UTF-16 units. */

const MOST_LANES = 3;

/** For each code point of the text, and its end: the offset in UTF-16 units. */
function utf16Offsets(text) {
  const offsets = [0];
  for (const character of text) offsets.push(offsets[offsets.length - 1] + character.length);
  return offsets;
}

/**
 * Cuts [0, length) where any span starts or ends. Spans may nest, cross or coincide.
 * Each piece names the spans that cover it, longest first, and those that end with it.
 */
function pieces(length, spans) {
  const extent = (index) => spans[index][1] - spans[index][0];
  const inside = (index) => extent(index) > 0 && spans[index][0] >= 0 && spans[index][1] <= length;
  const usable = spans.map((_, index) => index).filter(inside);
  const cuts = [...new Set([0, length, ...usable.flatMap((index) => spans[index])])].sort((a, b) => a - b);
  const starting = Map.groupBy(usable, (index) => spans[index][0]);
  const open = new Set();
  return cuts.slice(0, -1).map((start, position) => {
    const end = cuts[position + 1];
    for (const index of open) if (spans[index][1] <= start) open.delete(index);
    for (const index of starting.get(start) ?? []) open.add(index);
    const covering = [...open].sort((a, b) => extent(b) - extent(a) || a - b);
    return { start, end, covering, ending: covering.filter((index) => spans[index][1] === end).reverse() };
  });
}

/** A lane for each span, so that underlines of overlapping spans do not hide each other; 0 is the lowest. */
function lanes(spans) {
  const order = spans.map((_, index) => index).sort((a, b) => spans[a][0] - spans[b][0] || spans[b][1] - spans[a][1]);
  const busyUntil = [];
  const lane = [];
  for (const index of order) {
    let free = busyUntil.findIndex((end) => end <= spans[index][0]);
    if (free < 0) free = Math.min(busyUntil.length, MOST_LANES - 1);
    busyUntil[free] = Math.max(busyUntil[free] ?? 0, spans[index][1]);
    lane[index] = free;
  }
  return lane;
}

const hue = (expression) => `var(--hue-${expression % PAGE.hues})`;

/** Paints a piece in the colour of its innermost expression, underlined once for each that covers it. */
function paintPiece(element, covering, lane, boxed) {
  const lines = covering.filter((index) => boxed[index]);
  const depth = Math.max(...covering.map((index) => lane[index]));
  const innermost = covering[covering.length - 1];
  element.style.setProperty("--tint", boxed[innermost] ? hue(innermost) : "transparent");
  element.style.setProperty("--depth", depth);
  element.style.backgroundImage = lines.map((index) => `linear-gradient(${hue(index)}, ${hue(index)})`).join();
  element.style.backgroundPosition = lines.map((index) => `0 calc(100% - ${(depth - lane[index]) * 4}px)`).join();
}

/** The caption's element; a piece names in `data-expression` the innermost expressions that cover it. */
function captionElement(row) {
  const offsets = utf16Offsets(row.caption);
  const spans = row.expressions.map((expression) => expression.span);
  const boxed = row.expressions.map((expression) => expression.boxes.length > 0);
  const lane = lanes(spans);
  const caption = el("p", { class: "caption", dir: "auto" });
  for (const { start, end, covering, ending } of pieces(offsets.length - 1, spans)) {
    const text = row.caption.slice(offsets[start], offsets[end]);
    if (!covering.length) {
      caption.append(text);
      continue;
    }
    const shortest = covering[covering.length - 1];
    const extent = spans[shortest][1] - spans[shortest][0];
    const innermost = covering.filter((index) => spans[index][1] - spans[index][0] === extent);
    const piece = el("span", {
      class: boxed[shortest] ? "piece" : "piece unboxed",
      "data-expression": innermost.join(" "),
      "data-covering": covering.join(" "),
      "data-note": ending.map((index) => index + 1).join(" "),
    }, text);
    paintPiece(piece, covering, lane, boxed);
    caption.append(piece);
  }
  return caption;
}
