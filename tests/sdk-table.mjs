// sdk-table.mjs [--check] - the table of docs/sdk.md: every method that the official
// SDKs' clients have, by reflection, what it asks for, and the test that drives it.
// A test says so in a comment, `covers: client.threads.search`; what it asks as the
// Python SDK does, `covers: python.threads.search`.  Fails for a method without a
// test or without a route, and for a comment about a method that no SDK has.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const repo = path.join(here, ".."), e2e = path.join(here, "e2e"), page = path.join(repo, "docs", "sdk.md");
const cohort = process.env.COHORT ?? path.join(repo, "build", "cohort");
const versions = ["1.9.31", "1.15.0", "2.0.0"], packageOf = { "1.9.31": "sdk-1.9", "1.15.0": "sdk-1.15", "2.0.0": "sdk-2.0" };
const parts = ["assistants", "threads", "runs", "crons", "store"];
// What Python's SDK has not, or has not over this API.
const notInPython = ["threads.patchState", "threads.stream"];
const problems = [];

// ---- what each method asks for -----------------------------------------------------

const id = "11111111-1111-4111-8111-111111111111", run = {};
// Arguments, a list for each route it may take.
const args = {
  "assistants.get": [[id]], "assistants.getGraph": [[id]], "assistants.getSchemas": [[id]],
  "assistants.getSubgraphs": [[id], [id, { namespace: "a" }]], "assistants.create": [[{ graphId: "a" }]], "assistants.update": [[id, {}]],
  "assistants.delete": [[id]], "assistants.search": [[{}]], "assistants.count": [[{}]], "assistants.getVersions": [[id]], "assistants.setLatest": [[id, 1]],
  "threads.get": [[id]], "threads.create": [[{}]], "threads.copy": [[id]], "threads.update": [[id, { metadata: {} }]], "threads.delete": [[id]],
  "threads.prune": [[[id]]], "threads.search": [[{}]], "threads.count": [[{}]], "threads.getState": [[id], [id, id], [id, { checkpoint_id: id }]],
  "threads.updateState": [[id, { values: {} }]], "threads.patchState": [[id, {}]], "threads.getHistory": [[id]], "threads.joinStream": [[id]],
  "threads.stream": [[id, { assistantId: "a" }]],
  "runs.stream": [[id, "a", run], [null, "a", run]], "runs.create": [[id, "a", run], [null, "a", run]], "runs.wait": [[id, "a", run], [null, "a", run]],
  "runs.createBatch": [[[{ assistantId: "a" }]]], "runs.list": [[id]], "runs.get": [[id, id]], "runs.cancel": [[id, id]], "runs.cancelMany": [[{ threadId: id, runIds: [id] }]],
  "runs.join": [[id, id]], "runs.joinStream": [[id, id], [null, id]], "runs.delete": [[id, id]],
  "crons.createForThread": [[id, "a", { schedule: "* * * * *" }]], "crons.create": [["a", { schedule: "* * * * *" }]], "crons.update": [[id, {}]],
  "crons.delete": [[id]], "crons.search": [[{}]], "crons.count": [[{}]],
  "store.putItem": [[["a"], "k", {}]], "store.getItem": [[["a"], "k"]], "store.deleteItem": [[["a"], "k"]], "store.searchItems": [[["a"]]], "store.listNamespaces": [[{}]],
};

const rows = execFileSync(cohort, ["config", "--routes"]).toString().split("\n");
const routes = rows.map((l) => /^\| `(\w+) (\S+)`/.exec(l)).filter((m) => m).map((m) => [m[1], m[2]]);
const refused = execFileSync(cohort, ["config", "--compat"]).toString().split("\n").map((l) => /^\| `(\w+) (\S+)` \| refused/.exec(l)).filter((m) => m).map((m) => [m[1], m[2]]);

// The route that serves a request: one without parameters before one with them.
function routeOf(method, target, list) {
  const fits = list.filter(([m, p]) => m === method && new RegExp(`^${p.replace(/\{\w+\}/g, "[^/]+")}$`).test(target));
  const best = fits.sort((a, b) => a[1].split("{").length - b[1].split("{").length)[0];
  return best && `${best[0]} ${best[1]}`;
}

