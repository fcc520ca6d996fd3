// hitl-kill.mjs [ROUNDS] - kill -9 while people are asked: questions in a
// sequence, side by side, in a map of sub-agents, and approvals of tools.
//
// The model is a real HTTP server that counts each call by what is said to it.
// What was acknowledged - a question, an answer, an end - is there after each
// kill; a call that was recorded when a question came is not made again; each
// question is answered exactly once.  20 rounds, or as many as are asked for.
import { randomInt } from "node:crypto";
import http from "node:http";
import { call, check, equal, finish, freePort, scenario, scratch, startServer, until } from "../e2e/lib.mjs";
import { agentFolder } from "../e2e/core-lib.mjs";

const rounds = Number(process.argv[2] ?? 20);
const dir = scratch(), port = await freePort(), agents = agentFolder(["kill"]);

// ---- the model: counts calls, by the text of the user's message -------------

const counts = new Map();
const count = (text) => counts.get(text) ?? 0;
const model = http.createServer((req, res) => {
  let body = "";
  req.on("data", (d) => { body += d; });
  req.on("end", () => {
    const q = JSON.parse(body), user = q.messages.findLast((m) => m.role === "user").content, tool = q.messages.at(-1).role === "tool";
    const what = tool ? `${user} after` : user;
    counts.set(what, count(what) + 1);
    const store = user.startsWith("approve ") && !tool;
    const delta = store ? { role: "assistant", tool_calls: [{ index: 0, id: `call_${user.slice(8)}`, type: "function", function: { name: "store_put", arguments: JSON.stringify({ namespace: ["hitl"], key: user.slice(8), value: { ok: true } }) } }] }
      : { role: "assistant", content: `said ${what}` };
    const frame = (d, finish_reason) => `data: ${JSON.stringify({ id: `c-${counts.size}-${count(what)}`, object: "chat.completion.chunk", model: "m", choices: [{ index: 0, delta: d, finish_reason }] })}\n\n`;
    setTimeout(() => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.end(frame(delta, null) + frame({}, store ? "tool_calls" : "stop") + "data: [DONE]\n\n");
    }, randomInt(0, 15));
  });
});
await new Promise((r) => model.listen(0, "127.0.0.1", r));
const env = { OPENAI_BASE_URL: `http://127.0.0.1:${model.address().port}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:m" };

// ---- jobs: one thread each, from its first question to its end --------------

async function json(server, method, target, body) {
  const r = await call(server, method, target, body);
  if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
}
const config = { configurable: { interrupt_on: { store_put: true } } };
const items = ["x", "y", "z"];

// questions: how many in all; input; what the answer to an interrupt is;
// recorded: the calls that are surely recorded when these questions wait;
// end: what the values must be then.
const kinds = {
  kill_form: {
    questions: 2, input: (tag) => ({ tag }), name: (i) => i.value.q, answer: (j, n) => `${n} of ${j.tag}`,
    recorded: (j, open) => open.includes("a") ? [`${j.tag} first`] : open.includes("b") ? [`${j.tag} first`, `${j.tag} second`] : [],
    end(j, v) {
      equal([v.a, v.b], [`a of ${j.tag}`, `b of ${j.tag}`], `${j.tag}: both answers`);
      equal(v.calls, ["first", "second", "third"].map((n) => `said ${j.tag} ${n}`), `${j.tag}: each call's result once`);
    },
  },
  kill_pair: {
    questions: 2, input: (tag) => ({ tag }), name: (i) => i.value.q, answer: (j, n) => `${n} of ${j.tag}`,
    recorded: (j, open) => open.length > 0 ? [`${j.tag} work`] : [],
    end(j, v) {
      equal([v.a, v.b], [`a of ${j.tag}`, `b of ${j.tag}`], `${j.tag}: both answers`);
      equal(v.calls, ["work", "join"].map((n) => `said ${j.tag} ${n}`), `${j.tag}: each call's result once`);
    },
  },
  kill_map: {
    questions: 3, input: (tag) => ({ tag, items }), name: (i) => i.value.q, answer: (j, n) => `answer ${n}`,
    recorded: (j) => items.map((n) => `${j.tag} ${n}`),
    end(j, v) { equal(v.answers, items.map((n) => `answer ${j.tag} ${n}`), `${j.tag}: answers in order`); },
  },
  agent: {
    questions: 1, input: (tag) => ({ messages: [{ role: "user", content: `approve ${tag}` }] }), name: () => "review",
    answer: () => ({ decisions: [{ type: "approve" }] }), recorded: (j, open) => open.length > 0 ? [`approve ${j.tag}`] : [],
    async end(j, v, server) {
      equal(v.messages.map((m) => m.type), ["human", "ai", "tool", "ai"], `${j.tag}: one call, one result`);
      equal(v.messages[2].status, "success", `${j.tag}: the tool did it`);
      const item = await json(server, "GET", `/store/items?namespace=hitl&key=${j.tag}`);
      // a call under way when the server died was not recorded, and may be made again
      check(item && (item.created_at === item.updated_at || j.cut), `${j.tag}: written once`, item);
    },
  },
};

const open = async (server, j) => (await json(server, "GET", `/threads/${j.thread}/state`)).tasks.flatMap((t) => t.interrupts);

// What is noted is what the server acknowledged.
async function note(server, j) {
  const list = await open(server, j), kind = kinds[j.kind], names = list.map(kind.name);
  for (const i of list) {
    const n = kind.name(i);
    if (j.ids[n] !== undefined) equal(i.id, j.ids[n], `${j.tag}: ${n} keeps its id`);
    j.ids[n] = i.id;
    if (j.answered.includes(n)) check(false, `${j.tag}: ${n} was answered and asks again`);
  }
  j.open = names;
  for (const c of kind.recorded(j, names)) j.calls[c] ??= count(c);
  return list;
}

