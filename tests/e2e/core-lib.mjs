// core-lib.mjs - what the suites of the general core share: a server with the
// agents of tests/agents, the SDK, and comparison by pattern.
//
// With REFERENCE=http://host:port a suite talks to that server (reference/ has
// the same agents for the official one); what is ours alone is left out then.
// With CORE_WORKER=js the agents that tests/workers has in code are hosted by a worker.
import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { Client } from "sdk-1.15";
import { call, check, repo, scratch, startMock, startServer, until } from "./lib.mjs";

export const reference = process.env.REFERENCE;
// What LangGraph itself does otherwise than the agents in YAML, wherever it runs.
export const langgraph = reference ?? process.env.CORE_WORKER;
export const agentsDir = path.join(repo, "tests", "agents");
export const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const hex32 = /^[0-9a-f]{32}$/;

// One folder with the agents of `folders` (below tests/agents; "" is the folder itself).
export function agentFolder(folders, into = path.join(scratch(), "agents")) {
  mkdirSync(into, { recursive: true });
  for (const f of folders) {
    const from = path.join(agentsDir, f);
    if (!existsSync(from)) continue;
    for (const e of readdirSync(from, { withFileTypes: true }))
      if (e.isFile() && /\.(ya?ml|json|scxml)$/.test(e.name)) copyFileSync(path.join(from, e.name), path.join(into, e.name));
  }
  return into;
}

export async function startCore({ folders = ["", "e2e"], args = [], ...rest } = {}) {
  if (reference) return { url: reference, stop: async () => {} };
  if (process.env.CORE_WORKER) return (await import("./worker-lib.mjs")).startHosted({ folder: agentFolder(folders), folders, args, ...rest });
  return startServer({ ...rest, args: ["--agents", agentFolder(folders), ...args] });
}

export { startMock };

export const clientOf = (server, more = {}) => new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 }, ...more });

// All chunks; the event `end` is taken off and kept: .end is its data.
export async function collect(stream) {
  const out = [];
  for await (const c of stream) out.push(c);
  if (out.at(-1)?.event === "end") out.end = out.pop().data;
  return out;
}

export const events = (chunks) => chunks.map((c) => c.event.replace(/:[0-9a-f-]{36}/g, ""));
export const last = (chunks, event) => chunks.findLast((c) => c.event === event)?.data;

// Is `a` what the pattern says?  Objects: the keys named; arrays: as long, one
// by one; a RegExp, a function or a class (String, Number, Object, Array) test;
// everything else must be equal.  Gives the first difference, or undefined.
export function differs(a, p, at = "") {
  const not = (why) => `${at || "it"}: ${why}, is ${JSON.stringify(a)?.slice(0, 300)}`;
  if (p instanceof RegExp) return typeof a === "string" && p.test(a) ? undefined : not(`must match ${p}`);
  if (p === String || p === Number || p === Boolean) return typeof a === p.name.toLowerCase() ? undefined : not(`must be a ${p.name}`);
  if (p === Object) return a !== null && typeof a === "object" && !Array.isArray(a) ? undefined : not("must be an object");
  if (p === Array) return Array.isArray(a) ? undefined : not("must be an array");
  if (typeof p === "function") return p(a) ? undefined : not(`must be so: ${p}`);
  if (Array.isArray(p)) {
    if (!Array.isArray(a)) return not("must be an array");
    for (let i = 0; i < Math.min(p.length, a.length); i++) { const d = differs(a[i], p[i], `${at}[${i}]`); if (d) return d; }
    return a.length === p.length ? undefined : not(`must have ${p.length} elements, not ${a.length}`);
  }
  if (p !== null && typeof p === "object") {
    if (a === null || typeof a !== "object" || Array.isArray(a)) return not("must be an object");
    for (const [k, v] of Object.entries(p)) { const d = differs(a[k], v, `${at}.${k}`); if (d) return d; }
    return undefined;
  }
  return Object.is(a, p) ? undefined : not(`must be ${JSON.stringify(p)}`);
}

export function matches(a, pattern, what) {
  const d = differs(a, pattern);
  return check(d === undefined, what, d);
}

// The promise must be refused: status (a number or a list), and words in its text.
export async function refused(promise, status, words, what) {
  try {
    const got = await promise;
    check(false, what, `was not refused: ${JSON.stringify(got)?.slice(0, 300)}`);
  } catch (e) {
    const ok = [].concat(status ?? e.status).includes(e.status) && [].concat(words ?? []).every((w) => e.message.includes(w));
    check(ok, what, `${e.status} ${e.message}\n     wanted ${status} ${words}`);
  }
}

export async function json(server, method, target, body, headers) {
  const r = await call(server, method, target, body, headers);
  if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
}

// Waits until a run is over; its status, or 404 when it is gone.
export async function ended(server, thread, run) {
  return until(async () => {
    const r = await call(server, "GET", `/threads/${thread}/runs/${run}`);
    if (r.status === 404) return "gone";
    return ["pending", "running"].includes(r.json.status) ? undefined : r.json.status;
  }, `run ${run} to end`, 30000);
}

export const texts = (state) => state.values.messages.map((m) => m.content);
