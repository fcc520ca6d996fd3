// worker-lib.mjs - servers with workers of clients/js beside them.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, repo, scratch, startServer, until } from "./lib.mjs";

export const workersDir = path.join(repo, "tests", "workers");
export const command = path.join(repo, "clients", "js", "bin", "cohort-worker.mjs");
const running = new Set();
process.on("exit", () => { for (const w of running) w.child.kill("SIGKILL"); });

/**
 * Starts a program that is a worker; {child, log, exited, stop}.  It is there when it
 * says what it serves.
 */
export async function startWorker(server, { program = [command, path.join(workersDir, "langgraph.json")], env = {}, cwd = workersDir, wait = true } = {}) {
  const child = spawn(process.execPath, program, {
    cwd, stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, COHORT_URL: server.url, COHORT_PROJECT: workersDir, ...env },
  });
  const worker = { child, log: "", exit: null };
  for (const out of [child.stdout, child.stderr]) out.on("data", (d) => { worker.log += d; });
  running.add(worker);
  worker.exited = new Promise((resolve) => child.on("close", (code, signal) => { running.delete(worker); resolve(worker.exit = { code, signal }); }));
  worker.stop = (signal = "SIGTERM") => { child.kill(signal); return worker.exited; };
  if (wait) await until(() => {
    if (worker.exit) throw new Error(`the worker ended: ${JSON.stringify(worker.exit)}\n${worker.log}`);
    return worker.log.includes("serving ");
  }, "the worker to serve", 30000);
  return worker;
}

/** A server whose agents of tests/workers are hosted; the others of the folder are its own. */
export async function startHosted({ folder, folders, args = [], ...rest }) {
  const project = path.join(workersDir, folders.includes("sdk") ? "sdk.json" : "langgraph.json");
  for (const id of Object.keys(JSON.parse(readFileSync(project, "utf8")).graphs)) rmSync(path.join(folder, `${id}.yaml`), { force: true });
  const server = await startServer({ ...rest, args: ["--agents", folder, ...args] });
  server.worker = await startWorker(server, { program: [command, project] });
  const stop = server.stop;
  server.stop = async (signal) => { await server.worker.stop("SIGKILL"); return stop(signal); };
  return server;
}

/** Waits until the server lists a graph as an assistant. */
export const assistantOf = (server, id) => until(async () => {
  const { json } = await call(server, "POST", "/assistants/search", { graph_id: id });
  return json?.[0];
}, `the assistant of ${id}`);

/** An agent file: its model calls a worker's tool `charge` once and says what that answered. */
export const chat = `
id: chat
state: {messages: {reducer: messages}}
tools: {charge: {worker: true}}
nodes:
  sell:
    llm:
      tools: [charge]
      max_turns: 4
      reply: "last(messages).type == 'human' ? {content: '', tool_calls: [{id: 'c1', name: 'charge', args: {cents: 7}}]} : 'It is ' + last(messages).content"
edges: [[START, sell], [sell, END]]
`;

/** A folder with these agent files, {ID: text}. */
export function agentFiles(files) {
  const folder = path.join(scratch(), "agents");
  mkdirSync(folder);
  for (const [id, text] of Object.entries(files)) writeFileSync(path.join(folder, `${id}.yaml`), text);
  return folder;
}
