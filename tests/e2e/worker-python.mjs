// worker-python.mjs - the Python client.  Its own tests first (standard library only;
// LangGraph for Python is stood in for, see clients/python/tests/stand_in/README.md), then
// its workers beside the real server.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, freePort, parseEvents, repo, scenario, scratch, startServer, until } from "./lib.mjs";
import { workspace } from "./work-lib.mjs";
import { agentFiles, chat } from "./worker-lib.mjs";

const client = path.join(repo, "clients", "python");
const base = { PATH: process.env.PATH, HOME: process.env.HOME, PYTHONDONTWRITEBYTECODE: "1" };
const workers = new Set();
process.on("exit", () => { for (const w of workers) w.child.kill("SIGKILL"); });

// A command to its end: {code, out}.
function python(args, { cwd = client, env = {}, input } = {}) {
  return new Promise((resolve) => {
    const child = spawn("python3", args, { cwd, env: { ...base, ...env }, stdio: ["pipe", "pipe", "pipe"], timeout: 240000 });
    let out = "";
    for (const s of [child.stdout, child.stderr]) s.on("data", (d) => { out += d; });
    child.on("close", (code, signal) => resolve({ code: code ?? signal, out }));
    child.stdin.end(input);
  });
}

// A worker of tests/hosted/FILE.  `ran()` is what its functions wrote down.
const log = path.join(scratch(), "ran");
writeFileSync(log, "");
const ran = () => readFileSync(log, "utf8").split("\n").slice(0, -1);
async function startWorker(server, file, { env = {}, args = [path.join(client, "tests", "hosted", file)], wait = true } = {}) {
  const child = spawn("python3", args, {
    stdio: ["ignore", "pipe", "pipe"], cwd: scratch(),
    env: { ...base, PYTHONPATH: client, COHORT_URL: server.url, LOG: log, ...env },
  });
  const w = { child, log: "", exit: null };
  for (const s of [child.stdout, child.stderr]) s.on("data", (d) => { w.log += d; });
  w.exited = new Promise((resolve) => child.on("close", (code, signal) => { workers.delete(w); resolve(w.exit = { code, signal }); }));
  w.stop = (signal = "SIGTERM") => { child.kill(signal); return w.exited; };
  workers.add(w);
  if (wait) await until(() => {
    if (w.exit) throw new Error(`the worker ended: ${JSON.stringify(w.exit)}\n${w.log}`);
    return w.log.includes("registered at");
  }, "the worker to register");
  return w;
}

const live = async (server) => (await call(server, "GET", "/workers")).json.filter((w) => w.status === "live");
const thread = async (server) => (await call(server, "POST", "/threads", {})).json.thread_id;
const wait = (server, t, assistant_id, body = {}) => call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id, ...body });

await scenario("the client's own tests", async () => {
  const r = await python(["-W", "ignore", "-m", "unittest", "discover", "-s", "tests", "-t", "."]);
  check(r.code === 0 && Number(/Ran (\d+) tests/.exec(r.out)?.[1]) > 130, "all pass", r.out);
});

await scenario("the checkpointer's tests at the server's store", async () => {
  const server = await startServer({ args: ["--test-hooks"] });
  const r = await python(["-W", "ignore", "-m", "unittest", "tests.test_saver"], { env: { COHORT_TEST_URL: server.url } });
  check(r.code === 0 && /OK \(skipped=4\)/.test(r.out) && Number(/Ran (\d+) tests/.exec(r.out)?.[1]) >= 43, "all pass", r.out);
  await server.stop();
});

await scenario("registered, drained, registered again", async () => {
  const server = await startServer();
  const w = await startWorker(server, "functions.py");
  const [told] = await live(server);
  equal([told.lang, told.slots, told.graphs, told.tools], ["python", { run: 8, node: 32 }, ["helper", "patient", "broken"], ["charge", "look"]], "what it serves");
  equal((await call(server, "POST", `/workers/${told.worker_id}/drain`, {})).status, 200, "drain");
  equal(await w.exited, { code: 0, signal: null }, "it exits with 0");
  equal((await live(server)).length, 0, "and is gone");
  const s = await startWorker(server, "functions.py");
  const began = performance.now();
  equal(await s.stop(), { code: 0, signal: null }, "SIGTERM");
  check(performance.now() - began < 20000, "of an idle worker is at once", performance.now() - began);
  // A server that was killed knows no worker; they register again.
  const again = await startWorker(server, "functions.py");
  await server.stop("SIGKILL");
  const next = await startServer({ dir: server.dir, port: server.port });
  await until(async () => (await live(next)).length === 1, "the worker to register again");
  await again.stop("SIGKILL");
  await next.stop();
});

