// worker-python.mjs - the Python client.  Its own tests first (standard library only;
// LangGraph for Python is stood in for, see clients/python/tests/stand_in/README.md), then
// its workers beside the real server.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, parseEvents, repo, scenario, scratch, startMock, startServer, until } from "./lib.mjs";
import { workspace } from "./work-lib.mjs";

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

await scenario("registered, drained, registered again", async () => {
  const mock = await startMock();
  const server = await startServer({ mock });
  const w = await startWorker(server, "functions.py");
  const [told] = await live(server);
  equal([told.lang, told.slots, told.graphs, told.tools], ["python", { run: 8, node: 32 }, ["helper", "patient", "broken"], ["charge", "look"]], "what it serves");
  equal((await call(server, "POST", `/workers/${told.worker_id}/drain`, {})).status, 200, "drain");
  equal(await w.exited, { code: 0, signal: null }, "it leaves by itself");
  equal((await live(server)).length, 0, "and is gone");
  const s = await startWorker(server, "functions.py");
  const began = performance.now();
  equal(await s.stop(), { code: 0, signal: null }, "SIGTERM");
  check(performance.now() - began < 3000, "of an idle worker is at once", performance.now() - began);
  // A server that was killed knows nobody; its workers come back.
  const again = await startWorker(server, "functions.py");
  await server.stop("SIGKILL");
  const next = await startServer({ mock, dir: server.dir, port: server.port });
  await until(async () => (await live(next)).length === 1, "the worker to register again");
  await again.stop("SIGKILL");
  await next.stop();
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

finish();
