// server.mjs - the official JavaScript server and ours, one after the other: start, memory at rest, after a minute's
// load, and what is left after kill -9.  Times under the same load, in turns: tests/e2e/bench-peer.mjs.
//   cp tests/e2e/reference/* SOMEWHERE, npm install there
//   REFERENCE_DIR=SOMEWHERE COHORT=BINARY node tests/bench/peers/server.mjs
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, freePort, repo, scratch, startMock, until } from "../../e2e/lib.mjs";

const modules = path.join(process.env.REFERENCE_DIR, "node_modules");
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const median = (a) => a.sort((x, y) => x - y)[a.length >> 1];

const official = (port, dir) => {
  symlinkSync(modules, path.join(dir, "node_modules"));
  copyFileSync(path.join(repo, "tests/e2e/reference/mock-graph.mjs"), path.join(dir, "graph.mjs"));
  writeFileSync(path.join(dir, "server.mjs"), `import { startServer } from "@langchain/langgraph-api/server";
await startServer({ port: ${port}, nWorkers: 10, host: "127.0.0.1", cwd: process.cwd(), graphs: { agent: "./graph.mjs:agent" } });`);
  return [process.execPath, ["server.mjs"]];
};
const ours = (port) => [binary, ["serve", "--port", String(port), "--db", "c.db"]];
const modelOf = { official: { MOCK_URL: mock.url }, ours: { OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: "none", MODEL_NAME: "openai:mock" } };

// Of the process and all that it has started.
function resident(pid) {
  const own = Number(/^Rss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024;
  const children = readdirSync(`/proc/${pid}/task`).flatMap((t) => readFileSync(`/proc/${pid}/task/${t}/children`, "utf8").split(" ").filter(Boolean));
  return children.reduce((sum, c) => sum + resident(c), own);
}

async function start(command, name, dir, port) {
  const began = process.hrtime.bigint(), [file, args] = command;
  const child = spawn(file, args, { cwd: dir, stdio: "ignore", env: { ...process.env, ...modelOf[name] } });
  const url = `http://127.0.0.1:${port}`;
  await until(async () => { try { return (await fetch(`${url}/ok`)).ok; } catch { return false; } }, `${name} to answer`);
  return { child, url, ms: Number(process.hrtime.bigint() - began) / 1e6 };
}

async function kill(child) {
  child.kill("SIGKILL");
  await new Promise((r) => child.on("exit", r));
}

for (const [name, commandOf] of [["ours", ours], ["official", official]]) {
  const starts = [], dir = scratch(), port = await freePort(), command = commandOf(port, dir);
  for (let i = 0; i < 5; i++) {
    const one = path.join(dir, `start${i}`);
    mkdirSync(one);
    const s = await start(name === "ours" ? command : [command[0], [path.join(dir, "server.mjs")]], name, name === "ours" ? one : dir, port);
    starts.push(s.ms);
    await kill(s.child);
  }
  const s = await start(command, name, dir, port), idle = resident(s.child.pid);
  spawnSync(binary, ["bench", "flow", "--url", s.url, "--mock-url", mock.url, "--vus", "5", "--duration", "60s"], { stdio: "ignore" });
  const after = resident(s.child.pid);
  const json = async (method, at, body) => (await fetch(`${s.url}${at}`, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).json();
  const thread = (await json("POST", "/threads", {})).thread_id;
  await json("POST", `/threads/${thread}/runs/wait`, { assistant_id: "agent", input: { messages: [{ role: "user", content: "hello" }] } });
  await kill(s.child);
  const again = await start(command, name, dir, port), state = await fetch(`${again.url}/threads/${thread}/state`);
  const kept = state.ok ? (await state.json()).values.messages?.length ?? 0 : 0;
  await kill(again.child);
  console.log(`${name}: start ${median(starts).toFixed(0)} ms; at rest ${idle.toFixed(0)} MB, after a minute of 5 users ${after.toFixed(0)} MB; after kill -9 ${kept} of 2 messages`);
}
await mock.stop();