await scenario("a key of its own, and the installed package", async () => {
  const dir = scratch(), keys = path.join(dir, "keys"), venv = path.join(dir, "venv");
  const key = (sub, limits) => {
    const r = spawnSync(binary, ["token", "--api-key", "--sub", sub, ...(limits ? ["--limits", limits] : [])], { encoding: "utf8", env: base });
    const [secret, line] = [/ck_\S+/.exec(r.stdout + r.stderr)[0], r.stdout.split("\n").find((l) => !l.includes("ck_") && l.trim() !== "")];
    writeFileSync(keys, `${line}\n`, { flag: "a" });
    return secret;
  };
  const worker = key("shop", "scopes=worker graphs=asking,steps,forever,bad"), other = key("other", "scopes=worker graphs=nothing"), user = key("ann");
  const operator = key("op", "scopes=admin");
  const server = await startServer({ args: ["--api-keys", keys] });
  // Where there is no pip, what it would call.
  const pip = (await python(["-m", "pip", "--version"])).code === 0
    ? await python(["-m", "pip", "install", "-q", "--no-index", "--disable-pip-version-check", "--prefix", venv, client])
    : await python(["-c", `import build_package, zipfile; zipfile.ZipFile(${JSON.stringify(dir)} + "/" + build_package.build_wheel(${JSON.stringify(dir)})).extractall(${JSON.stringify(venv)})`]);
  check(pip.code === 0, "it installs without a network", pip.out);
  for (const [what, secret, words] of [["no key", "", "401"], ["a user's key", user, "403"], ["a key of other graphs", other, "403"]]) {
    const w = await startWorker(server, "graphs.py", { env: secret ? { COHORT_KEY: secret } : {}, wait: false });
    const end = await w.exited;
    check(end.code === 1 && w.log.includes(words) && !w.log.includes("Traceback"), `${what} is refused in a line`, [end, w.log]);
  }
  const w = await startWorker(server, "graphs.py", { env: { COHORT_KEY: worker } });
  check(!w.log.includes(worker), "a key is not logged");
  const ann = { "x-api-key": user };
  const t = (await call(server, "POST", "/threads", {}, ann)).json.thread_id;
  const run = await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "asking", input: { log: ["in"] } }, ann);
  equal(run.json.log, ["in", "plan"], "a user's run");
  equal([(await call(server, "GET", `/threads/${t}`, undefined, { "x-api-key": worker })).status, (await call(server, "GET", "/workers", undefined, ann)).status,
    (await call(server, "GET", "/workers", undefined, { "x-api-key": operator })).status], [403, 403, 200], "each key opens its own routes");
  await w.stop();
  await server.stop();
});

await scenario("a project", async () => {
  const dir = scratch();
  writeFileSync(path.join(dir, "worker.py"), "from cohort_worker import node\n@node\ndef n(state):\n    return {}\n");
  const r = await python(["-m", "cohort_worker", "worker.py", "--check"], { cwd: dir, env: { PYTHONPATH: client } });
  equal([r.code, JSON.parse(r.out).nodes], [0, ["n"]], "--check");
  const absent = await python(["-m", "cohort_worker"], { cwd: dir, env: { PYTHONPATH: client } });
  equal([absent.code, absent.out], [1, "cohort_worker: langgraph.json: No such file or directory\n"], "no langgraph.json");
});

