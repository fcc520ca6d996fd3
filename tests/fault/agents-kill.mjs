// agents-kill.mjs [KILLS] [SEED] [SHARDS] - sessions of all kinds, and kill -9.
//
// Charts and graphs (tests/agents/kill) that ask models, read pages, call tools of a
// server, ask people, wait for moments and for days, try again, map and fork, are begun,
// answered, cancelled, talked to and queued by many clients at once, while the server
// is killed again and again.  Each start sets the clock on, so days pass.
//
// The model, the pages and the tools are real servers that count each call by what is
// said to them.  A ledger has what the server acknowledged.  In the end
//   - what was acknowledged is there: runs, answers, messages, items, cancellations;
//   - every session is at its end, once, with each step's effect once;
//   - a call that was seen in a transcript was not made again after that, and a call of
//     a tool that may not run twice was made once at most;
//   - a transcript has no entry twice and no hole, and what models took is the sum of it;
//   - the file is whole.
import { spawnSync } from "node:child_process";
import http from "node:http";
import path from "node:path";
import { copyFileSync, writeFileSync } from "node:fs";
import { call, check, equal, finish, freePort, scenario, scratch, startServer, until } from "../e2e/lib.mjs";
import { agentFolder } from "../e2e/core-lib.mjs";
import { numbers, pause } from "./kill-lib.mjs";

const kills = Number(process.argv[2] ?? 10), seed = Number(process.argv[3] ?? Date.now() % 100000), shards = process.argv[4] ?? "1";
const dir = scratch(), port = await freePort(), agents = agentFolder(["kill"]);
const alive = 24, items = ["x", "y", "z"];
// A run that was cut off three times, and did not leave memory in between, is an error:
// in its third attempt it is given time.
const attempts = 3, patience = 60000;

// What is done next is of the seed; when it is done is not.
const next = numbers(seed), random = () => next() / 4294967296;
const upTo = (from, to) => from + Math.floor(random() * (to - from));

// ---- the world: a model, pages, and tools -----------------------------------

const counts = new Map(), count = (what) => counts.get(what) ?? 0;
const counted = (what) => { counts.set(what, count(what) + 1); return count(what); };

function saidTo(q) {
  const at = q.messages.findLastIndex((m) => m.role === "user" && !m.content.startsWith("injected")), user = q.messages[at].content;
  const tools = q.messages.slice(at).filter((m) => m.role === "tool").length;
  const callsOf = (...list) => ({ content: "", tool_calls: list.map(([name, args], index) => ({ index, id: `call-${user.replaceAll(" ", "-")}-${tools + index}`, type: "function", function: { name, arguments: JSON.stringify(args) } })) });
  if (user.endsWith(" talk")) return { what: `${user} ${q.messages.length}`, message: tools < 6 ? callsOf(["event__note", { n: tools }]) : callsOf(["event__close", {}]) };
  if (user.endsWith(" count") && tools < 5) {
    const tag = user.slice(0, -6), bump = ["counter__bump", { k: `${tag}-${tools}` }], get = ["http_get", { url: `${web}/get?k=${tag}-${tools}` }];
    return { what: `${user} ${tools}`, message: [callsOf(bump), callsOf(get), callsOf(["part", { tag: `${tag} part`, base: web }]), callsOf(bump, get)][tools] };
  }
  // a message that comes now asks once more
  if (user.endsWith(" last")) return { what: `${user} ${q.messages.length}`, message: { content: `said ${user} ${q.messages.length}` } };
  const what = tools > 0 ? `${user} after ${tools}` : user;
  return { what, message: { content: `said ${what}` } };
}

function model(req, res, body) {
  const { what, message } = saidTo(JSON.parse(body)), n = counted(what), head = { id: `c-${what}-${n}`, created: 1, model: "m", object: "chat.completion.chunk" };
  const usage = { prompt_tokens: what.length, completion_tokens: 3, total_tokens: what.length + 3 };
  setTimeout(() => {
    if (what.endsWith(" fails twice") && n <= 2) {
      res.writeHead(400, { "content-type": "application/json" });
      res.end(JSON.stringify({ error: { message: "not yet", type: "invalid_request_error", code: null } }));
      return;
    }
    const frame = (x) => `data: ${JSON.stringify({ ...head, ...x })}\n\n`;
    const delta = { role: "assistant", ...message };
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(frame({ choices: [{ index: 0, delta, finish_reason: null }] }));
    res.write(frame({ choices: [{ index: 0, delta: {}, finish_reason: message.tool_calls ? "tool_calls" : "stop" }] }));
    res.end(frame({ choices: [], usage }) + "data: [DONE]\n\n");
  }, upTo(0, what.includes(" talk") ? 60 : 25));
}

