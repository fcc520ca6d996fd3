// work-lib.mjs - workspaces of the tracker, driven by the real command line.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { binary, scratch, until } from "./lib.mjs";

process.setMaxListeners(0);            // one a workspace, for its end
const clean = (extra) => ({ PATH: process.env.PATH, HOME: process.env.HOME, USER: "tester", ...Object.fromEntries(
  ["ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "TMPDIR"].filter((k) => process.env[k]).map((k) => [k, process.env[k]])), ...extra });

// One workspace folder.  mode: "direct" (no daemon ever), "daemon" (one is
// started here and stays), "auto" (as a user has it).
export function workspace({ mode = "direct", prefix = "p", dir = path.join(scratch(), "ws"), env = {}, init = true } = {}) {
  mkdirSync(dir, { recursive: true });
  const base = clean({ ...(mode === "direct" ? { COHORT_NO_DAEMON: "1" } : {}), ...env });
  const ws = {
    dir, env: base, mode,
    socket: path.join(dir, ".cohort", "work.sock"),
    db: path.join(dir, ".cohort", "work.db"),
    // Runs `cohort work ...args`; {code, out, err}.
    run(args, { input = "", cwd = dir, env: more = {}, program = [binary, "work"] } = {}) {
      const r = spawnSync(program[0], [...program.slice(1), ...args], { cwd, env: { ...base, ...more }, input, encoding: "utf8", maxBuffer: 1 << 28, timeout: 60000 });
      return { code: r.status ?? (r.signal ? -1 : -2), out: r.stdout, err: r.stderr };
    },
    // The same, and it must succeed; with --json the parsed answer.
    ok(args, options) {
      const r = ws.run(args, options);
      if (r.code !== 0) throw new Error(`cohort work ${args.join(" ")}: exit ${r.code}\n${r.out}${r.err}`);
      return args.includes("--json") ? JSON.parse(r.out) : r.out;
    },
    // Without waiting for its end.
    start(args, { cwd = dir, env: more = {} } = {}) {
      const child = spawn(binary, ["work", ...args], { cwd, env: { ...base, ...more }, stdio: ["ignore", "pipe", "pipe"] });
      const p = { child, out: "", err: "" };
      child.stdout.on("data", (d) => { p.out += d; });
      child.stderr.on("data", (d) => { p.err += d; });
      p.done = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code: code ?? signal, out: p.out, err: p.err })));
      return p;
    },
    stop() { ws.run(["daemon", "--stop"]); },
  };
  if (init) {
    const r = ws.run(["init", "--prefix", prefix, "--quiet"]);
    if (r.code !== 0) throw new Error(`init: ${r.err}`);
  }
  process.on("exit", () => { if (mode !== "direct" && existsSync(dir)) ws.stop(); });
  return ws;
}

// A connection to a workspace's daemon: one JSON object a line.
export async function connect(ws) {
  await until(() => existsSync(ws.socket), "the daemon's socket");
  const socket = net.connect(ws.socket);
  await new Promise((resolve, reject) => { socket.once("connect", resolve); socket.once("error", reject); });
  const c = { socket, waiting: [], lines: [], closed: false };
  let rest = "";
  socket.on("data", (d) => {
    rest += d;
    for (let at; (at = rest.indexOf("\n")) >= 0; rest = rest.slice(at + 1)) {
      const line = JSON.parse(rest.slice(0, at));
      (c.waiting.shift() ?? ((x) => c.lines.push(x)))(line);
    }
  });
  socket.on("close", () => { c.closed = true; for (const w of c.waiting.splice(0)) w(null); });
  socket.on("error", () => {});
  c.send = (text) => socket.write(text.endsWith("\n") ? text : `${text}\n`);
  c.next = () => Promise.race([c.take(), new Promise((r) => setTimeout(r, 20000, { success: null, error: "no answer in 20 s" }).unref())]);
  c.take = () => c.lines.length > 0 ? Promise.resolve(c.lines.shift()) : c.closed ? Promise.resolve(null) : new Promise((r) => c.waiting.push(r));
  c.call = (operation, args = {}, more = {}) => { c.send(JSON.stringify({ operation, args, actor: "tester", ...more })); return c.next(); };
  c.close = () => socket.destroy();
  return c;
}
