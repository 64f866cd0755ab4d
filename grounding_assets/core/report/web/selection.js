/* Which rows are shown, and in which order. */

const plainText = (text) => text.normalize("NFKC").toLowerCase();

/** All that the text filter looks at; made once a row, when it is first needed. */
function searched(row) {
  row.searched ??= plainText([
    row.id, row.path, row.caption, row.given ?? "", row.failure?.reason ?? "", row.failure?.message ?? "",
  ].join("\n"));
  return row.searched;
}

function isMarked(row, marked, marks) {
  if (marked === "all") return true;
  if (marked === "phrases") return marks.hasPhrases(row);
  if (marked === "unmarked") return marks.of(row) === null && !marks.hasPhrases(row);
  return marks.of(row) === marked;
}

/** Rows that hold the text, have any of the filters (where one is chosen), and bear the mark. */
function select(rows, { text, filters, marked, sort }, marks) {
  const wanted = plainText(text.trim());
  const selected = rows.filter((row) =>
    (!wanted || searched(row).includes(wanted))
    && (!filters.size || row.filters.some((name) => filters.has(name)))
    && isMarked(row, marked, marks));
  return sort === "doubt" ? selected.sort((a, b) => b.doubt - a.doubt) : selected;
}
