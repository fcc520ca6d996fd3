// dev.mjs - `cohort dev` on a project laid out as create-langgraph makes it: TypeScript, through
// the project's tsx.  An edit is in the next run; a mistake is shown, and mended by the next
// edit; what runs while a file changes ends in the old worker; the end leaves nothing behind.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { binary, call, check, equal, finish, freePort, scenario, scratch, startServer, until } from "./lib.mjs";

const modules = path.join(path.dirname(fileURLToPath(import.meta.url)), "node_modules");
const dir = path.join(scratch(), "my-agent"), graphFile = path.join(dir, "src/agent/graph.ts");

const graph = (words, ms = 0) => `import { StateGraph } from "@langchain/langgraph";
import { StateAnnotation } from "./state.js";

const callModel = async (state: typeof StateAnnotation.State): Promise<typeof StateAnnotation.Update> => {
  ${ms ? `await new Promise((r) => setTimeout(r, ${ms}));` : ""}
  const n: number = state.messages.length;
  return { messages: [{ role: "assistant", content: ${JSON.stringify(words)} + " " + n }] };
};

export const graph = new StateGraph(StateAnnotation)
  .addNode("callModel", callModel)
  .addEdge("__start__", "callModel")
  .addEdge("callModel", "__end__")
  .compile();
graph.name = "New Agent";
`;

// The files of create-langgraph 1.1.5's "New LangGraph Project" in JavaScript, in words of our own.
function project(folder) {
  const files = {
    "langgraph.json": JSON.stringify({ node_version: "20", graphs: { agent: "./src/agent/graph.ts:graph" }, env: ".env", dependencies: ["."] }),
    "package.json": JSON.stringify({ name: "my-agent", private: true, type: "module", dependencies: { "@langchain/langgraph": "1.7.3" }, devDependencies: { tsx: "4", typescript: "5" } }),
    "tsconfig.json": JSON.stringify({ compilerOptions: { target: "ES2021", module: "NodeNext", moduleResolution: "NodeNext", strict: true }, include: ["src"] }),
    ".env": "GREETING=hello\n",
    "src/agent/state.ts": `import { Annotation, messagesStateReducer } from "@langchain/langgraph";
import type { BaseMessage, BaseMessageLike } from "@langchain/core/messages";
export const StateAnnotation = Annotation.Root({
  messages: Annotation<BaseMessage[], BaseMessageLike[]>({ reducer: messagesStateReducer, default: () => [] }),
});
`,
    "src/agent/graph.ts": graph("one"),
    "tests/agent.test.ts": "// nothing is run from here\n",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  symlinkSync(modules, path.join(folder, "node_modules"));
}

const live = new Set();
process.on("exit", () => { for (const d of live) d.child.kill("SIGKILL"); });
async function dev(folder, args = []) {
  const port = await freePort();
  const child = spawn(binary, ["dev", "--no-browser", "--port", String(port), ...args], { cwd: folder, env: { PATH: process.env.PATH, HOME: process.env.HOME }, stdio: ["ignore", "pipe", "pipe"] });
  const d = { child, port, url: `http://127.0.0.1:${port}`, log: "", exit: null };
  live.add(d);
  for (const out of [child.stdout, child.stderr]) out.on("data", (x) => { d.log += x; });
  d.exited = new Promise((r) => child.on("close", (code) => { live.delete(d); r(d.exit = code); }));
  d.says = (words, ms = 20000) => until(() => {
    if (d.log.includes(words)) return true;
    if (d.exit !== null) throw new Error(`it ended with ${d.exit}\n${d.log}`);
    return false;
  }, `"${words}" in\n${d.log}`, ms);
  return d;
}

project(dir);
const d = await dev(dir);
const builds = async () => (await call(d, "GET", "/workers")).json.filter((w) => w.status === "live").map((w) => w.build);
// The one live worker, of another build than before.
const renewed = async (before) => until(async () => { const b = await builds(); return b.length === 1 && b[0] !== before && b[0]; }, `a worker of a new build in\n${d.log}`);
const ask = async (thread) => {
  thread ??= (await call(d, "POST", "/threads", {})).json.thread_id;
  const r = await call(d, "POST", `/threads/${thread}/runs/wait`, { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } });
  return r.json.messages?.at(-1)?.content ?? r.text;
};

// Processes that know the server's address: its workers, and what they have started.
const workersOf = (d) => readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && (() => {
  try { return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`COHORT_URL=${d.url}`); } catch { return false; }
})());

let build;
await scenario("it serves the project's graph", async () => {
  await d.says("[js]");
  build = await renewed();
  equal(await ask(), "one 1", "TypeScript runs, in place of the built-in agent of that name");
  for (const words of [`${d.url}/docs`, `${d.url}/ui`, "auth         off", path.join(dir, ".cohort/cohort.db")]) check(d.log.includes(words), `it says ${words}`, d.log);
  equal((await fetch(`${d.url}/ui`)).status, 200, "the console is there");
  equal(readFileSync(path.join(dir, ".cohort/.gitignore"), "utf8"), "*\n", "git does not take its data");
});

await scenario("an edit is in the next run", async () => {
  const thread = (await call(d, "POST", "/threads", {})).json.thread_id;
  equal(await ask(thread), "one 1", "before");
  writeFileSync(graphFile, graph("two"));
  build = await renewed(build);
  equal(await ask(thread), "two 3", "after it, on the same thread");
  check(d.log.includes("src/agent/graph.ts has changed"), "it says which file", d.log);
});