async function requests(client, part, name) {
  const asked = [];
  globalThis.fetch = async (url, init = {}) => {
    asked.push([init.method ?? "GET", new URL(url).pathname]);
    return new Response("null", { status: 404 });
  };
  for (const list of args[`${part}.${name}`] ?? []) {
    try {
      const got = client[part][name](...list);
      if (got?.run?.start) await got.run.start({ input: {} });
      else if (got?.[Symbol.asyncIterator]) await got[Symbol.asyncIterator]().next();
      else await got;
    } catch { /* what is asked for is not there */ }
  }
  return asked;
}

const methods = new Map(); // "threads.get" -> {in: Set of versions, routes: Set}
for (const version of versions) {
  const { Client } = createRequire(path.join(e2e, "package.json"))(packageOf[version]);
  const client = new Client({ apiUrl: "http://localhost:1", apiKey: null, callerOptions: { maxRetries: 0 } });
  for (const part of parts)
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(client[part]))) {
      if (name === "constructor") continue;
      const full = `${part}.${name}`, m = methods.get(full) ?? { in: new Set(), routes: new Set(), refused: new Set() };
      m.in.add(version);
      methods.set(full, m);
      const asked = await requests(client, part, name);
      if (asked.length === 0) problems.push(`${full} of ${version} asks for nothing: name its arguments here`);
      for (const [method, target] of asked) {
        const route = routeOf(method, target, routes), not = routeOf(method, target, refused);
        if (route) m.routes.add(route);
        else if (not) m.refused.add(not);
        else problems.push(`${full} of ${version} asks for ${method} ${target}, which no route serves or refuses by name`);
      }
    }
}

// ---- which tests drive it ------------------------------------------------------------

const covered = new Map(); // "client.threads.get" -> Set of files
const called = (text, one) => one.startsWith("python.") || text.includes(`.${one.split(".")[2]}(`);
const drives = {};         // file -> Set of versions
for (const file of readdirSync(e2e).filter((f) => f.endsWith(".mjs"))) {
  const text = readFileSync(path.join(e2e, file), "utf8");
  drives[file] = new Set(versions.filter((v) => text.includes(`"${packageOf[v]}"`)));
  for (const [, list] of text.matchAll(/\/\/ covers: (.*)/g))
    for (const one of list.trim().split(/\s+/))
      if (!called(text, one)) problems.push(`${file} covers ${one}, and does not call it`);
      else covered.set(one, (covered.get(one) ?? new Set()).add(file));
}
const snake = (s) => s.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
const pythonOf = (full) => notInPython.includes(full) ? undefined : snake(full);
const known = new Set([...methods.keys()].flatMap((full) => [`client.${full}`, `python.${pythonOf(full)}`]));
for (const one of covered.keys()) if (!known.has(one)) problems.push(`covers: ${one}: no SDK has it`);

let table = `| method | asks for | ${versions.join(" | ")} | tests | as Python's |\n|---|---|${versions.map(() => "---|").join("")}---|---|\n`;
for (const [full, m] of methods) {
  const files = [...covered.get(`client.${full}`) ?? []].sort(), python = [...covered.get(`python.${pythonOf(full)}`) ?? []].sort();
  if (files.length === 0) problems.push(`${full}: no test covers it`);
  for (const v of m.in)
    if (!files.some((f) => drives[f].has(v))) problems.push(`${full}: no test of it drives ${v}`);
  if (python.length === 0 && pythonOf(full) !== undefined) problems.push(`${full}: no test asks for it as Python's SDK does (python.${pythonOf(full)})`);
  const code = (list) => list.map((x) => `\`${x}\``).join(", ");
  const asks = [code([...m.routes].sort()), m.refused.size > 0 ? `${code([...m.refused].sort())}: refused by name` : ""].filter((x) => x).join("; ");
  table += `| \`${full}\` | ${asks} | ${versions.map((v) => m.in.has(v) ? "yes" : "has none").join(" | ")} | ${code(files)} | ${code(python) || "has none"} |\n`;
}

// ---- the page ------------------------------------------------------------------------

const text = readFileSync(page, "utf8");
const made = text.replace(/(<!-- made by: tests\/sdk-table\.mjs -->\n)[\s\S]*?(<!-- end -->)/, (_, a, b) => a + table + b);
if (process.argv[2] !== "--check") writeFileSync(page, made);
else if (made !== text) problems.push("docs/sdk.md is not up to date: run node tests/sdk-table.mjs");
for (const p of problems) console.log(`FAIL ${p}`);
console.log(`${methods.size} methods\n${methods.size - Math.min(methods.size, problems.length)} passed, ${problems.length} failed`);
process.exit(problems.length > 0 ? 1 : 0);