await scenario("the tracker", async () => {
  const ws = workspace({ mode: "auto" });
  const r = await python(["-"], {
    cwd: ws.dir, env: { PYTHONPATH: client, COHORT: binary }, input: `
import json, threading
from cohort_worker.work import WorkError, WorkTimeout, connect
out = {}
with connect(actor="ann") as work:
    api = work.call("create", title="API")
    out["batch"] = [r["success"] for r in work.batch([("create", {"title": "Client", "dependencies": [api["id"]]}),
                                                      ("create", {"title": "Docs", "dependencies": [{"$ref": 0}]})])]
    out["ready"] = [i["title"] for i in work.call("ready", limit=5)]
    out["actor"] = work.call("show", id=api["id"])
    try:
        work.batch([("create", {"title": "x"}), ("close", {"id": "p-none"})])
    except WorkError as e:
        out["rolled back"] = e.code
    out["count"] = len(work.call("list"))
    a, b = (work.call("create", title="once", once="k")["id"] for _ in range(2))
    out["once"] = a == b
    work.set_timeout(5)
    try:
        work.call("no_such_operation")
    except WorkError as e:
        out["unknown"] = bool(str(e))
    def many(n):
        with connect(actor=f"a{n}") as w:
            for i in range(50):
                w.call("create", title=f"{n}-{i}")
    threads = [threading.Thread(target=many, args=(n,)) for n in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]
    out["many"] = len({i["id"] for i in work.call("list", limit=1000)})
print(json.dumps(out))` });
  const out = r.code === 0 ? JSON.parse(r.out) : {};
  check(r.code === 0, "a program", r.out);
  equal([out.batch, out.ready, out["rolled back"] !== "", out.count, out.once, out.unknown, out.many],
    [[true, true], ["API"], true, 3, true, true, 404], "call, batch, once, errors, 8 connections");
  ws.stop();
});

// Nodes and tools of agent files, and agents without a framework.
const files = {
  flow: `
id: flow
state: {id: {}, customer: {}}
nodes: {look: {worker: enrich}}
edges: [[START, look], [look, END]]
`,
  kept: `
id: kept
state: {id: {}, customer: {}}
nodes: {look: {worker: remember}}
edges: [[START, look], [look, END]]
`,
  twice: `
id: twice
state: {customer: {}}
nodes: {look: {worker: again}}
edges: [[START, look], [look, END]]
`,
  careful: `
id: careful
context: {customer: null, why: null}
initial: look
states:
  look:
    worker: careful
    on:
      done: {target: out, assign: {customer: event.data.customer}}
      error.*: {target: out, assign: {why: event.name}}
  out: {type: final}
`,
  shop: `
id: shop
context: {paid: null, seen: null, why: null}
tools: {charge: {worker: true}, look: {worker: true}}
initial: look
states:
  look:
    tool: {name: look, args: {place: "'here'"}}
    on:
      done: {target: pay, assign: {seen: event.data.content}}
      error.*: {target: out, assign: {why: event.name}}
  pay:
    tool: {name: charge, args: {cents: 5}}
    on:
      done: {target: out, assign: {paid: event.data.content}}
      error.*: {target: out, assign: {why: event.name}}
  out: {type: final}
`,
  chat,
};