await scenario("a file in a new folder counts", async () => {
  mkdirSync(path.join(dir, "src/lib"));
  writeFileSync(path.join(dir, "src/lib/words.ts"), "export const words: string = \"three\";\n");
  await d.says("src/lib/words.ts has changed");
  writeFileSync(graphFile, graph("X").replace("\"X\"", "words").replace("import { StateA", "import { words } from \"../lib/words.js\";\nimport { StateA"));
  build = await renewed(build);
  equal(await ask(), "three 1", "it is used");
});

await scenario("a mistake is shown, and mended by the next edit", async () => {
  writeFileSync(graphFile, "export const graph = ;\n");
  await d.says("a worker has ended: it exited with 1; it is started again when a file changes");
  check(/\[js\].*graph\.ts/.test(d.log), "where it is", d.log);
  writeFileSync(graphFile, graph("four"));
  build = await renewed();
  equal(await ask(), "four 1", "mended");
});

await scenario("what runs ends in the old worker", async () => {
  writeFileSync(graphFile, graph("slow", 1500));
  build = await renewed(build);
  const old = ask();
  await until(async () => (await call(d, "GET", "/workers")).json.some((w) => w.tasks > 0), "the run to be taken");
  writeFileSync(graphFile, graph("five"));
  equal(await old, "slow 1", "the old one ends it");
  build = await renewed(build);
  equal(await ask(), "five 1", "then the new code");
});

await scenario("what is installed or written beside does not count", async () => {
  const n = d.log.split("has changed").length;
  writeFileSync(path.join(dir, "notes.txt"), "x");
  mkdirSync(path.join(dir, "dist"));
  writeFileSync(path.join(dir, "dist/graph.js"), "x");
  writeFileSync(graphFile, graph("six"));
  build = await renewed(build);
  equal(d.log.split("has changed").length, n + 1, "one change");
});

await scenario("Ctrl-C ends all of it", async () => {
  const live = workersOf(d).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("cohort-worker.mjs"));
  equal(live.length, 1, "one worker lives, whatever was edited");
  d.child.kill("SIGINT");
  equal(await d.exited, 0, "its end");
  check(!/killed|leak|ERROR: Address/.test(d.log), "in order", d.log);
  equal(workersOf(d), [], "no worker is left");
});

await scenario("a worker does not outlive a server that was killed", async () => {
  const k = await dev(dir);
  await until(async () => (await call(k, "GET", "/workers").catch(() => ({ json: [] }))).json?.length === 1, "the worker");
  check(workersOf(k).length > 0, "it lives");
  k.child.kill("SIGKILL");
  await until(() => workersOf(k).length === 0, "the worker to end");
});

await scenario("without tsx it is an error that says so, and without --no-reload it would wait", async () => {
  const bare = path.join(scratch(), "bare");
  project(bare);
  rmSync(path.join(bare, "node_modules"));
  mkdirSync(path.join(bare, "node_modules"));
  symlinkSync(path.join(modules, "@langchain"), path.join(bare, "node_modules/@langchain"));
  const b = await dev(bare, ["--no-reload"]);
  equal(await b.exited, 1, "it ends");
  check(b.log.includes("install tsx in the project"), "what is missing", b.log);
});

await scenario("a program in Python, with agent files that name its nodes", async () => {
  const folder = scratch(), agents = path.join(folder, "agents"), file = path.join(folder, "worker.py");
  const program = (words) => `from cohort_worker import agent, node\n@node\ndef look(state):\n    return {"seen": "${words}"}\n@agent\nasync def helper(state, ctx):\n    yield "${words}"\n`;
  mkdirSync(agents);
  writeFileSync(path.join(agents, "looks.yaml"), "id: looks\nstate: {seen: {}}\nnodes: {n: {worker: look}}\nedges: [[START, n], [n, END]]\n");
  writeFileSync(file, program("one"));
  const p = await dev(folder, ["worker.py", "--agents", agents]);
  const build = async (not) => until(async () => { const w = (await call(p, "GET", "/workers").catch(() => ({}))).json?.filter((x) => x.status === "live") ?? []; return w.length === 1 && w[0].build !== not && w[0].build; }, `a worker in\n${p.log}`);
  const wait = async (assistant_id) => (await call(p, "POST", "/runs/wait", { assistant_id, input: {} })).json;
  const first = await build();
  equal([(await wait("looks")).seen, (await wait("helper")).messages?.at(-1)?.content], ["one", "one"], "a node and an agent of no framework");
  writeFileSync(file, program("two"));
  await build(first);
  equal([(await wait("looks")).seen, (await wait("helper")).messages?.at(-1)?.content], ["two", "two"], "after an edit");
  p.child.kill("SIGINT");
  equal(await p.exited, 0, "its end");
});

await scenario("cohort serve takes the same file, and says what serves it", async () => {
  const s = await startServer({ args: [path.join(dir, "langgraph.json")] });
  const words = `agent (./src/agent/graph.ts:graph): code, served by a worker, which runs beside the server: npx cohort-worker ${dir}/langgraph.json`;
  await until(() => s.log.includes(words), "the command");
  await s.stop();
});

await scenario("wrong command lines", async () => {
  const empty = scratch();
  const rows = [[[], /langgraph\.json: No such file or directory; expected the langgraph\.json of a project/], [["x.json"], /x\.json: No such file/], [["--nope"], /unknown flag/], [["--n-jobs-per-worker", "0"], /n-jobs-per-worker/]];
  for (const [args, words] of rows) {
    const e = await dev(empty, args);
    equal(await e.exited, 2, `${args}: its end`);
    check(words.test(e.log), `${args}: its words`, e.log);
  }
  check(!existsSync(path.join(empty, ".cohort")), "nothing is left behind");
});

finish();
