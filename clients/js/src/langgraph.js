// langgraph.js - the user's own @langchain/langgraph: one copy of it must serve both the
// graphs and this package, since a Send of another copy is not taken for one.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

function entry(exports, conditions = ["import", "node", "default"]) {
  if (typeof exports === "string") return exports;
  if (Array.isArray(exports)) return exports.map((e) => entry(e, conditions)).find(Boolean);
  for (const [name, value] of Object.entries(exports ?? {}))
    if (conditions.includes(name)) { const found = entry(value, conditions); if (found) return found; }
  return undefined;
}

/** What `import` of the name in a file of the folder would load; undefined: nothing. */
export function resolveFrom(folder, name) {
  const parts = name.split("/"), size = name.startsWith("@") ? 2 : 1;
  const pack = parts.slice(0, size).join("/"), sub = ["." , ...parts.slice(size)].join("/");
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const home = path.join(at, "node_modules", pack), file = path.join(home, "package.json");
    if (existsSync(file)) {
      const { exports, main } = JSON.parse(readFileSync(file, "utf8"));
      const target = exports === undefined ? (sub === "." ? main : sub) : entry(sub === "." && !("." in Object(exports)) ? exports : exports[sub]);
      return target === undefined ? undefined : pathToFileURL(path.join(home, target)).href;
    }
    if (at === path.dirname(at)) return undefined;
  }
}

/**
 * A module of the user's: of the project that is served (COHORT_PROJECT), or beside the
 * program; this package may be a link to a folder elsewhere.  Else of this package's place.
 */
export async function load(name) {
  const places = [process.env.COHORT_PROJECT, process.argv[1] && path.dirname(path.resolve(process.argv[1]))].filter(Boolean);
  for (const place of places) {
    const found = resolveFrom(place, name);
    if (found) return import(found);
  }
  return import(name);
}

/** The user's @langchain/langgraph; says what to do when there is none. */
export async function langgraph() {
  try {
    return await load("@langchain/langgraph");
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error("cohort-worker: @langchain/langgraph was not found beside your code; install it (npm install @langchain/langgraph) to serve graphs", { cause: error });
  }
}