await scenario("nodes, tools and agents", async () => {
  const server = await startServer({ args: ["--agents", agentFiles(files), "--workers-lease", "1000"] });
  let w = await startWorker(server, "functions.py");
  const values = async (t) => (await call(server, "GET", `/threads/${t}/state`)).json.values;
  const ended = (t, r) => call(server, "GET", `/threads/${t}/runs/${r}/join`);
  const begin = async (t, assistant_id, body = {}) => (await call(server, "POST", `/threads/${t}/runs`, { assistant_id, input: {}, ...body })).json.run_id;

  const t = await thread(server);
  const s = await call(server, "POST", `/threads/${t}/runs/stream`, { assistant_id: "flow", input: { id: 7 }, stream_mode: ["custom", "values"] });
  const events = parseEvents(s.text);
  equal(events.filter((e) => e.event === "custom").map((e) => e.json), [{ pct: 50 }], "a node says what it does");
  equal((await values(t)).customer, "c-7", "and writes");
  const k = await thread(server);
  await wait(server, k, "kept", { input: { id: 8 } });
  equal((await values(k)).customer, [{ id: 8 }, 1], "the store of the run's owner");
  equal((await call(server, "GET", "/store/items?namespace=seen&key=last")).json?.value, { id: 8 }, "is the clients' too");
  const shop = await thread(server);
  await wait(server, shop, "shop", { input: {} });
  equal([(await values(shop)).seen, (await values(shop)).paid], ["looked at here", "charged 5"], "tools of a chart");
  const chat = await wait(server, await thread(server), "chat", { input: { messages: "pay" } });
  equal(chat.json.messages?.map((m) => m.content), ["pay", "", "charged 7", "It is charged 7"], "a tool of a model");

  const h = await thread(server);
  const stream = parseEvents((await call(server, "POST", `/threads/${h}/runs/stream`, { assistant_id: "helper", input: { messages: "bees" }, stream_mode: ["messages-tuple", "values"] })).text);
  equal(stream.filter((e) => e.event === "messages").map((e) => e.json[0].content).filter((c) => c), ["You said ", "bees"], "an agent's tokens");
  equal(stream.filter((e) => e.event === "values").at(-1).json.messages.map((m) => [m.type, m.content]), [["human", "bees"], ["ai", "You said bees"]], "and answer");
  equal((await wait(server, h, "helper", { input: { messages: "wax" } })).json.messages.length, 4, "its thread goes on");
  equal((await wait(server, await thread(server), "broken", { input: { messages: "x" } })).json.__error__?.error, "LookupError", "one that fails");
  writeFileSync(log, "");
  const p = await thread(server), r = await begin(p, "patient", { input: { messages: "x" } });
  await until(() => ran().includes("patient begun"), "it to begin");
  equal((await call(server, "POST", `/threads/${p}/runs/${r}/cancel?wait=true`)).status, 204, "cancel");
  await until(() => ran().includes("patient stopped"), "it to be stopped");

  // Killed between call and answer: nobody knows whether it was done.
  const stuck = async () => { await w.stop("SIGKILL"); w = await startWorker(server, "functions.py", { env: { STUCK: "1" } }); writeFileSync(log, ""); };
  const freed = async () => { await w.stop("SIGKILL"); w = await startWorker(server, "functions.py"); };
  await stuck();
  const c = await thread(server), cr = await begin(c, "careful");
  await until(() => ran().length === 1, "a node to be called");
  await freed();
  await ended(c, cr);
  equal([(await values(c)).why, ran().length], ["error.tool.unknown_outcome", 1], "a node that may not run twice does not");
  await stuck();
  const a = await thread(server), ar = await begin(a, "twice");
  await until(() => ran().length === 1, "a node to be called");
  await freed();
  await ended(a, ar);
  const calls = ran().map((l) => l.split(" "));
  equal([(await values(a)).customer, calls.map((l) => l[1])], ["again", ["1", "2"]], "one that may is called again");
  equal(calls[0][2], calls[1][2], "with the same key");
  await stuck();
  const o = await thread(server), or = await begin(o, "shop");
  await until(() => ran().length === 1, "the first tool to be called");
  await w.stop("SIGKILL");
  w = await startWorker(server, "functions.py", { env: { STUCK: "1" } });
  await until(() => ran().length === 2, "it to be called again");
  await freed();
  await ended(o, or);
  equal((await values(o)).seen, "looked at here", "a tool that may run twice");
  equal((await values(o)).paid, "charged 5", "and the next");
  await stuck();
  const n = await thread(server), nr = await begin(n, "chat", { input: { messages: "pay" } });
  await until(() => ran().length === 1, "a tool to be called by a model");
  await freed();
  await ended(n, nr);
  check(ran().length === 1, "is not called twice", ran());
  await server.stop();
});

await scenario("cohort dev", async () => {
  const dir = scratch(), port = await freePort();
  mkdirSync(path.join(dir, "src"));
  const agent = (word) => writeFileSync(path.join(dir, "src", "agent.py"), `import sys\nsys.path.insert(0, ${JSON.stringify(path.join(client, "tests", "stand_in"))})\nfrom langgraph import stand_in\nasync def hello(state):\n    return {"log": ["${word}"]}\ngraph = stand_in.Graph({"hello": hello})\n`);
  agent("one");
  writeFileSync(path.join(dir, "langgraph.json"), JSON.stringify({ dependencies: ["."], graphs: { greet: "./src/agent.py:graph" } }));
  const child = spawn(binary, ["dev", "langgraph.json", "--port", String(port)], { cwd: dir, env: base, stdio: ["ignore", "pipe", "pipe"] });
  const dev = { child, url: `http://127.0.0.1:${port}`, log: "" };
  workers.add(dev);
  for (const s of [child.stdout, child.stderr]) s.on("data", (d) => { dev.log += d; });
  const gone = new Promise((resolve) => child.on("close", resolve));
  const said = () => (dev.log.match(/registered at/g) ?? []).length;
  await until(() => said() === 1, "the worker to register");
  equal((await call(dev, "POST", "/runs/wait", { assistant_id: "greet", input: { log: [] } })).json, { log: ["one"] }, "a run");
  agent("two");
  await until(() => said() === 2, "the worker of the changed file");
  equal((await call(dev, "POST", "/runs/wait", { assistant_id: "greet", input: { log: [] } })).json, { log: ["two"] }, "the next run is the new code's");
  child.kill("SIGTERM");
  await gone;
  workers.delete(dev);
});

