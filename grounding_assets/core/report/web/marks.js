/* Accepted and rejected samples: kept in memory, in the browser's storage where it allows that, and exported. */

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

class Marks {
  /** A stored mark holds for the result that was judged; it lapses where the sample's result has changed. */
  constructor(rows) {
    this.rows = rows;
    this.stored = Object.assign(Object.create(null), storage.read("marks"));
  }

  of(row) {
    const mark = this.stored[row.id];
    return mark?.result === row.result ? mark.verdict : null;
  }

  set(row, verdict) {
    if (verdict === null) delete this.stored[row.id];
    else this.stored[row.id] = { verdict, result: row.result };
    storage.write("marks", this.stored);
  }

  count(verdict) {
    return this.rows.reduce((sum, row) => sum + (this.of(row) === verdict), 0);
  }

  export() {
    const marks = this.rows
      .filter((row) => this.of(row) !== null)
      .map((row) => ({ sample_id: row.id, verdict: this.of(row), result: row.result }));
    const whole = JSON.stringify({ report: PAGE.title, exported_at: new Date().toISOString(), marks }, null, 1);
    const address = URL.createObjectURL(new Blob([whole], { type: "application/json" }));
    el("a", { href: address, download: "marks.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}
