// build.js - the name of a build, when nobody gave one: a hash of the program's sources,
// so that a changed program is another build and the same one elsewhere is not.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";

const SOURCE = /\.([mc]?[jt]s|[jt]sx|json)$/;
const FILES_MAX = 5000;

function* sources(folder, base = folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(at, base);
    else if (entry.isFile() && SOURCE.test(entry.name)) yield path.relative(base, at);
  }
}

// The package that a program belongs to; undefined: it has none, and is hashed alone.
function home(program) {
  for (let at = path.dirname(program); ; at = path.dirname(at)) {
    if (existsSync(path.join(at, "package.json"))) return at;
    if (at === path.dirname(at)) return undefined;
  }
}

/** COHORT_BUILD, or the hash of the sources of the project or of the running program. */
export function buildName(folder = process.env.COHORT_PROJECT) {
  if (process.env.COHORT_BUILD) return process.env.COHORT_BUILD;
  const program = process.argv[1] && path.resolve(process.argv[1]), at = folder ?? (program && home(program));
  const hash = createHash("sha256");
  let count = 0;
  for (const file of at ? sources(at) : program && existsSync(program) ? [program] : []) {
    if (++count > FILES_MAX) break;
    hash.update(`${file}\0`).update(readFileSync(at ? path.join(at, file) : file));
  }
  return hash.digest("hex").slice(0, 12);
}