// The stand-in of LangGraph, with the client's checkpointer and the real server.
await scenario("a graph asks, and goes on", async () => {
  const server = await startServer();
  await startWorker(server, "graphs.py");
  const t = await thread(server);
  const s = await call(server, "POST", `/threads/${t}/runs/stream`, {
    assistant_id: "asking", input: { log: ["in"] }, stream_mode: ["values", "updates", "messages-tuple", "custom", "tasks"] });
  const events = parseEvents(s.text);
  equal(events.filter((e) => e.event === "messages").map((e) => e.json[0].content), ["Hel", "lo"], "tokens");
  equal(events.filter((e) => e.event === "custom").map((e) => e.json), [{ planning: 1 }], "custom");
  equal(events.filter((e) => e.event === "values").map((e) => e.json.log ?? Object.keys(e.json)), [["in", "plan"], ["__interrupt__"]], "values");
  const state = (await call(server, "GET", `/threads/${t}/state`)).json;
  equal([state.values.log, state.next, state.interrupts[0]?.value, state.tasks[0]?.name], [["in", "plan"], ["ask"], { question: "ok?" }, "ask"], "its state");
  equal([state.values.messages[0].type, state.values.messages[0].content], ["ai", "Hello"], "a message as a flat object");
  const end = await wait(server, t, "asking", { command: { resume: "yes" } });
  equal(end.json.log, ["in", "plan", "asked yes", "work"], "the answer");
  const item = await call(server, "GET", "/store/items?namespace=notes&key=n");
  equal(item.json?.value, { log: ["in", "plan", "asked yes"] }, "the store is the server's");
  const history = (await call(server, "POST", `/threads/${t}/history`, { limit: 10 })).json;
  equal(history.map((h) => h.values.log.length), [4, 3, 2, 1], "its history");
  equal(ran().filter((l) => l === "plan").length, 1, "each node ran once");
  // A fork, and an update of its state, by the graph's own reducers.
  const at = history[2].checkpoint;
  const up = await call(server, "POST", `/threads/${t}/state`, { values: { log: ["forked"] }, as_node: "ask", checkpoint: at });
  equal(up.status, 200, "update_state");
  const fork = (await call(server, "GET", `/threads/${t}/state`)).json;
  equal([fork.values.log, fork.next], [["in", "plan", "forked"], ["work"]], "the state of the fork");
  equal((await wait(server, t, "asking", { input: null })).json.log, ["in", "plan", "forked", "work"], "goes on from there");
  const schemas = await call(server, "GET", `/assistants/asking/schemas`);
  equal(schemas.json?.state_schema?.properties, { log: {}, messages: {} }, "schemas");
  const drawing = await call(server, "GET", `/assistants/asking/graph`);
  equal(drawing.json?.nodes.map((n) => n.id), ["__start__", "plan", "ask", "work", "__end__"], "a drawing");
  const bad = await wait(server, await thread(server), "bad", { input: {} });
  equal(bad.json.__error__, { error: "LookupError", message: "nothing there" }, "an error of its own");
  // Without the worker all of that is there, and what needs it says so.
  for (const w of workers) await w.stop();
  equal((await call(server, "GET", `/threads/${t}/state`)).json.values.log.at(-1), "work", "the state, without a worker");
  equal((await call(server, "POST", `/threads/${t}/state`, { values: { log: ["x"] } })).status, 503, "update_state without a worker");
  await server.stop();
});

