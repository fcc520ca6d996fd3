// lib.mjs - what every end-to-end file uses: real servers on free ports, a
// check counter, waiting for conditions (never for time).
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
export const repo = path.join(here, "..", "..");
export const binary = process.env.COHORT ?? path.join(repo, "build", "cohort");

let passed = 0, failed = 0;
const running = new Set();

export function check(condition, what, detail) {
  if (condition) { passed++; return true; }
  failed++;
  console.log(`FAIL ${what}${detail === undefined ? "" : `\n     ${show(detail)}`}`);
  return false;
}

export function equal(actual, expected, what) {
  const a = JSON.stringify(actual), b = JSON.stringify(expected);
  return check(a === b, what, a === b ? undefined : `got ${a}\n     not ${b}`);
}

function show(x) {
  const text = typeof x === "string" ? x : x instanceof Error ? x.stack : JSON.stringify(x);
  return text.length > 2000 ? text.slice(0, 2000) + "..." : text;
}

// Runs one named case; an exception is one failure, not the end of the file.
export async function scenario(name, fn) {
  try { await fn(); } catch (e) { check(false, name, e); }
}

export function finish() {
  for (const child of running) child.kill("SIGKILL");
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}
process.on("exit", () => { for (const child of running) child.kill("SIGKILL"); });
process.on("uncaughtException", (e) => { check(false, "uncaught", e); finish(); });
process.on("unhandledRejection", (e) => { check(false, "unhandled", e); finish(); });

export async function until(condition, what, ms = 60000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await condition();
    if (got) return got;
    if (Date.now() > end) throw new Error(`timed out waiting for ${what}`);
    await new Promise((r) => setTimeout(r, 5));
  }
}

const scratches = [];
process.on("exit", () => { for (const dir of scratches) rmSync(dir, { recursive: true, force: true }); });

export function scratch() {
  scratches.push(mkdtempSync(path.join(tmpdir(), "cohort-e2e-")));
  return scratches.at(-1);
}

// Below the range that clients' sockets are given from, each once a process.
// Suites that run at the same time have a range of ports each (E2E_LANE, 0 to 9): two
// servers on one port would share its connections.
export const lane = Number(process.env.E2E_LANE ?? 0);
const ports = 2000, firstPort = 10000 + ports * lane;
let nextPort = firstPort + (process.pid * 97) % ports;

export async function freePort() {
  for (;;) {
    const port = nextPort, s = net.createServer();
    nextPort = nextPort + 1 < firstPort + ports ? nextPort + 1 : firstPort;
    const ok = await new Promise((r) => { s.on("error", () => r(false)); s.listen(port, "127.0.0.1", () => r(true)); });
    if (!ok || port === 10080) continue;     // fetch refuses that one ("bad port")
    await new Promise((r) => s.close(r));
    return port;
  }
}

