// rows.mjs - the rows of outcomes.tsv.
//
// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";

export const rows = readFileSync(new URL("outcomes.tsv", import.meta.url), "utf8").split("\n")
  .filter((l) => l && !l.startsWith("#")).map((line) => {
    const [name, limits, attempt, outcome] = line.split("\t");
    return { name, attempt, outcome, limits: Object.fromEntries(limits === "-" ? [] : limits.split(" ").map((l) => l.split("="))) };
  });

// Of a kind (the first word of its name) and an outcome the first row.
const kind = (r) => `${r.name.split("-")[0]} ${r.attempt} ${r.outcome}`;
export const first = new Set(rows.filter((r) => rows.find((o) => kind(o) === kind(r)) === r));
