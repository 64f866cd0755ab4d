/* Which rows are shown, and in which order. */

const plainText = (text) => text.normalize("NFKC").toLowerCase();

/** All that the text filter looks at; made once a row, when it is first needed. */
function searched(row) {
  row.searched ??= plainText([
    row.id, row.path, row.caption, row.given ?? "", row.failure?.reason ?? "", row.failure?.message ?? "",
  ].join("\n"));
  return row.searched;
}

/** Rows that hold the text, have any of the filters (where one is chosen), and bear the mark. */
function select(rows, { text, filters, marked, sort }, marks) {
  const wanted = plainText(text.trim());
  const selected = rows.filter((row) =>
    (!wanted || searched(row).includes(wanted))
    && (!filters.size || row.filters.some((name) => filters.has(name)))
    && (marked === "all" || (marks.of(row) ?? "unmarked") === marked));
  return sort === "doubt" ? selected.sort((a, b) => b.doubt - a.doubt) : selected;
}
