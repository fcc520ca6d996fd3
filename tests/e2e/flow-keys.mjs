// flow-keys.mjs - retry, timeout, after, map's failures and regions on a server that is
// killed in the middle: pauses and clocks go on, what is done is not done again.
//
// The model is a real HTTP server that counts what it is asked, and fails as its
// user says.
import { mkdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { call, check, equal, finish, freePort, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch(), agents = path.join(dir, "agents"), port = await freePort();
mkdirSync(agents, { recursive: true });
const put = (id, text) => writeFileSync(path.join(agents, `${id}.yaml`), `id: ${id}\n${text}`);
const answer = 'llm: {messages: [{type: "\'human\'", content: TAG}]}, writes: {said: result.text}';
const ask = (tag) => answer.replace("TAG", tag);

put("again", `state: {tag: {}, said: {}}
nodes:
  a: {${ask("tag")}, retry: {on: [error.llm.invalid_request], max: 2, delay: 1h, max_delay: 1h, factor: 1}}
edges: [[START, a]]
`);
put("plain", `state: {tag: {}, said: {}}
nodes:
  a: {${ask("tag")}, retry: {on: [error], delay: 1}}
edges: [[START, a]]
`);
put("slow", `state: {tag: {}, said: {}, why: {}}
initial: a
states:
  a:
    ${ask("tag").replace(", writes", "\n    writes")}
    timeout: 300ms
    retry: {on: [error.timeout], max: 1, delay: 10ms}
    on: {done: out, error.timeout: {target: out, assign: {why: event.data.name}}}
  out: {type: final}
`);
put("later", `context: {log: []}
initial: a
states:
  a:
    entry: {assign: {log: "concat(log, ['in'])"}}
    after: {3s: {target: b, assign: {log: "concat(log, ['after'])"}}}
  b: {type: final}
`);
put("many", `state: {tag: {}, all: {reducer: append}}
nodes:
  a:
    map:
      over: "['one', 'bad', 'two', 'last']"
      as: x
      concurrency: 1
      do: [{llm: {messages: [{type: "'human'", content: "tag + ' ' + x"}]}, writes: {}}]
      on_error: collect
      min_ok: 3
      collect: all
edges: [[START, a]]
`);
put("sides", `context: {tag: '', log: [], said: null}
initial: both
states:
  both:
    type: parallel
    states:
      left:
        initial: l1
        states:
          l1: {${ask("tag")}, on: {done: {target: l2, assign: {log: "concat(log, ['model'])"}}}}
          l2: {type: final}
      right:
        initial: r1
        states:
          r1: {ask: {prompt: go on}, on: {done: [{guard: event.data.value == 'away', target: away}, r2]}}
          r2: {type: final}
      back: {type: history, history: deep}
    onDone: out
  away: {after: {1500: {target: back, assign: {log: "concat(log, ['back'])"}}}}
  out: {type: final}
`.replace("tag: ''", "tag: null"));

// ---- the model ---------------------------------------------------------------

const counts = new Map(), held = new Map();
const count = (text) => counts.get(text) ?? 0;
const model = http.createServer((req, res) => {
  let body = "";
  req.on("data", (d) => { body += d; });
  req.on("end", () => {
    const text = JSON.parse(body).messages.at(-1).content;
    counts.set(text, count(text) + 1);
    if (text.includes("bad") || (text.startsWith("fails") && count(text) < 3)) {
      res.writeHead(400, { "content-type": "application/json" });
      res.end(JSON.stringify({ error: { message: "no such thing", type: "server_error", code: "x" } }));
      return;
    }
    if (text.startsWith("hangs") || text.endsWith("last") && count(text) === 1) { held.set(text, res); return; }
    const frame = (d, finish_reason) => `data: ${JSON.stringify({ id: `c-${count(text)}`, object: "chat.completion.chunk", model: "m", choices: [{ index: 0, delta: d, finish_reason }] })}\n\n`;
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.end(frame({ role: "assistant", content: `said ${text}` }, null) + frame({}, "stop") + "data: [DONE]\n\n");
  });
});
await new Promise((r) => model.listen(0, "127.0.0.1", r));
const env = { OPENAI_BASE_URL: `http://127.0.0.1:${model.address().port}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:m" };

let server;
const up = async () => { server = await startServer({ dir, port, env, args: ["--agents", agents] }); };
const down = () => server.stop("SIGKILL");
async function json(method, target, body) {
  const r = await call(server, method, target, body);
  if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
}
async function begin(assistant_id, input) {
  const t = (await json("POST", "/threads", {})).thread_id;
  const r = await json("POST", `/threads/${t}/runs`, { assistant_id, input });
  return { t, r: r.run_id };
}
const status = async ({ t, r }) => (await json("GET", `/threads/${t}/runs/${r}`)).status;
const values = async ({ t }) => (await json("GET", `/threads/${t}/state`)).values;
const ended = (run, want = "success") => until(async () => (await status(run)) === want, `the run to be ${want}`);

await up();

await scenario("killed in the pause of a retry: it waits on and counts on", async () => {
  put("strict", `state: {tag: {}, said: {}}
nodes:
  a: {${ask("tag")}, retry: {on: [error.llm.invalid_request], max: 2, delay: 3s, factor: 1}}
edges: [[START, a]]
`);
  await until(async () => (await call(server, "POST", "/assistants/search", {})).json.some((a) => a.graph_id === "strict"), "the new agent");
  const run = await begin("strict", { tag: "fails once more" });
  await until(() => count("fails once more") === 1, "the first attempt");
  const began = Date.now();
  await new Promise((r) => setTimeout(r, 400));   // what is written lazily is written
  await down();
  await up();
  equal(count("fails once more"), 1, "the start did not ask again");
  await until(() => count("fails once more") === 2, "the second attempt");
  const paused = Date.now() - began;
  check(paused >= 2800 && paused < 8000, "after the pause that was begun, not another", paused);
  await ended(run);
  equal(count("fails once more"), 3, "three attempts in all");
  equal((await values(run)).said, "said fails once more", "and its answer");
});

await scenario("no retry where it is no use", async () => {
  const run = await begin("plain", { tag: "bad request" });
  await ended(run, "error");
  equal(count("bad request"), 1, "asked once");
});

await scenario("a run that is cancelled in a pause is over", async () => {
  const run = await begin("again", { tag: "fails at first" });
  await until(() => count("fails at first") === 1, "the first attempt");
  equal((await call(server, "POST", `/threads/${run.t}/runs/${run.r}/cancel?wait=true`)).status < 300, true, "cancelled");
  await ended(run, "interrupted");
  equal((await begin("again", { tag: "fine" }).then(async (r) => { await ended(r); return values(r); })).said, "said fine", "others go on");
});

await scenario("timeout is of each attempt, and stops the call", async () => {
  const run = await begin("slow", { tag: "hangs" });
  await ended(run);
  equal([count("hangs"), (await values(run)).why], [2, "TimeoutError"], "two attempts, then the event");
  await until(() => held.get("hangs").closed || held.get("hangs").destroyed, "the connection to be closed");
});

await scenario("killed inside `after`: the clock goes on", async () => {
  const run = await begin("later", {}), began = Date.now();
  await until(async () => (await values(run)).log?.length === 1, "the state");
  await down();
  await new Promise((r) => setTimeout(r, 500));
  await up();
  equal((await values(run)).log, ["in"], "the state is what it was");
  await ended(run);
  const took = Date.now() - began;
  check(took >= 2800, "three seconds after it was entered", took);
  equal((await values(run)).log, ["in", "after"], "entered once, left once");
});

await scenario("due while the server is down: taken at the start", async () => {
  const run = await begin("later", {});
  await until(async () => (await values(run)).log?.length === 1, "the state");
  await down();
  await new Promise((r) => setTimeout(r, 3200));
  await up();
  await ended(run);
  equal((await values(run)).log, ["in", "after"], "taken");
});

await scenario("killed in the middle of a map: what has ended is not done again", async () => {
  const run = await begin("many", { tag: "m" });
  await until(() => count("m last") === 1, "the last element");
  await new Promise((r) => setTimeout(r, 400));
  await down();
  await up();
  await ended(run);
  equal(["one", "bad", "two", "last"].map((x) => count(`m ${x}`)), [1, 1, 1, 2], "only what was under way is asked again");
  const all = (await values(run)).all;
  equal([all.length, all[0].text, all[1].error?.event, all[3].text], [4, "said m one", "error.llm.invalid_request", "said m last"], "results in their places");
});

await scenario("regions and their history over a kill", async () => {
  const t = (await json("POST", "/threads", {})).thread_id, tag = "side";
  const go = (body) => json("POST", `/threads/${t}/runs/wait`, { assistant_id: "sides", ...body });
  let v = await go({ input: { tag } });
  equal([v.log, v.__interrupt__?.length], [["model"], 1], "one region has ended, the other asks");
  await down();
  await up();
  v = await go({ command: { resume: "away" } });
  equal([v.log, v.__interrupt__?.length], [["model", "back"], 1], "away and back: it asks again");
  await down();
  await up();
  v = await go({ command: { resume: "on" } });
  equal([v.log, v.__interrupt__], [["model", "back"], undefined], "both have ended");
  equal(count(tag), 1, "the region that had ended was not begun again");
});

await server.stop();
model.close();
model.closeAllConnections();
finish();
