// pooler.mjs - PgBouncer before PostgreSQL: in session mode nothing is different; in
// transaction mode, where settings and statements are another session's, it is said so.
import { execFile, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { startPostgres } from "../cluster/lib.mjs";
import { binary, call, check, equal, finish, freePort, scenario, scratch, startMock, startProgram, until } from "./lib.mjs";

const pg = startPostgres(), host = decodeURIComponent(pg.url.split("host=")[1]);
const root = process.getuid() === 0;

// It refuses to run as root.
async function pooler(mode) {
  const dir = mkdtempSync("/tmp/cohort-pooler-"), port = await freePort(), ini = path.join(dir, "ini");
  chmodSync(dir, 0o755);
  writeFileSync(ini, `[databases]\ncohort = host=${host} dbname=cohort user=cohort\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=${port}\nunix_socket_dir=\nauth_type=any\npool_mode=${mode}\n`);
  const child = root ? spawn("setpriv", ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "/usr/sbin/pgbouncer", ini], { cwd: "/", stdio: "ignore" }) : spawn("/usr/sbin/pgbouncer", [ini], { cwd: "/", stdio: "ignore" });
  process.on("exit", () => { child.kill("SIGKILL"); rmSync(dir, { recursive: true, force: true }); });
  const over = new Promise((resolve) => { child.once("exit", resolve); child.once("error", resolve); });
  const answers = () => new Promise((resolve) => { const s = connect(port, "127.0.0.1", () => { s.destroy(); resolve(true); }).on("error", () => resolve(false)); });
  await until(answers, "PgBouncer to listen");
  return { url: `postgresql://cohort@127.0.0.1:${port}/cohort`, stop: async () => { child.kill("SIGTERM"); await over; } };
}

await scenario("transaction mode", async () => {
  const p = await pooler("transaction"), port = await freePort();
  const r = await new Promise((resolve) => execFile(binary, ["serve", "--port", String(port)], { cwd: scratch(), timeout: 30000, env: { PATH: process.env.PATH, HOME: "/", COHORT_STORE: p.url } }, (e, stdout, stderr) => resolve({ code: e ? e.code : 0, stderr })));
  equal(r.code, 1, "it does not start");
  check(/^cohort serve: .*a pooler in transaction mode is between; it must be in session mode, or the URL that of the server itself/m.test(r.stderr), "and says why", r.stderr);
  await p.stop();
});

await scenario("session mode", async () => {
  const p = await pooler("session"), mock = await startMock();
  const port = await freePort(), env = { COHORT_STORE: p.url, OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:mock-gpt-4o" };
  const server = await startProgram("serve", ["--port", String(port)], { env, cwd: scratch(), health: "/ok", port });
  const thread = (await call(server, "POST", "/threads", {})).json.thread_id;
  const body = { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } };
  equal((await call(server, "POST", `/threads/${thread}/runs/wait`, body)).status, 200, "a run");
  await p.stop();
  await until(async () => (await call(server, "POST", "/threads", {})).status === 503, "writes to be refused without it");
  await server.stop();
  await mock.stop();
});

finish();
