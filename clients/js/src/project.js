// project.js - a JavaScript project of LangGraph as its langgraph.json says it: its
// environment, its graphs, and what of it has no meaning for a worker.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseEnv } from "node:util";
import { resolveFrom } from "./langgraph.js";

const TYPESCRIPT = /\.([mc]?ts|tsx|jsx)$/;
const PYTHON = /\.(py|ipynb)$|^(?!.*\.[mc]?[jt]sx?$)[\w.]+$/;      // a file, or a module "pkg.agent"
const OF_SERVER = /\.(ya?ml|json|scxml)$/;
// These are about images and LangGraph's own builder: ignored without a warning.
const IGNORED = ["$schema", "dependencies", "dockerfile_lines", "image_distro", "base_image", "api_version", "pip_config_file", "pip_installer",
  "keep_pkg_tools", "python_version", "internal_docker_tag", "source", "_INTERNAL_docker_tag"];
const ELSEWHERE = {
  auth: "access is checked by the server: see its keys file and docs/auth.md",
  http: "the server's own routes are served, none of the project's",
  store: "the store is the server's; an index of vectors is not made",
  checkpointer: "checkpoints are the server's: its settings say how long they are kept",
  encryption: "encryption of values is not done by the worker",
  webhooks: "webhooks are the server's: see its settings",
  ui: "UI components of the project are not served",
  ui_config: "UI components of the project are not served",
};

function readJson(file) {
  let text;
  try { text = readFileSync(file, "utf8"); } catch (error) { throw new Error(`${file}: ${error.code === "ENOENT" ? "there is no such file; name the project's langgraph.json" : error.message}`); }
  try { return JSON.parse(text); } catch (error) { throw new Error(`${file}: it must be JSON: ${error.message}`); }
}

function readEnv(given, folder, file) {
  if (given === undefined || given === null) return {};
  if (typeof given === "string") {
    const from = path.resolve(folder, given);
    if (!existsSync(from)) throw new Error(`${file}: env: there is no file ${from}`);
    return parseEnv(readFileSync(from, "utf8"));
  }
  if (typeof given !== "object" || Array.isArray(given)) throw new Error(`${file}: env: it must be the path of a file or an object of texts`);
  return Object.fromEntries(Object.entries(given).map(([k, v]) => [k, String(v)]));
}

// "./src/agent.ts:graph"; after the last colon, so that drive letters stay whole.
function readGraph(id, given, folder, file) {
  const { path: spec, description } = typeof given === "string" ? { path: given } : given ?? {};
  if (typeof spec !== "string" || spec === "") throw new Error(`${file}: graphs.${id}: it must be "./FILE:NAME" or {"path": "./FILE:NAME"}`);
  const [, source, name = "default"] = /^(.+?)(?::([A-Za-z_$][\w$]*))?$/.exec(spec);
  if (OF_SERVER.test(source)) return { id, left: `"${spec}" is an agent's file, which the server runs itself` };
  if (PYTHON.test(source)) return { id, left: `"${spec}" is Python; serve it with: python -m cohort_worker langgraph.json` };
  const where = path.resolve(folder, source);
  if (!existsSync(where)) throw new Error(`${file}: graphs.${id}: there is no file ${where}`);
  return { id, file: where, name, description };
}

/** Reads a langgraph.json: {file, folder, env, graphs: those in JavaScript, warnings}. */
export function readProject(given) {
  const file = path.resolve(given), folder = path.dirname(file), json = readJson(file), warnings = [];
  if (json === null || typeof json !== "object" || Array.isArray(json)) throw new Error(`${file}: it must be an object`);
  if (json.graphs === null || typeof json.graphs !== "object" || Array.isArray(json.graphs) || Object.keys(json.graphs).length === 0)
    throw new Error(`${file}: graphs: it must be an object of at least one graph, such as {"agent": "./src/agent.js:graph"}`);
  for (const key of Object.keys(json)) {
    if (key in ELSEWHERE) warnings.push(`${key} has no effect: ${ELSEWHERE[key]}`);
    else if (!["graphs", "env", "node_version", ...IGNORED].includes(key)) warnings.push(`${key} is not known and has no effect`);
  }
  const all = Object.entries(json.graphs).map(([id, g]) => readGraph(id, g, folder, file)), graphs = all.filter((g) => !g.left);
  if (graphs.length === 0) throw new Error(`${file}: graphs.${all[0].id}: ${all[0].left}`);
  // `cohort dev` starts what serves the others.
  if (!process.env.COHORT_DEV) for (const { id, left } of all) if (left) warnings.push(`graphs.${id} is left out: ${left}`);
  const wanted = parseInt(json.node_version, 10), running = parseInt(process.versions.node, 10);
  if (wanted > running) warnings.push(`node_version is ${json.node_version}, this is Node ${process.versions.node}`);
  return { file, folder, env: readEnv(json.env, folder, file), warnings, graphs };
}

// The project's own tsx makes TypeScript run; without it only a Node that strips types can.
async function readyForTypeScript(project, graph) {
  const tsx = resolveFrom(project.folder, "tsx/esm/api");
  if (tsx) { (await import(tsx)).register(); return; }
  if (process.features.typescript && !/x$/.test(graph.file)) return;
  throw new Error(`${project.file}: graphs.${graph.id}: ${graph.file} is TypeScript; install tsx in the project (npm install --save-dev tsx), or name the JavaScript that it is built to`);
}

/** Loads the graphs of a project, after its environment is set: {id: graph}. */
export async function loadGraphs(project) {
  const typed = project.graphs.find((g) => TYPESCRIPT.test(g.file)), graphs = {};
  if (typed) await readyForTypeScript(project, typed);
  for (const { id, file, name } of project.graphs) {
    let module;
    try { module = await import(pathToFileURL(file).href); } catch (error) { throw new Error(`${project.file}: graphs.${id}: ${file} cannot be loaded: ${error.message}`, { cause: error }); }
    // What CommonJS exports stands under default too.
    graphs[id] = module[name] ?? module.default?.[name];
    if (graphs[id] === undefined || graphs[id] === null)
      throw new Error(`${project.file}: graphs.${id}: ${file} exports no "${name}"; it exports ${Object.keys(module).join(", ") || "nothing"}`);
  }
  return graphs;
}
