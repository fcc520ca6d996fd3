// secrets.mjs - settings that name where a secret is: env:, file: and credential:.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { binary, call, check, equal, finish, freePort, scenario, scratch, startServer, until } from "./lib.mjs";

const SECRETS = ["first-secret-of-thirty-two-bytes-xx", "second-secret-of-thirty-two-bytes-x"];
const put = (file, text, mode = 0o600) => { writeFileSync(file, text); chmodSync(file, mode); };
const b64 = (x) => Buffer.from(x).toString("base64url");
const bearer = (secret) => {
  const body = `${b64('{"alg":"HS256"}')}.${b64(JSON.stringify({ sub: "ann", exp: 4e9 }))}`;
  return { authorization: `Bearer ${body}.${createHmac("sha256", secret).update(body).digest("base64url")}` };
};
const cli = (dir, args, env = {}) => new Promise((resolve) => {
  const child = spawn(binary, args, { cwd: dir, env: { PATH: process.env.PATH, HOME: dir, ...env } });
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (d) => out[name] += d);
  const timer = setTimeout(() => child.kill("SIGKILL"), 30000);
  child.on("close", (status) => { clearTimeout(timer); resolve({ ...out, status }); });
});
const hangUp = async (s, word, n) => {
  for (const x of s.nodes ?? [s]) {
    x.child.kill("SIGHUP");
    await until(() => x.log.split(word).length > n, `${word} in the log`);
  }
};

await scenario("a token's secret is in a file, which is read again", async () => {
  const dir = scratch(), file = path.join(dir, "jwt");
  put(file, `${SECRETS[0]}\n`, 0o640);
  const s = await startServer({ dir, env: { COHORT_JWT_SECRET: `file:${file}` } });
  const status = async (secret) => (await call(s, "POST", "/threads/search", {}, bearer(secret))).status;
  equal([await status(SECRETS[0]), await status(SECRETS[1]), await status(`file:${file}`)], [200, 401, 401], "the file's content is the secret, its name is none");
  put(file, `${SECRETS[1]}\r\n`);
  await hangUp(s, "reloaded keys=", 1);
  equal([await status(SECRETS[0]), await status(SECRETS[1])], [401, 200], "another after SIGHUP");
  put(file, SECRETS[0], 0o644);
  await hangUp(s, "reload_failed", 1);
  check(/reload_failed error="?jwt\.secret: \$COHORT_JWT_SECRET: \S+jwt: all users can read it/.test(s.log), "the log says why it was not read", s.log);
  equal([await status(SECRETS[0]), await status(SECRETS[1])], [401, 200], "the old one stays then");
  check(!SECRETS.some((x) => s.log.includes(x)), "no secret is in the log", s.log);
  await s.stop();
});

await scenario("a webhook's secret is a credential of systemd's", async () => {
  const dir = scratch(), creds = path.join(dir, "creds");
  mkdirSync(creds, { mode: 0o700 });
  put(path.join(creds, "hook"), "h00k-s3cret\n", 0o440);
  const got = [];
  const hook = http.createServer((q, r) => { let b = ""; q.on("data", (d) => b += d); q.on("end", () => { got.push({ body: b, headers: q.headers }); r.end(); }); });
  await new Promise(async (r) => hook.listen(await freePort(), "127.0.0.1", r));
  const s = await startServer({ dir, memory: true, args: ["--webhooks-disable-loopback=false", "--webhooks-secret", "credential:hook"], env: { CREDENTIALS_DIRECTORY: creds } });
  const run = await call(s, "POST", "/runs", { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] }, webhook: `http://127.0.0.1:${hook.address().port}/x` });
  equal(run.status, 200, "the run began");
  const { body, headers } = (await until(() => got.length > 0 && got, "the webhook"))[0];
  const stamp = headers["x-cohort-timestamp"];
  equal(headers["x-cohort-signature"], `sha256=${createHmac("sha256", "h00k-s3cret").update(`${stamp}.${body}`).digest("hex")}`, "it is signed with the credential");
  check(!/everyone on this machine/.test(s.log), "the name on the command line gives nothing away", s.log);
  hook.closeAllConnections(); hook.close();
  await s.stop();
});

await scenario("`cohort config` shows names, and says which setting is wrong", async () => {
  const dir = scratch();
  put(path.join(dir, "cohort.yaml"), "jwt.secret: env:MINE\nopenai: {api-key: file:key}\n", 0o644);
  put(path.join(dir, "key"), "sk-very-secret\n");
  const shown = await cli(dir, ["config"], { MINE: SECRETS[0] });
  check(/^jwt\.secret += env:MINE /m.test(shown.stdout) && /^openai\.api-key += file:key /m.test(shown.stdout), "the names", shown.stdout);
  check(!shown.stdout.includes(SECRETS[0]) && !shown.stdout.includes("sk-very"), "no values", shown.stdout);
  check(!/holds a secret/.test(shown.stderr), "a file of names holds no secret", shown.stderr);
  const token = await cli(dir, ["token", "--sub", "ann"], { MINE: SECRETS[0] });
  equal(token.stdout.trim().split(".")[2], createHmac("sha256", SECRETS[0]).update(token.stdout.trim().split(".").slice(0, 2).join(".")).digest("base64url"), "`cohort token` signs with what it names");
  for (const [args, env, words] of [
    [[], {}, /^cohort serve: jwt\.secret: cohort\.yaml:1: \$MINE is not set$/m],
    [["--jwt-secret", "file:none"], {}, /^cohort serve: jwt\.secret: --jwt-secret: none: No such file/m],
    [["--jwt-secret", "credential:x"], {}, /^cohort serve: jwt\.secret: --jwt-secret: credential:x: \$CREDENTIALS_DIRECTORY is not set/m],
    [["--store", "postgres://ann:env:NOT@127.0.0.1:1/db"], { MINE: "x" }, /^cohort serve: store: --store: \$NOT is not set$/m],
  ]) {
    const r = await cli(dir, ["serve", "--port", "0", ...args], env);
    check(r.status === 2 && words.test(r.stderr), `refused: ${args.join(" ")}`, r);
  }
  chmodSync(path.join(dir, "key"), 0o604);
  const open = await cli(dir, ["serve", "--port", "0"], { MINE: SECRETS[0] });
  check(open.status === 2 && /openai\.api-key: cohort\.yaml:2: key: all users can read it, and it holds a secret: chmod 600/.test(open.stderr), "a file that all can read is refused", open);
});

finish();
