// examples.mjs - agents/examples shows all of the language: each key and each word of the
// JSON Schema stands in one of its files, each documented error event is caught by one
// whose tests provoke it, and the tests of all of them pass.
//
// What needs a server (work items, pages, what several runs share) runs on one here.
//
// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { binary, check, equal, finish, repo, scratch } from "../e2e/lib.mjs";
import { guest } from "../wasm/guests.mjs";
import { onServer } from "./examples-server.mjs";

// One folder of them all, with the module that those of wasm/ name.
const folder = scratch();
for (const from of ["agents/examples", "agents/examples/wasm"])
  for (const f of readdirSync(path.join(repo, from)).filter((name) => name.endsWith(".yaml"))) copyFileSync(path.join(repo, from, f), path.join(folder, f));
for (const name of ["counter", "words", "ledger"]) copyFileSync(guest(name), path.join(folder, `${name}.wasm`));
const cohort = (...args) => spawnSync(binary, ["agent", ...args], { cwd: repo, encoding: "utf8", maxBuffer: 1 << 26, timeout: 120000 });
const schema = JSON.parse(cohort("schema").stdout), defs = schema.$defs;
const Ajv = createRequire(path.join(repo, "tests/e2e/package.json"))("ajv/dist/2020").default;
const isAgent = new Ajv({ strict: false }).compile(schema);

// ---- the language: all keys and words of the schema -----------------------------------

// A kind of work means the same on a node, an item, a state and in an invoke: one example will do.
const works = ["node", "item", "state", "invoke"];
const ofWork = (place, key) => works.includes(place) && works.every((w) => key in defs[w].properties) ? "work" : place;
const resolve = (s, place) => s.$ref === undefined ? [s, place] : [defs[s.$ref.split("/").pop()], s.$ref.split("/").pop()];
// The parts of a schema that describe the value itself; `fits` chooses among them.
function* parts(s, place, fits) {
  [s, place] = resolve(s, place);
  yield [s, place];
  for (const one of s.anyOf ?? []) if (fits(resolve(one, place)[0])) yield* parts(one, place, fits);
}

const language = new Set(), open = new Set();
function collect(schema, from) {
  for (const [s, place] of parts(schema, from, () => true)) {
    if (s === defs[place] && open.has(place)) continue;
    if (s === defs[place]) open.add(place);
    for (const word of s.enum ?? []) language.add(`${place}: ${word}`);
    for (const [key, below] of Object.entries(s.properties ?? {})) {
      const name = `${ofWork(place, key)}.${key}`;
      language.add(name);
      collect(below, name);
    }
    for (const below of [s.items, s.additionalProperties]) if (typeof below === "object") collect(below, place);
  }
}
collect(defs.agent, "agent");

// ---- the examples: what they use --------------------------------------------------------

const kind = (v) => v === null ? "null" : Array.isArray(v) ? "array" : Number.isInteger(v) ? "integer" : typeof v;
const used = new Map();
function walk(value, schema, from, file) {
  const fits = (s) => s.type === undefined ? s.const === undefined && (s.enum === undefined || s.enum.includes(String(value)))
    : [s.type].flat().some((t) => t === kind(value) || (t === "number" && kind(value) === "integer"));
  const use = (name) => used.set(name, (used.get(name) ?? new Set()).add(file));
  for (const [s, place] of parts(schema, from, fits)) {
    if (s.enum?.includes(String(value))) use(`${place}: ${value}`);
    if (kind(value) === "array" && s.items) for (const v of value) walk(v, s.items, place, file);
    if (kind(value) !== "object") continue;
    for (const [key, v] of Object.entries(value)) {
      const below = s.properties?.[key], name = `${ofWork(place, key)}.${key}`;
      if (below !== undefined) use(name);
      if (below !== undefined) walk(v, below, name, file);
      else if (typeof s.additionalProperties === "object") walk(v, s.additionalProperties, place, file);
    }
  }
}