await scenario("killed in mid-step", async () => {
  const server = await startServer({ args: ["--workers-lease", "1000"] });
  writeFileSync(log, "");
  const first = await startWorker(server, "graphs.py", { env: { STEP_S: "0.15" } });
  const t = await thread(server);
  const { run_id } = (await call(server, "POST", `/threads/${t}/runs`, { assistant_id: "steps", input: { log: [] }, durability: "sync" })).json;
  for (const at of ["s1", "s3", "s5"]) {
    await until(() => ran().includes(`${at} begins`), `${at} to begin`);
    for (const w of workers) await w.stop("SIGKILL");
    await startWorker(server, "graphs.py", { env: { STEP_S: "0.15" } });
  }
  const end = await call(server, "GET", `/threads/${t}/runs/${run_id}/join`);
  equal(end.json.log, ["s0", "s1", "s2", "s3", "s4", "s5"], "nothing lost, nothing twice in the values");
  const times = (n) => ran().filter((l) => l === `${n} ends`).length;
  equal(["s0", "s2", "s4"].map(times), [1, 1, 1], "a node whose writes were acknowledged runs once");
  check(["s1", "s3", "s5"].every((n) => times(n) === 1), "and one that was killed is run again", ran());
  equal(first.exit.signal, "SIGKILL", "the first is dead");
  // A worker that was stopped for longer than its lease.
  const [w] = workers;
  const u = await thread(server);
  const r = (await call(server, "POST", `/threads/${u}/runs`, { assistant_id: "forever", input: { log: [] } })).json.run_id;
  await until(() => ran().includes("forever begins"), "it to run");
  w.child.kill("SIGSTOP");
  await until(async () => (await call(server, "GET", `/threads/${u}/runs/${r}`)).json.status === "pending", "the run to be pending");
  w.child.kill("SIGCONT");
  await until(() => ran().includes("forever stops"), "the paused worker to drop it");
  // Cancelled while a worker that is dead had it: the thread is free at once.
  await w.stop("SIGKILL");
  const began = performance.now();
  equal((await call(server, "POST", `/threads/${u}/runs/${r}/cancel?wait=true`)).status, 204, "cancel of a run whose worker died");
  check(performance.now() - began < 20000, "does not wait for it", performance.now() - began);
  check(["idle", "interrupted"].includes((await call(server, "GET", `/threads/${u}`)).json.status), "and frees the thread");
  await server.stop();
});

await scenario("the server is killed, and both", async () => {
  const args = ["--workers-lease", "1000"];
  let server = await startServer({ args });
  writeFileSync(log, "");
  await startWorker(server, "graphs.py", { env: { STEP_S: "0.15" } });
  const t = await thread(server);
  const { run_id } = (await call(server, "POST", `/threads/${t}/runs`, { assistant_id: "steps", input: { log: [] } })).json;
  const restart = async () => { await server.stop("SIGKILL"); server = await startServer({ args, dir: server.dir, port: server.port }); };
  await until(() => ran().includes("s1 begins"), "s1 to begin");
  await restart();
  await until(() => ran().includes("s3 begins"), "s3 to begin");
  for (const w of workers) await w.stop("SIGKILL");
  await restart();
  await startWorker(server, "graphs.py", { env: { STEP_S: "0.15" } });
  const end = await call(server, "GET", `/threads/${t}/runs/${run_id}/join`);
  equal(end.json.log, ["s0", "s1", "s2", "s3", "s4", "s5"], "nothing lost, nothing twice in the values");
  equal((await call(server, "GET", `/threads/${t}/runs/${run_id}`)).json.status, "success", "the run ends");
  equal((await call(server, "GET", `/threads/${t}`)).json.status, "idle", "no thread is busy for ever");
  equal((await wait(server, await thread(server), "steps", { input: { log: [] } })).json.log?.length, 6, "the next run is taken");
  await server.stop();
});

await scenario("cancelled, drained", async () => {
  const server = await startServer({ args: ["--workers-lease", "2000"] });
  writeFileSync(log, "");
  const w = await startWorker(server, "graphs.py", { env: { STEP_S: "0.3" } });
  const t = await thread(server);
  const r = (await call(server, "POST", `/threads/${t}/runs`, { assistant_id: "forever", input: { log: [] } })).json.run_id;
  await until(() => ran().includes("forever begins"), "it to run");
  equal((await call(server, "POST", `/threads/${t}/runs/${r}/cancel?wait=true`)).status, 204, "cancel");
  // wait=true waits until the graph has stopped, not until somebody has been told.
  check(ran().includes("forever stops"), "the node was stopped before that was answered", ran());
  const u = await thread(server);
  const s = (await call(server, "POST", `/threads/${u}/runs`, { assistant_id: "steps", input: { log: [] } })).json.run_id;
  await until(() => ran().includes("s1 begins"), "steps to run");
  w.child.kill("SIGTERM");
  // Its poll that offers nothing must be at the server: until then a run may still be given to it.
  await until(async () => /^cohort_worker_free_runs 0$/m.test((await call(server, "GET", "/metrics")).text), "the drain");
  const late = (await call(server, "POST", "/runs", { assistant_id: "bad", input: {} })).json.run_id;
  const end = await call(server, "GET", `/threads/${u}/runs/${s}/join`);
  equal(end.json.log.length, 6, "what was under way ends");
  equal(await w.exited, { code: 0, signal: null }, "then the worker does");
  check(!w.log.includes("nothing there"), "and took nothing more", w.log);
  check(late !== undefined, "which waits for another", late);
  await server.stop();
});

finish();
