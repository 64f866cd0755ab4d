/* Marks on samples and phrases: kept in memory, in the browser's storage where it allows that, and exported. */

/** Storage that may be switched off for pages opened from disk; `works` says whether it is there. */
const storage = {
  works: true,
  read(name) {
    try {
      return JSON.parse(localStorage.getItem(`${location.pathname} ${name}`));
    } catch (error) {
      this.works = false;
      console.info("Marks are kept in this tab only:", error.message);
      return null;
    }
  },
  write(name, value) {
    try {
      localStorage.setItem(`${location.pathname} ${name}`, JSON.stringify(value));
    } catch (error) {
      this.works = false;
      console.info("Marks are kept in this tab only:", error.message);
    }
  },
};

const isSameBox = (one, other) => [0, 1, 2, 3].every((edge) => one[edge] === other[edge]);

class Marks {
  /** A mark of this browser holds for the result that was judged; it lapses where the sample's result has changed. */
  constructor(rows) {
    this.rows = rows;
    this.stored = Object.assign(Object.create(null), storage.read("marks"));
  }

  /** What is said of a sample: here, or else in the marks that were taken over before the page was written. */
  said(row) {
    const own = this.stored[row.id];
    return own?.result === row.result ? own : row.review ?? {};
  }

  of(row) {
    return this.said(row).verdict ?? null;
  }

  phrase(row, index) {
    return this.said(row).phrases?.[index] ?? {};
  }

  hasPhrases(row) {
    return Object.values(this.said(row).phrases ?? {}).some(({ verdict, boxes }) => verdict || boxes);
  }

  /** An expression's boxes, as they were corrected where they were; one that was left alone keeps its score. */
  boxes(row, index) {
    const given = row.expressions[index].boxes;
    const corrected = this.phrase(row, index).boxes;
    if (!corrected) return given;
    return corrected.map((box) => given.find((one) => isSameBox(one, box)) ?? [...box, null, "reviewer"]);
  }

  set(row, verdict) {
    this.change(row, (mark) => { mark.verdict = verdict; });
  }

  setPhrase(row, index, changes) {
    this.change(row, (mark) => { mark.phrases[index] = { ...mark.phrases[index], ...changes }; });
  }

  change(row, act) {
    const said = this.said(row);
    const mark = { result: row.result, verdict: said.verdict ?? null, phrases: { ...said.phrases } };
    act(mark);
    this.stored[row.id] = mark;
    storage.write("marks", this.stored);
  }

  count(verdict) {
    return this.rows.reduce((sum, row) => sum + (this.of(row) === verdict), 0);
  }

  /** Samples of which single phrases or boxes are marked. */
  countPhrases() {
    return this.rows.reduce((sum, row) => sum + this.hasPhrases(row), 0);
  }

  /** The marks of this browser on a sample, with those taken back; null where there are none. */
  exported(row) {
    const own = this.stored[row.id];
    if (own?.result !== row.result) return null;
    const before = row.review ?? {};
    const verdict = own.verdict !== null || (before.verdict ?? null) !== null ? { verdict: own.verdict } : {};
    const expressions = Object.entries(own.phrases ?? {})
      .map(([index, mark]) => ({ index: Number(index), verdict: mark.verdict ?? null, boxes: mark.boxes ?? null }))
      .filter((mark) => mark.verdict !== null || mark.boxes !== null || before.phrases?.[mark.index]);
    if (!("verdict" in verdict) && !expressions.length) return null;
    return { sample_id: row.id, result: row.result, ...verdict, ...(expressions.length ? { expressions } : {}) };
  }

  export(reviewer) {
    const marks = this.rows.map((row) => this.exported(row)).filter((mark) => mark !== null);
    const named = reviewer.trim() ? { reviewer: reviewer.trim().slice(0, 80) } : {};
    const whole = JSON.stringify(
      { report: PAGE.title, exported_at: new Date().toISOString(), ...named, marks }, null, 1);
    const address = URL.createObjectURL(new Blob([whole], { type: "application/json" }));
    el("a", { href: address, download: "marks.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}