const files = readdirSync(folder).filter((f) => f.endsWith(".yaml") && !f.includes(".tests.")).sort();
const agents = {};
for (const file of files) {
  const shown = cohort("show", "--json", path.join(folder, file));
  check(shown.status === 0, `${file} is an agent`, shown.stderr);
  agents[file] = JSON.parse(shown.stdout || "{}");
  walk(agents[file], defs.agent, "agent", file);
  check(isAgent(agents[file]), `${file} is right by the JSON Schema`, isAgent.errors);
}
check(language.size > 200, `the schema has keys: ${language.size}`);
language.delete("agent.wasm.allow: none");              // an empty list says it
for (const name of language)
  check(used.has(name), `an example uses ${name}`);

// ---- the error events ------------------------------------------------------------------------

// The pages of docs/agents*.md tell them; what it does not name as a whole (error.llm.*) is here.
const docs = ["agents", "agents-charts", "agents-messages"].map((name) => readFileSync(path.join(repo, `docs/${name}.md`), "utf8")).join("");
const events = ["error.execution", "error.communication", "error.timeout", "error.tool.*", "error.tool.unknown_outcome", "error.wasm.failure", "error.wasm.trap",
  ...["backend", "rate_limited", "overloaded", "auth", "invalid_request", "context_length", "timeout", "transport", "tool_validation", "max_turns"].map((k) => `error.llm.${k}`),
  ...["tokens", "cost", "turns", "tool_calls", "wall"].map((k) => `error.budget.${k}`)];
const documented = new Set([...docs.matchAll(/`(error\.(?:llm|budget|tool|wasm)\.[a-z_]+|error\.(?:execution|communication|timeout))`/g)].map((m) => m[1]));
for (const event of documented) check(events.includes(event) || /^error\.tool\./.test(event), `a documented event is in the list of this test: ${event}`);
for (const event of events) check(docs.includes(event.replace(/\.\*$/, "")), `the documents name ${event}`);

// All names that transitions of an agent wait for, at any depth.
function* transitions(v) {
  if (kind(v) === "array") for (const x of v) yield* transitions(x);
  if (kind(v) !== "object") return;
  for (const [key, x] of Object.entries(v)) {
    if (key === "on" && kind(x) === "object") yield* Object.keys(x);
    if (key === "onError") yield "error";
    yield* transitions(x);
  }
}
function* strings(v) {
  if (typeof v === "string") yield v;
  else if (v !== null && typeof v === "object") for (const x of Object.values(v)) yield* strings(x);
}
const takes = (on, event) => on.split(" ").map((d) => d.replace(/\.\*$/, "")).some((d) => event === d || event.startsWith(`${d}.`));
// What the tests of a file expect, without the failures that they play: the state at the
// end has the event's name, which the transition that took it has put there.
const expected = (file) => {
  const text = readFileSync(path.join(folder, file), "utf8"), at = text.search(/^tests:/m);
  return at < 0 ? "" : text.slice(at).replace(/\{error: [^}]*\}/g, "");
};

const tested = cohort("test", folder);
check(tested.status === 0, "the tests of the examples pass", tested.stdout.split("\n").filter((l) => !l.startsWith("ok ")).join("\n"));
const server = await onServer(folder, agents);
for (const file of files)
  check(new RegExp(`^ok \\d+ - ${agents[file].id}: `, "m").test(tested.stdout) || server.ran.has(file), `${file} is run by a test`);

for (const event of events) {
  const caught = files.filter((f) => [...transitions(agents[f])].some((on) => takes(on, event.replace(/\.\*$/, ".x"))));
  const name = new RegExp(`\\b${event.replace(/\*$/, "\\w")}`);
  const provoked = caught.filter((f) => name.test(expected(f)) || (server.seen.get(f) ?? []).some((e) => name.test(e)));
  check(provoked.length > 0, `an example catches ${event}, and is seen to`, { caught });
}
equal([...strings(agents)].filter((s) => /not supported/i.test(s)), [], "no example tells of what is not there");
console.log(`# ${files.length} examples, ${language.size} keys and words, ${events.length} error events`);
finish();
