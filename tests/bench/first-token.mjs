// first-token.mjs [RUNS] [MODEL_MS] [SHARDS] - the time from a request to the first token of a
// run on a new thread: a classic stream, and a command of the thread protocol with its
// stream open.  In turns, so that both have the same machine.  The protocol's client sends
// one request more; `with one more request` is a classic stream whose client does so, too.
// Measure with a release build: COHORT=build-release/cohort node tests/bench/first-token.mjs
import http from "node:http";
import { startMock, startServer } from "../e2e/lib.mjs";

const [runs, delay, shards] = [400, 20, 2].map((d, i) => Number(process.argv[2 + i] ?? d));
const mock = await startMock(["--delay-ms", String(delay), "--stream-delay-ms", "0"]);
const server = await startServer({ mock, args: ["--shards", String(shards)] });
const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });
const input = { messages: [{ role: "user", content: "hi" }] };

// Until the answer ends or `until` says it is enough.
function post(target, body, opened, until = () => false) {
  return new Promise((resolve) => {
    const text = JSON.stringify(body), headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const req = http.request(server.url + target, { method: "POST", agent, headers }, (res) => {
      let got = "";
      opened?.();
      res.on("data", (d) => { got += d; if (until(got)) req.destroy(); });
      for (const e of ["end", "error", "close"]) res.on(e, resolve);
    });
    req.on("error", resolve);
    req.end(text);
  });
}

async function classic(more) {
  const t = crypto.randomUUID(), began = performance.now();
  let first;
  if (more) post(`/threads/${t}/commands`, "no command");
  await post(`/threads/${t}/runs/stream`, { assistant_id: "agent", input, if_not_exists: "create", stream_mode: ["messages-tuple", "values"], stream_resumable: true, stream_subgraphs: true }, undefined,
    (got) => { if (/event: messages.*\ndata: \[\{"content":"[^"]/.test(got)) first ??= performance.now() - began; });
  return first;
}

async function protocol() {
  const t = crypto.randomUUID();
  let began, first;
  await post(`/threads/${t}/stream/events`, { channels: ["values", "checkpoints", "lifecycle", "input", "messages", "tools"], namespaces: [[]], depth: 1 },
    () => { began = performance.now(); post(`/threads/${t}/commands`, { id: 1, method: "run.start", params: { assistant_id: "agent", input } }); },
    (got) => { if (got.includes('"text-delta"')) first ??= performance.now() - began; return got.includes('"event":"completed"'); });
  return first;
}

const kinds = { classic: () => classic(false), "with one more request": () => classic(true), protocol };
const times = Object.fromEntries(Object.keys(kinds).map((k) => [k, []]));
for (let i = -50; i < runs; i++)
  for (const [k, run] of Object.entries(kinds)) { const ms = await run(); if (i >= 0) times[k].push(ms); }
for (const [k, list] of Object.entries(times)) {
  list.sort((a, b) => a - b);
  console.log(`${k.padEnd(22)} ${[0.1, 0.5, 0.9].map((p) => `p${p * 100} ${list[Math.floor(runs * p)].toFixed(3)} ms`).join("  ")}`);
}
await server.stop();
process.exit(0);