function tools(req, res, body) {
  const q = JSON.parse(body);
  const reply = (result) => { res.writeHead(200, { "content-type": "application/json" }); res.end(JSON.stringify({ jsonrpc: "2.0", id: q.id, result })); };
  if (q.id === undefined) { res.writeHead(202); res.end(); return; }
  if (q.method === "initialize") reply({ protocolVersion: q.params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "counter", version: "1" } });
  else if (q.method === "tools/list") reply({ tools: [{ name: "bump", description: "Counts.", inputSchema: { type: "object", properties: { k: { type: "string" } }, required: ["k"] } }] });
  else if (q.method === "tools/call") {
    const n = counted(`bump ${q.params.arguments.k}`);
    setTimeout(() => reply({ content: [{ type: "text", text: `bumped ${q.params.arguments.k} ${n}` }] }), upTo(0, 20));
  } else reply({});
}

const world = http.createServer((req, res) => {
  let body = "";
  req.on("data", (d) => { body += d; });
  req.on("end", () => {
    const url = new URL(req.url, "http://x");
    if (req.method === "GET" && url.pathname === "/get") {
      const k = url.searchParams.get("k");
      counted(`get ${k}`);
      setTimeout(() => { res.writeHead(200, { "content-type": "text/plain" }); res.end(k); }, upTo(0, 15));
    } else if (req.method === "POST" && url.pathname === "/mcp") tools(req, res, body);
    else if (req.method === "POST") model(req, res, body);
    else { res.writeHead(405); res.end(); }
  });
});
world.keepAliveTimeout = 60000;
await new Promise((r) => world.listen(0, "127.0.0.1", r));
const web = `http://127.0.0.1:${world.address().port}`, env = { OPENAI_BASE_URL: `${web}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:m" };

// Its server's address is known here.  The counter's tool may not run twice.
writeFileSync(path.join(agents, "kill_tools.yaml"), `
id: kill_tools
state: {tag: {}, base: {}, messages: {reducer: messages}, direct: {}, page: {}}
mcp: {counter: {url: "${web}/mcp"}}
tools:
  http_get: {timeout: 20s, retries: 1}
  part: {agent: kill_part, description: "a part"}
initial: talk
states:
  talk:
    llm: {tools: [counter, http_get, part], max_turns: 9}
    on: {done: direct}
  direct:
    tool: {name: counter__bump, args: {k: "tag + '-direct'"}}
    writes: {direct: result.content}
    on:
      done: get
      error.tool.unknown_outcome: {target: get, assign: {direct: event.name}}
  get:
    tool: {name: http_get, args: {url: "base + '/get?k=' + tag + '-page'"}}
    writes: {page: result.content}
    on:
      done: out
      error.tool.unknown_outcome: {target: out, assign: {page: event.name}}
  out: {type: final}
`);

// ---- kinds of sessions --------------------------------------------------------

// input; answer(j, question): what a person says, undefined: nothing; calls: what the
// model and the pages are asked, once each; end: what the values must be.
let unknowns = 0;
const sorted = (list) => [...list].sort();
const kinds = {
  kill_mixed: {
    input: (tag) => ({ tag, base: web, items }),
    answer: (j) => (j.answers.length === 0 && j.again ? "again" : "yes"),
    calls: (j) => [...["plan", "says", "finale", ...items].map((x) => `${j.tag} ${x}`), `get ${j.tag}-a`, `get ${j.tag}-b`, ...items.map((x) => `get ${j.tag}-${x}`)],
    async end(j, v, s) {
      const log = [...j.again ? ["again"] : [], "yes", ...["plan", "says", "finale"].map((x) => `said ${j.tag} ${x}`), `page ${j.tag}-a`, `page ${j.tag}-b`];
      equal(sorted(v.log), sorted(log), `${j.tag}: each step once`);
      equal(v.parts, items.map((x) => `said ${j.tag} ${x}`), `${j.tag}: parts in order`);
      equal(v.rounds, j.again ? 1 : 0, `${j.tag}: asked as often as answered`);
      for (const x of items) equal((await json(s, "GET", `/store/items?namespace=parts&key=${encodeURIComponent(`${j.tag} ${x}`)}`)).value, { said: `said ${j.tag} ${x}` }, `${j.tag} ${x}: stored`);
    },
  },
  kill_late: {
    input: (tag) => ({ tag }), answer: (j) => (j.answers_it ? `of ${j.tag}` : undefined), calls: (j) => [`${j.tag} after`],
    end(j, v) {
      equal(v.log.length, 2, `${j.tag}: an answer or the time limit`);
      const last = `said ${j.tag} after`, answered = `answer of ${j.tag}`;
      equal(v.log, [j.answers.length > 0 ? answered : j.maybe ? v.log[0] : "late", last], `${j.tag}: what was acknowledged counts`);
      check(["late", answered].includes(v.log[0]), `${j.tag}: one of them`, v.log);
    },
  },
  kill_flow: {
    input: (tag) => ({ tag, base: web }), calls: (j) => [0, 1, 2].map((i) => `get ${j.tag}-${i}`),
    end(j, v) {
      equal(v.log, [`said ${j.tag} fails twice`, "after", "later", ...[0, 1, 2].map((i) => `page ${j.tag}-${i}`)], `${j.tag}: each step once, in order`);
      check(count(`${j.tag} fails twice`) >= 3, `${j.tag}: failed twice`);
    },
  },
  kill_talk: {
    input: (tag) => ({ tag, messages: [{ role: "user", content: `${tag} talk` }] }), calls: () => [],
    end(j, v) {
      equal(v.notes, [0, 1, 2, 3, 4, 5], `${j.tag}: each event once`);
      const texts = v.messages.filter((m) => m.type === "human").map((m) => m.content), own = texts.filter((t) => t.startsWith("injected"));
      equal([...new Set(own)].length, own.length, `${j.tag}: no message twice`, own);
      for (const t of j.injected) check(own.includes(t), `${j.tag}: ${t} was acknowledged and is there`, own) || (process.env.TELL && writeFileSync(`/tmp/tell-${j.tag}`, j.list.map((e) => JSON.stringify(e).slice(0, 400)).join("\n")));
      for (const t of own) check(j.tried.includes(t), `${j.tag}: ${t} was sent`);
      check(v.messages.at(-1).content.startsWith(`said ${j.tag} last `), `${j.tag}: the last word`, v.messages.at(-1));
    },
  },
  kill_tools: {
    input: (tag) => ({ tag, base: web, messages: [{ role: "user", content: `${tag} count` }] }), calls: (j) => [`${j.tag} part`, `get ${j.tag}-part`, `${j.tag} count after 5`],
    end(j, v) {
      const told = v.messages.filter((m) => m.type === "tool").map(textOf);
      const keys = [`bump ${j.tag}-0`, `get ${j.tag}-1`, undefined, `bump ${j.tag}-3`, `get ${j.tag}-3`, `bump ${j.tag}-direct`, `get ${j.tag}-page`];
      const said = [...told, v.direct, v.page];
      equal(said.length, keys.length, `${j.tag}: each call is answered`);
      for (const [i, key] of keys.entries()) {
        if (key === undefined) { equal(JSON.parse(said[i]).said, `said ${j.tag} part`, `${j.tag}: the part`); continue; }
        const unknown = said[i].includes("unknown_outcome");
        if (unknown) unknowns++;
        const k = key.slice(key.indexOf(" ") + 1), bump = key.startsWith("bump");
        check(count(key) <= 1 || !bump, `${key} was called once at most`, count(key));
        if (!unknown) equal(said[i], bump ? `bumped ${k} 1` : k, `${key}: its answer is told`);
        check(unknown ? bump : count(key) >= 1, `${key} was called`, said[i]);
      }
      equal(textOf(v.messages.at(-1)), `said ${j.tag} count after 5`, `${j.tag}: the last word`);
    },
  },
  kill_long: {
    input: (tag) => ({ tag }), calls: () => [], cancels: true,
    end(j, v, s, runs) {
      equal(runs.map((r) => r.status), ["interrupted"], `${j.tag}: cancelled`);
      check(!(v.log ?? []).includes("never"), `${j.tag}: it did not go on`);
    },
  },
  kill_part: {
    input: (tag) => ({ tag, base: web }), calls: (j) => [j.tag, `get ${j.tag}`, `${j.tag}q`, `get ${j.tag}q`], queues: true,
    async end(j, v, s, runs) {
      equal(runs.length, 2, `${j.tag}: both runs`);
      equal([v.said, v.page], [`said ${j.tag}q`, `${j.tag}q`], `${j.tag}: the queued one came last`);
      for (const k of [j.tag, `${j.tag}q`]) equal((await json(s, "GET", `/store/items?namespace=parts&key=${k}`)).value, { said: `said ${k}` }, `${k}: stored`);
    },
  },
};

// ---- what clients do ------------------------------------------------------------

let server, up = false;
// Half of the kills come as soon as something of a kind was acknowledged.
let trap = "time";
const acknowledged = (what) => { if (what === trap && up) { up = false; server.child.kill("SIGKILL"); } };
class Gone extends Error {}
// An answer of the server, or Gone: it was killed, and nobody knows.
async function ask(s, method, target, body) {
  if (s !== server || !up) throw new Gone();
  let r;
  try { r = await call(s, method, target, body); } catch { throw new Gone(); }
  return r;
}
async function json(s, method, target, body) {
  const r = await ask(s, method, target, body);
  if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
}

const busy = (r) => ["running", "pending"].includes(r.status);
let serial = 0;
function session(kind) {
  const tag = `s${++serial}`;
  return { kind, tag, runs: [], answers: [], tried: [], injected: [], seen: new Map(), again: random() < 0.3, answers_it: random() < 0.5, wait: random() < 0.5, patience: upTo(0, 200) };
}

// The run that was to be begun: acknowledged, or found, or not there and begun now.
async function begin(s, j) {
  const kind = kinds[j.kind];
  j.thread ??= (await json(s, "POST", "/threads", {})).thread_id;
  const wanted = [j.tag, ...kind.queues ? [`${j.tag}q`] : []];
  while (j.runs.length < wanted.length) {
    const there = (await json(s, "GET", `/threads/${j.thread}/runs?limit=100`)).reverse();
    for (const r of j.runs) check(there.some((x) => x.run_id === r), `${j.tag}: an acknowledged run is there`, there);
    if (there.length > j.runs.length) j.runs.push(there[j.runs.length].run_id);
    else j.runs.push((await json(s, "POST", `/threads/${j.thread}/runs`, { assistant_id: j.kind, input: kind.input(wanted[j.runs.length]), multitask_strategy: "enqueue" })).run_id);
    acknowledged("begin");
  }
}

async function answer(s, j, q, text) {
  j.trying = q.id;
  const r = await json(s, "POST", `/threads/${j.thread}/runs`, { assistant_id: j.kind, command: { resume: { [q.id]: text } }, strict_resume: true }).catch((e) => {
    // the time limit was faster
    if (e instanceof Gone || j.kind !== "kill_late") throw e;
  });
  j.trying = undefined;
  if (!r) return;
  j.answers.push({ question: q.id, text });
  j.runs.push(r.run_id);
  acknowledged("answer");
}

async function inject(s, j) {
  const text = `injected ${j.tag} ${j.tried.length}`;
  j.tried.push(text);
  const r = await ask(s, "POST", `/threads/${j.thread}/runs/${j.runs[0]}/inject`, { message: { role: "user", content: text } });
  if (r.status === 200) { j.injected.push(text); acknowledged("inject"); } else if (![409, 404].includes(r.status)) check(false, `${j.tag}: inject`, r.text);
}

async function cancel(s, j) {
  const r = await ask(s, "POST", `/threads/${j.thread}/runs/${j.runs[0]}/cancel?wait=${j.wait}&action=interrupt`);
  if (check([202, 204].includes(r.status), `${j.tag}: cancelled`, r.text)) { j.cancelled = true; acknowledged("cancel"); }
}

// All entries of the thread; calls that are recorded in it were made as often as now.
async function transcript(s, j) {
  const r = await ask(s, "GET", `/threads/${j.thread}/transcript?format=jsonl`);
  if (r.status !== 200) throw new Error(`transcript: ${r.status} ${r.text}`);
  const list = r.text.split("\n").filter(Boolean).map((l) => JSON.parse(l));
  for (const e of list) {
    const what = recorded(e);
    if (what !== undefined && !j.seen.has(what)) j.seen.set(what, count(what));
  }
  return list;
}
const textOf = (m) => (Array.isArray(m.content) ? m.content.map((b) => b.text ?? "").join("") : m.content);
function recorded(e) {
  if (e.kind === "answer" && e.message && textOf(e.message).startsWith("said ")) return textOf(e.message).slice(5);
  if (e.kind === "tool_result" && e.content?.startsWith?.("bumped ")) return `bump ${e.content.split(" ")[1]}`;
  if (e.kind === "result" && e.of === "http") return `get ${new URL(e.what).searchParams.get("k")}`;
  return undefined;
}

// Goes on with a session until it is at its end.
async function drive(s, j) {
  const kind = kinds[j.kind];
  await begin(s, j);
  const at = Date.now() + j.patience;
  for (;;) {
    const runs = await json(s, "GET", `/threads/${j.thread}/runs?limit=100`);
    for (const r of j.runs) check(runs.some((x) => x.run_id === r), `${j.tag}: run ${r} is there`);
    if (random() < 0.2) await transcript(s, j);
    if (kind.cancels && !j.cancelled && Date.now() >= at) await cancel(s, j);
    if (j.kind === "kill_talk" && j.tried.length < 5 && random() < 0.5) await inject(s, j);
    j.status = runs.map((r) => r.status);
    if (!runs.some(busy)) {
      const state = await json(s, "GET", `/threads/${j.thread}/state`), open = state.tasks.flatMap((t) => t.interrupts);
      // what had been sent when the server was killed was taken, or it was not
      if (j.trying !== undefined) {
        if (!open.some((q) => q.id === j.trying)) { j.maybe = true; if (j.kind !== "kill_late") j.answers.push({ question: j.trying }); }
        j.trying = undefined;
      }
      for (const q of open) check(!j.answers.some((a) => a.question === q.id), `${j.tag}: an answered question is not asked again`, [j.answers, open]);
      if (open.length === 0) {
        // the time limit of a question may have begun a run meanwhile
        if ((await json(s, "GET", `/threads/${j.thread}/runs?limit=100`)).some(busy)) continue;
        j.ended = true;
        return;
      }
      const text = kind.answer(j, open[0]);
      if (text !== undefined) await answer(s, j, open[0], text);
    }
    await pause(upTo(10, 50));
  }
}

// ---- what must be so in the end -------------------------------------------------------

async function verify(s, j) {
  const kind = kinds[j.kind], runs = await json(s, "GET", `/threads/${j.thread}/runs?limit=100`), state = await json(s, "GET", `/threads/${j.thread}/state`);
  const list = j.list = await transcript(s, j);
  check(runs.every((r) => ["success", "interrupted"].includes(r.status)), `${j.tag}: ended well`, [runs.map((r) => r.status), state.tasks, list.filter((e) => e.kind === "error"), s.log.split("\n").filter((l) => runs.some((r) => l.includes(r.run_id)))]);
  equal(state.next, kind.cancels ? state.next : [], `${j.tag}: at its end`);
  await kind.end(j, state.values, s, runs);
  for (const [what, n] of j.seen) equal(count(what), n, `${j.tag}: "${what}" was recorded, and not called again`);
  for (const what of kind.calls(j)) {
    check(count(what) >= 1, `${j.tag}: "${what}" was called`);
    equal(list.filter((e) => recorded(e) === what).length, 1, `${j.tag}: "${what}" is recorded once`);
  }
  kind.tools?.(j, state.values);
  const usage = await json(s, "GET", `/usage?group_by=run&thread_id=${j.thread}`);
  for (const r of runs) {
    const own = list.filter((e) => e.run_id === r.run_id), of = (k) => own.filter((e) => e.kind === k);
    equal(own.map((e) => e.seq), own.map((_, i) => own[0].seq + i), `${j.tag}: no hole, nothing twice`);
    equal(of("run_end").map((e) => e.status), [r.status], `${j.tag}: it ended once`);
    const results = of("tool_result").map((e) => [e.task, e.call_id, e.name].join());
    equal(results.length, new Set(results).size, `${j.tag}: each call has one result`);
    equal(of("cut").length, 0, `${j.tag}: nothing missing`);
    const begun = of("run_start").map((e) => e.attempt);
    check(begun.every((a) => a >= 1 && a <= attempts), `${j.tag}: never more attempts than it has`, begun);
    const answers = of("answer").filter((e) => e.message), row = usage.groups.find((g) => g.run_id === r.run_id);
    equal([row?.calls ?? 0, row?.output_tokens ?? 0], [answers.length, answers.length * 3], `${j.tag}: usage is what the transcript has`);
    const input = answers.reduce((n, e) => n + (e.message.usage_metadata?.input_tokens ?? 0), 0);
    equal(row?.input_tokens ?? 0, input, `${j.tag}: tokens of prompts`);
  }
}

// ---- kills ---------------------------------------------------------------------------

const sessions = [], stored = new Map();
let clock = 0;
const open = async () => {
  server = await startServer({ dir, port, env, args: ["--agents", agents, "--shards", shards, "--http-hosts", web.slice(7), "--test-hooks", "--test-clock-ms", String(clock), "--test-fsync-delay-ms", String(upTo(0, 2) * upTo(1, 20))] });
  up = true;
  check(server.startMs < 3000, "started soon", server.startMs);
};
const names = Object.keys(kinds);
const work = (s, j) => drive(s, j).catch((e) => { if (!(e instanceof Gone)) { check(false, `${j.tag} ${j.kind}`, e); j.broken = true; } });

// A client that stores things, each once.
async function keep(s) {
  for (;;) {
    const key = `k${stored.size}`;
    stored.set(key, false);
    await json(s, "PUT", "/store/items", { namespace: ["kept"], key, value: { n: key } });
    stored.set(key, true);
    acknowledged("item");
    await pause(upTo(5, 40));
  }
}

// Runs that were killed in their last attempt but one, as a copy of the file has them.
let fragile = new Set();
function lastAttempts() {
  for (const x of ["", "-wal"]) copyFileSync(path.join(dir, `cohort.db${x}`), path.join(dir, `copy.db${x}`));
  const r = spawnSync("sqlite3", [path.join(dir, "copy.db"), `select lower(hex(uuid)) from run where status = 1 and attempt >= ${attempts - 1}`], { encoding: "utf8" });
  if (r.error || r.status !== 0) throw new Error(`sqlite3: ${r.error ?? r.stderr}`);
  fragile = new Set(r.stdout.split("\n").filter(Boolean));
}

// None of them is at work: they have ended, or wait for a time.
async function rests(s) {
  const live = Number(/^cohort_runs_live (\d+)/m.exec((await ask(s, "GET", "/metrics")).text)[1]);
  if (live === 0) return true;
  for (const j of underWay())
    for (const r of j.runs)
      if (fragile.has(r.replaceAll("-", "")) && busy(await json(s, "GET", `/threads/${j.thread}/runs/${r}`))) return false;
  return true;
}

const underWay = () => sessions.filter((j) => !j.ended && !j.broken);
for (let kill = 0; kill < kills; kill++) await scenario(`kill ${kill}`, async () => {
  await open();
  while (underWay().length < alive) sessions.push(session(names[serial % names.length]));
  const s = server, clients = [...underWay().map((j) => work(s, j)), keep(s).catch(() => {})];
  const at = Date.now() + upTo(30, 900);
  if (fragile.size === 0) trap = random() < 0.5 ? "time" : ["begin", "answer", "inject", "cancel", "item"][upTo(0, 5)];
  await until(() => !up || Date.now() >= at, "the moment");
  trap = "time";
  if (up && fragile.size > 0) await until(() => rests(s), "runs in their last attempt", patience);
  up = false;
  await s.stop("SIGKILL");
  await Promise.all(clients);
  lastAttempts();
  clock += upTo(0, 4000);
});

await scenario("the last one", async () => {
  await open();
  const s = server, clients = underWay().map((j) => work(s, j));
  await Promise.race([Promise.all(clients), pause(patience)]);
  for (const j of underWay()) check(false, `${j.tag} ${j.kind}: never ends`, [j.status, j.runs]);
  for (const j of sessions) if (j.ended) await scenario(j.tag, () => verify(s, j));
  equal(await json(s, "GET", "/interrupts?status=waiting"), [], "nothing waits at the end");
  for (const [key, acknowledged] of stored) if (acknowledged) equal((await ask(s, "GET", `/store/items?namespace=kept&key=${key}`)).json?.value, { n: key }, `item ${key} is there`);
  up = false;
  await s.stop();
  const r = spawnSync("sqlite3", [path.join(dir, "cohort.db"), "PRAGMA integrity_check"], { encoding: "utf8" });
  if (!r.error) equal(r.stdout.trim(), "ok", "the file is whole");
});
const byKind = names.map((k) => `${k.slice(5)} ${sessions.filter((j) => j.kind === k && j.ended).length}`).join(", ");
console.log(`${kills} kills, seed ${seed}, ${shards} shards: ${sessions.length} sessions (${byKind}), ${sessions.flatMap((j) => j.answers).length} answers, ${sessions.flatMap((j) => j.injected).length} messages, ${[...stored.values()].filter(Boolean).length} items, ${unknowns} unknown outcomes, ${[...counts.values()].reduce((a, b) => a + b, 0)} calls of the world`);
world.close();
finish();
