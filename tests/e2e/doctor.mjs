// doctor.mjs - `cohort doctor`: each thing that it knows to go wrong, made so; and a server in
// order of which it says nothing.
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { binary, call, check, equal, finish, freePort, scenario, scratch, startMock, startServer } from "./lib.mjs";
import { spawn } from "node:child_process";

const env = { ...process.env };
for (const k of Object.keys(env)) if (/^(COHORT_|OPENAI_|OTEL_|MODEL_NAME)/.test(k)) delete env[k];
// Beside a server of this process: not spawnSync.
const doctor = (args, more = {}) => new Promise((resolve) => {
  const child = spawn(binary, ["doctor", "--json", ...args], { env: { ...env, ...more } });
  let out = "", err = "";
  child.stdout.on("data", (d) => { out += d; });
  child.stderr.on("data", (d) => { err += d; });
  child.on("close", (code) => { let list = []; try { list = JSON.parse(out); } catch { /* none */ } resolve({ code, list, out, err }); });
});
const found = (r, area, words) => r.list.find((f) => f.area === area && f.what.includes(words));
const bad = (r, level, area, words) => {
  const f = found(r, area, words);
  check(f?.level === level && f.why !== "" && f.do !== "", `${level} ${area}: ${words}`, r.list.length ? r.list : r);
  check(level !== "error" || r.code === 2, "errors are the exit code 2", r.code);
};

const dir = scratch(), db = path.join(dir, "cohort.db");

await scenario("a server in order", async () => {
  const mock = await startMock(), s = await startServer({ dir, mock });
  await call(s, "POST", "/threads", {});
  chmodSync(db, 0o600);
  const r = await doctor(["--db", db, "--openai-base-url", `${mock.url}/v1`, "--openai-api-key", "k"]);
  check(r.list.length > 4 && !r.list.some((f) => f.level === "error"), "no error, beside a running server", r.list);
  check(found(r, "store", "quick_check says ok") !== undefined && found(r, "model", "answers")?.level === "ok" && found(r, "disk", "MB are free"), "what it looked at", r.list);
  equal(r.code, r.list.some((f) => f.level === "warn") ? 1 : 0, "the exit code");
  const text = spawnSync(binary, ["doctor", "--offline", "--db", db], { encoding: "utf8", env, timeout: 30000 });
  check(/^ok +settings /m.test(text.stdout) && /\n0 errors, \d+ warnings?\n$/.test(text.stdout), "lines for people", text.stdout);
  await s.stop(); await mock.stop();
});

await scenario("settings and files", async () => {
  bad(await doctor(["--port", "x"]), "error", "settings", "--port");
  bad(await doctor(["--db", db, "--api-keys", path.join(dir, "none")]), "error", "files", "api-keys");
  const keys = path.join(dir, "keys");
  writeFileSync(keys, ""); chmodSync(keys, 0o666);
  bad(await doctor(["--db", db, "--api-keys", keys]), "warn", "files", "others can read or write");
  chmodSync(db, 0o644);
  bad(await doctor(["--db", db]), "warn", "store", "others can read");
  bad(await doctor(["--db", db, "--host", "0.0.0.0", "--insecure"]), "warn", "auth", "insecure");
});

await scenario("an encrypted database", async () => {
  const key = { COHORT_ENCRYPTION_KEY: "ab".repeat(32) }, sealed = scratch(), file = path.join(sealed, "cohort.db");
  const s = await startServer({ dir: sealed, env: key });
  check(found(await doctor(["--db", file, "--offline"], key), "store", "quick_check says ok") !== undefined, "with its key it is read");
  bad(await doctor(["--db", file, "--offline"]), "error", "store", "is encrypted: set encryption.key");
  bad(await doctor(["--db", file, "--offline"], { COHORT_ENCRYPTION_KEY: "cd".repeat(32) }), "error", "store", "another key");
  await s.stop();
});

await scenario("a damaged database", async () => {
  const broken = path.join(dir, "broken.db"), bytes = readFileSync(db);
  for (let at = 4096 * 2; at + 200 < bytes.length; at += 4096) bytes.fill(0xff, at, at + 200);
  writeFileSync(broken, bytes, { mode: 0o600 });
  const r = await doctor(["--db", broken, "--offline"]);
  equal([r.code, r.list.some((f) => f.area === "store" && f.level === "error")], [2, true], "it is an error");
  const none = path.join(dir, "text.db");
  writeFileSync(none, "not a database ".repeat(1000), { mode: 0o600 });
  bad(await doctor(["--db", none, "--offline"]), "error", "store", "text.db");
});

await scenario("whom it asks", async () => {
  const port = await freePort();
  bad(await doctor(["--db", db, "--openai-base-url", `http://127.0.0.1:${port}/v1`]), "error", "model", `127.0.0.1:${port}`);
  const seen = [];
  const refuse = http.createServer((q, a) => { seen.push([q.url, q.headers.authorization, q.headers["x-a"]]); a.writeHead(401); a.end(); });
  await new Promise((resolve) => refuse.listen(0, "127.0.0.1", resolve));
  const at = `http://127.0.0.1:${refuse.address().port}`;
  bad(await doctor(["--db", db, "--openai-base-url", `${at}/v1`], { OPENAI_API_KEY: "wrong" }), "error", "model", "refuses the key");
  bad(await doctor(["--db", db, "--otel-endpoint", at], { OTEL_EXPORTER_OTLP_HEADERS: "x-a=b%20c" }), "warn", "traces", "answers 401");
  equal(seen, [["/v1/models", "Bearer wrong", undefined], ["/v1/traces", undefined, "b c"]], "with what the server would send");
  refuse.close();
  bad(await doctor(["--db", db, "--otel-endpoint", `http://127.0.0.1:${port}`]), "warn", "traces", "127.0.0.1");
  bad(await doctor(["--store", `postgres://u:secretword@127.0.0.1:${port}/x`, "--cluster-nats", `nats://127.0.0.1:${port}`, "--cluster-wait", "0"]), "error", "postgres", "");
  const r = await doctor(["--store", `postgres://u:secretword@127.0.0.1:${port}/x`, "--cluster-nats", `nats://127.0.0.1:${port}`]);
  bad(r, "warn", "nats", `127.0.0.1:${port}`);
  check(!r.out.includes("secretword"), "no password is shown", r.out);
});

finish();
