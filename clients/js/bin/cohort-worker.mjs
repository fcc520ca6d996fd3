#!/usr/bin/env node
// cohort-worker langgraph.json - serves a project's graphs to a Cohort server.
import { parseArgs } from "node:util";
import { loadGraphs, readProject } from "../src/project.js";

const HELP = `Usage: cohort-worker [OPTIONS] [langgraph.json]
Serves the graphs of a LangGraph project to a Cohort server.

  --url URL          the server: http://HOST:PORT, https://HOST or unix:/PATH
                     (COHORT_URL; http://127.0.0.1:2024)
  --name NAME        this worker's name in lists (COHORT_WORKER; the host's name and the
                     process's number)
  --build NAME       the build that runs are pinned to (COHORT_BUILD; a hash of the
                     project's sources)
  --runs N           runs at once (8)
  --nodes N          nodes and tools at once (32)
  --check            load all, print what would be served as JSON, and end
  -h, --help         this text

The key is read from COHORT_KEY. SIGTERM: takes nothing new, finishes what is under
way for up to 30 seconds, leaves.
`;

function count(text, name) {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text)) throw new Error(`--${name} is "${text}": it must be a number from 0 to 99999`);
  return Number(text);
}

function fail(error) {
  process.stderr.write(`cohort-worker: ${error.message}\n`);
  if (process.env.COHORT_DEBUG || (error.cause && !/^E[A-Z]+$/.test(error.cause.code ?? ""))) process.stderr.write(`${error.cause?.stack ?? error.stack}\n`);
  process.exit(1);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { url: { type: "string" }, name: { type: "string" }, build: { type: "string" }, runs: { type: "string" }, nodes: { type: "string" }, check: { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) { process.stdout.write(HELP); return; }
  if (positionals.length > 1) throw new Error("one langgraph.json at most can be named");
  const slots = { run: count(values.runs, "runs"), node: count(values.nodes, "nodes") };
  const project = readProject(positionals[0] ?? "langgraph.json");
  for (const warning of project.warnings) process.stderr.write(`cohort-worker: ${project.file}: ${warning}\n`);
  for (const [name, value] of Object.entries(project.env)) process.env[name] ??= value;
  process.chdir(project.folder);
  process.env.COHORT_PROJECT = project.folder;
  const graphs = await loadGraphs(project);
  const { prepare, serve } = await import("../src/serve.js");
  const descriptions = Object.fromEntries(project.graphs.filter((g) => g.description).map((g) => [g.id, g.description]));
  const options = { url: values.url, name: values.name, build: values.build, slots, descriptions };
  if (values.check) {
    const told = await prepare(graphs, options), names = (list, key) => list.map((e) => e[key]);
    process.stdout.write(`${JSON.stringify({ graphs: names(told.graphs, "id"), runs: names(told.runs, "id"), nodes: names(told.nodes, "name"), tools: names(told.tools, "name"), build: told.build })}\n`);
    process.exit(0);
  }
  await serve(graphs, options);
}

main().catch(fail);
