// worker-python.mjs - the Python client: its own tests (standard library only; LangGraph
// for Python is stood in for, see clients/python/tests/stand_in/README.md).
import { spawn } from "node:child_process";
import path from "node:path";
import { check, finish, repo, scenario } from "./lib.mjs";

const client = path.join(repo, "clients", "python");
const env = { PATH: process.env.PATH, HOME: process.env.HOME, PYTHONDONTWRITEBYTECODE: "1" };

// A command to its end: {code, out}.
function command(args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn("python3", args, { cwd: client, env, stdio: ["ignore", "pipe", "pipe"], timeout: 240000, ...options });
    let out = "";
    for (const s of [child.stdout, child.stderr]) s.on("data", (d) => { out += d; });
    child.on("close", (code, signal) => resolve({ code: code ?? signal, out }));
  });
}

await scenario("the client's own tests", async () => {
  const r = await command(["-W", "ignore", "-m", "unittest", "discover", "-s", "tests", "-t", "."]);
  check(r.code === 0 && /Ran (\d+) tests/.test(r.out) && Number(/Ran (\d+) tests/.exec(r.out)[1]) > 90, "all pass", r.out);
});

finish();