// Only what the test names reaches the child.
export function cleanEnv(extra) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...extra };
  for (const k of ["ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "TMPDIR"])
    if (process.env[k]) env[k] = process.env[k];
  return env;
}

// Where each thread of a process waits in the kernel, for the report of one that hangs.
function threads(pid) {
  const read = (file) => { try { return readFileSync(file, "utf8").trim(); } catch { return "?"; } };
  try { return readdirSync(`/proc/${pid}/task`).map((t) => `${read(`/proc/${pid}/task/${t}/comm`)} in ${read(`/proc/${pid}/task/${t}/wchan`)}`).join(", "); } catch { return "none"; }
}

export async function startProgram(command, args, { env = {}, cwd, health, port, host = "127.0.0.1", via = [] }) {
  const began = performance.now();
  const [program, ...rest] = [...via, binary, command, ...args];
  const child = spawn(program, rest, { cwd, env: cleanEnv(env), stdio: ["ignore", "pipe", "pipe"] });
  const server = { child, port, url: `http://${host}:${port}`, log: "", exit: null };
  child.stdout.on("data", (d) => { server.log += d; });
  child.stderr.on("data", (d) => { server.log += d; });
  server.exited = new Promise((resolve) => child.on("exit", (code, signal) => {
    server.exit = { code, signal };
    running.delete(child);
    resolve(server.exit);
  }));
  // Its last words may come after its end.
  const said = new Promise((resolve) => child.on("close", resolve));
  running.add(child);
  await until(async () => {
    if (server.exit) await Promise.race([said, new Promise((r) => setTimeout(r, 500))]);
    if (server.exit) throw new Error(`${command} ended: ${JSON.stringify(server.exit)}\n${server.log}`);
    try { return (await fetch(server.url + health)).ok; } catch { return false; }
  }, `${command} to listen`).catch((e) => { throw server.exit ? e : new Error(`${e.message}; its threads: ${threads(child.pid)}; it wrote:\n${server.log}`); });
  server.startMs = performance.now() - began;
  server.stop = async (signal = "SIGTERM") => { child.kill(signal); return server.exited; };
  return server;
}

export async function startMock(args = [], env = {}, port = undefined, via = undefined) {
  port ??= await freePort();
  return startProgram("mock-llm", ["--port", String(port), ...args], { env, health: "/health", port, via });
}

// Where servers keep their state: a file of their folder, or (COHORT_TEST_STORE=postgres)
// a schema of their folder in the run's PostgreSQL, and with COHORT_TEST_CLUSTER=N it is
// N nodes behind a proxy (tests/cluster/lib.mjs).  COHORT_TEST_PROXY=1: one node behind that
// proxy, to tell what is the proxy's doing.
const nodes = Number(process.env.COHORT_TEST_CLUSTER ?? 0);
export const onPostgres = nodes > 0 || process.env.COHORT_TEST_STORE === "postgres";
// Not at the top: it imports this file.
const cluster = () => import("../cluster/lib.mjs");

async function startBehindProxy(args, options, port) {
  const { startProxy } = await import("../cluster/proxy.mjs"), own = await freePort();
  const s = await startProgram("serve", ["--port", String(own), ...args], { ...options, port: own });
  const proxy = await startProxy(port, () => [{ host: "127.0.0.1", port: own }]), stop = s.stop;
  s.exited.then(() => proxy.close());
  return Object.assign(s, { port, url: proxy.url, stop: (signal) => stop(signal).finally(() => proxy.close()) });
}

// options: args, env, dir (its own when absent), port, mock (a startMock()), via
// (a command that becomes the server), memory (no file), health (a path).
export async function startServer({ args = [], env = {}, dir = scratch(), port, mock, via, memory = false, health = "/ok" } = {}) {
  port ??= await freePort();
  const inIt = onPostgres && !args.includes("--store");
  const c = inIt ? await cluster() : undefined, store = inIt ? (memory ? c.freshSchema() : c.schemaOf(dir)) : undefined;
  if (nodes > 0 && inIt && !via)
    return c.startCluster({ nodes, args, env, dir, port, mock, health, store, nats: c.sharedNats(), spaces: c.theSpaces(nodes), together: true });
  if (mock) env = { OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:mock-gpt-4o", ...env };
  const where = inIt ? ["--store", store, "--work-path", path.join(dir, "work.db")] : memory ? ["--store", "memory"] : ["--db", path.join(dir, "cohort.db")];
  const options = { env, cwd: dir, health, port, via };
  const s = await (process.env.COHORT_TEST_PROXY ? startBehindProxy([...where, ...args], options, port) : startProgram("serve", ["--port", String(port), ...where, ...args], options));
  s.dir = dir;
  return s;
}

export async function call(server, method, target, body, headers = {}) {
  const res = await fetch(server.url + target, {
    method, headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await res.text();
  let json; try { json = JSON.parse(text); } catch { /* not JSON */ }
  return { status: res.status, headers: res.headers, text, json };
}

// A figure of /metrics, of all nodes together.
export async function metric(server, name, target = "/metrics") {
  let sum = 0;
  for (const s of server.nodes ?? [server]) sum += Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec((await call(s, "GET", target)).text)?.[1]);
  return sum;
}
// How many processes it is: what each does for itself is done so often.
export const processes = (server) => server.nodes?.length ?? 1;
// One of its nodes: for what is of a process.  Each has a tracker of its own.
export const oneNode = (server) => server.nodes?.[0] ?? server;

// Parses a whole text/event-stream body into [{event, data, id}].
export function parseEvents(text) {
  const events = [];
  for (const frame of text.split(/\r?\n\r?\n/)) {
    const e = {};
    for (const line of frame.split(/\r?\n/)) {
      const m = /^(event|data|id): ?(.*)$/.exec(line);
      if (m) e[m[1]] = m[2];
    }
    if (e.event !== undefined) { e.json = e.data === undefined ? undefined : JSON.parse(e.data); events.push(e); }
  }
  return events;
}

// Sends raw bytes, collects what comes back until the peer closes or `done`
// says it is enough.
export function raw(server, chunks, { done, ms = 60000, half = false } = {}) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.port, "127.0.0.1");
    let got = "";
    const timer = setTimeout(() => { socket.destroy(); reject(new Error(`raw: timed out, got ${got}`)); }, ms);
    const end = () => { clearTimeout(timer); socket.destroy(); resolve(got); };
    socket.on("data", (d) => { got += d.toString("latin1"); if (done?.(got)) end(); });
    socket.on("close", end);
    socket.on("error", () => end());
    for (const c of [].concat(chunks)) socket.write(Buffer.from(c, "latin1"));
    if (half) socket.end();
  });
}

// The shape of a value: key sets all the way down, kinds at the leaves.
// Arrays give the shape of each element.
export function shape(v) {
  if (v === null) return "null";
  if (Array.isArray(v)) return v.map(shape);
  if (typeof v === "object") return Object.fromEntries(Object.keys(v).sort().map((k) => [k, shape(v[k])]));
  return typeof v;
}
