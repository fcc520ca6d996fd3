// knowledge.mjs [CHUNKS] [ROUNDS] [DIMS] - documents of CHUNKS passages are added by `cohort
// knowledge add`; then what a retrieval takes: by words, and with vectors of DIMS numbers from
// the mock's embedding model; over HTTP (POST /store/items/search) and by the tool
// knowledge_search in a run (POST /runs/wait).  The gate is 30 ms at the median over 10,000.
// Measure with a release build: COHORT=$PWD/build-release/cohort node tests/bench/knowledge.mjs
import { spawnSync } from "node:child_process";
import http from "node:http";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, cleanEnv, scratch, startMock, startServer } from "../e2e/lib.mjs";

const [chunks, rounds, dims] = [10000, 300, 384].map((d, i) => Number(process.argv[2 + i] ?? d));
const gate = 30, agent = new http.Agent({ keepAlive: true });
let missed = 0, seed = 1;
const dice = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return Math.floor(seed / 2147483648 * n); };

// Words as in a language: few are in many texts, most in few.
const syllables = ["ba", "de", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va", "ze"];
const word = () => { let u = dice(1000), w = ""; u = Math.floor(u * u / 50) + dice(100); for (let i = 0; i < 3; i++, u = Math.floor(u / 12)) w += syllables[u % 12]; return w; };
const section = (i) => `## Section ${i} ${word()}\n\n${Array.from({ length: 8 }, () => `${Array.from({ length: 18 }, word).join(" ")}.`).join(" ")}\n\n`;

const root = scratch(), texts = path.join(root, "texts"), agents = path.join(root, "agents"), sections = [];
mkdirSync(texts);
mkdirSync(agents);
for (let d = 0, n = 0; n < chunks; d++) {
  let text = `# Document ${d}\n\n`;
  for (let k = 0; k < 100 && n < chunks; k++, n++) { sections.push(section(n)); text += sections.at(-1); }
  writeFileSync(path.join(texts, `document-${d}.md`), text);
}
writeFileSync(path.join(agents, "finder.yaml"), "id: finder\nstate: {query: {}, found: {}}\nnodes: {find: {tool: {name: knowledge_search, args: {query: query}}, writes: {found: result.content}}}\nedges: [[START, find]]\n");

function post(server, target, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body), began = performance.now();
    const req = http.request(server.url + target, { method: "POST", agent, headers: { "content-type": "application/json", "content-length": Buffer.byteLength(text) } }, (res) => {
      let got = "";
      res.on("data", (d) => { got += d; });
      res.on("end", () => resolve({ ms: performance.now() - began, json: JSON.parse(got) }));
    });
    req.on("error", reject);
    req.end(text);
  });
}

async function measure(name, judged, ask) {
  const times = [];
  for (let i = -10; i < rounds; i++) { const ms = await ask(); if (i >= 0) times.push(ms); }
  times.sort((a, b) => a - b);
  const at = (p) => times[Math.floor(times.length * p)], ok = at(0.5) <= gate;
  missed += judged && !ok;
  console.log(`${judged ? ok ? "ok    " : "MISSED" : "      "} ${name.padEnd(34)} ${[0.5, 0.9, 0.99].map((p) => `p${p * 100} ${at(p).toFixed(2)} ms`).join("  ")}${judged ? `  (gate p50 ${gate} ms)` : ""}`);
}

// Three words that some passage has.
const query = () => { const w = sections[dice(sections.length)].split(/\W+/).slice(4); return [w[dice(w.length - 1)], w[dice(w.length - 1)], w[dice(w.length - 1)]].filter((x) => x).join(" "); };

async function bench(label, args, options) {
  const server = await startServer({ args: ["--agents", agents, ...args], ...options }), began = performance.now();
  const r = spawnSync(binary, ["knowledge", "add", ".", "--url", server.url], { cwd: texts, encoding: "utf8", env: cleanEnv({}) });
  const seconds = (performance.now() - began) / 1000, written = Number(/(\d+) passages written/.exec(r.stdout)?.[1]);
  if (r.status !== 0) throw new Error(r.stderr);
  console.log(`       ${label}: add ${written} passages of ${Math.ceil(chunks / 100)} documents: ${seconds.toFixed(2)} s`);
  const again = performance.now();
  spawnSync(binary, ["knowledge", "add", ".", "--url", server.url], { cwd: texts, env: cleanEnv({}) });
  console.log(`       ${label}: the same again: ${((performance.now() - again) / 1000).toFixed(2)} s`);
  await measure(`${label}: search over HTTP`, true, async () => {
    const { ms, json } = await post(server, "/store/items/search", { namespace_prefix: ["knowledge", "default", "chunks"], query: query(), limit: 10, refresh_ttl: false });
    if (!(json.items?.length > 0)) throw new Error(JSON.stringify(json).slice(0, 300));
    return ms;
  });
  await measure(`${label}: knowledge_search in a run`, true, async () => {
    const { ms, json } = await post(server, "/runs/wait", { assistant_id: "finder", input: { query: query() } });
    if (!/^\d+ passages/.test(json.found)) throw new Error(JSON.stringify(json).slice(0, 300));
    return ms;
  });
  await server.stop();
}

await bench("by words", []);
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--dims", String(dims)]);
await bench(`${dims} dims`, ["--store-index-embed", "openai:mock-embed", "--store-index-dims", String(dims)], { mock });
process.exit(missed > 0 ? 1 : 0);