async function begin(server, j) {
  j.thread = (await json(server, "POST", "/threads", {})).thread_id;
  j.sent = true;
  await json(server, "POST", `/threads/${j.thread}/runs/wait`, { assistant_id: j.kind, input: kinds[j.kind].input(j.tag), config });
  return note(server, j);
}

async function answer(server, j, i) {
  const kind = kinds[j.kind], n = kind.name(i);
  j.trying = n;
  const r = await json(server, "POST", `/threads/${j.thread}/runs/wait`, { assistant_id: j.kind, command: { resume: { [i.id]: kind.answer(j, n) } }, config, strict_resume: true });
  if (r.__error__) throw new Error(`${j.tag}: answer to ${n}: ${JSON.stringify(r.__error__)}`);
  j.answered.push(n);
  j.open = j.open.filter((x) => x !== n);
  j.trying = undefined;
  const list = await note(server, j);
  if (list.length === 0) j.ended = true;
  return list;
}

let serial = 0;
async function work(server, kind, jobs) {
  for (;;) {
    const j = { kind, tag: `t${++serial}`, ids: {}, calls: {}, answered: [], open: [] };
    jobs.push(j);
    let list = await begin(server, j);
    // some are left waiting, for the next server
    while (list.length > 0 && randomInt(0, 4) > 0) list = await answer(server, j, list[randomInt(0, list.length)]);
  }
}

// ---- after a kill ----------------------------------------------------------

async function settle(server, j) {
  if (!j.thread) return;
  await until(async () => (await json(server, "GET", `/threads/${j.thread}/runs`)).every((r) => !["running", "pending"].includes(r.status)), `runs of ${j.tag}`, 30000);
  const runs = await json(server, "GET", `/threads/${j.thread}/runs`), kind = kinds[j.kind];
  check(runs.every((r) => ["success", "interrupted"].includes(r.status)), `${j.tag}: runs ended well`,
    [j.kind, j.trying, runs.map((r) => r.status), (await json(server, "GET", `/threads/${j.thread}/state`)).tasks, await call(server, "GET", `/threads/${j.thread}/runs/${runs[0]?.run_id}/join`).then((r) => r.text), server.log.split("\n").filter((l) => runs.some((r) => l.includes(r.run_id)))]);
  if (runs.length === 0) { // the run itself was not acknowledged
    check(Object.keys(j.ids).length === 0, `${j.tag}: an acknowledged run is there`);
    return;
  }
  const was = [...j.open];
  let list = await note(server, j);
  // what was acknowledged as waiting waits, unless an answer was under way
  for (const n of was) check(j.open.includes(n) || j.trying === n || j.answered.includes(n), `${j.tag}: ${n} waits on`, { was, now: j.open, trying: j.trying });
  j.cut = j.trying !== undefined;
  if (j.trying && !j.open.includes(j.trying) && j.ids[j.trying]) { j.answered.push(j.trying); j.trying = undefined; }
  for (let guard = 0; list.length > 0 && guard < 10; guard++) {
    const i = list[randomInt(0, list.length)];
    list = await answer(server, j, i);
    const again = await json(server, "POST", `/threads/${j.thread}/runs/wait`, { assistant_id: j.kind, command: { resume: { [i.id]: "again" } }, config, strict_resume: true });
    check(again.__error__ !== undefined, `${j.tag}: a question is answered once`, again);
    list = await note(server, j);
  }
  equal([...new Set(j.answered)].length, kind.questions, `${j.tag}: every question was asked`);
  const s = await json(server, "GET", `/threads/${j.thread}/state`);
  equal(s.next, [], `${j.tag}: at its end`);
  await kind.end(j, s.values, server);
  for (const [c, n] of Object.entries(j.calls)) equal(count(c), n, `${j.tag}: recorded call "${c}" was not made again`);
}

let jobs = [], settled = 0, waited = 0;
for (let round = 0; round < rounds; round++) await scenario(`round ${round}`, async () => {
  const server = await startServer({ dir, port, env, args: ["--agents", agents] });
  check(server.startMs < 2000, `round ${round}: started`, server.startMs);
  const listed = (await json(server, "GET", "/interrupts?status=waiting&limit=1000")).map((i) => i.thread_id);
  for (const j of jobs) if (j.thread && j.open.length > 0 && !j.trying && !listed.includes(j.thread)) check(false, `${j.tag}: in the list of what waits`);
  for (const j of jobs) { await scenario(j.tag, () => settle(server, j)); settled++; if (Object.keys(j.ids).length > 0) waited++; }
  jobs = [];
  let dying = false;
  const workers = Object.keys(kinds).flatMap((k) => [0, 1].map(() => work(server, k, jobs).catch((e) => { if (server.exit === null && !dying) check(false, `worker of ${k}`, e); })));
  const at = Date.now() + randomInt(30, 500);
  await until(() => Date.now() >= at, "the moment");
  dying = true;
  await server.stop("SIGKILL");
  await Promise.all(workers);
});
await scenario("the last one", async () => {
  const server = await startServer({ dir, port, env, args: ["--agents", agents] });
  for (const j of jobs) await scenario(j.tag, () => settle(server, j));
  equal(await json(server, "GET", "/interrupts?status=waiting"), [], "nothing waits at the end");
  await server.stop();
});
console.log(`${rounds} kills, ${settled} threads verified, ${waited} of them had asked`);
model.close();
finish();
