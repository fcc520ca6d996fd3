// tls.mjs - the ways into a server: several addresses, Unix sockets, TLS, client certificates,
// proxies.
import { existsSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { check, equal, finish, freePort, scenario, scratch, startServer, until } from "./lib.mjs";

// One request by any way: options of http.request; the status and body.
function ask(options, body, module = http) {
  return new Promise((resolve, reject) => {
    const r = module.request({ path: "/ok", agent: false, timeout: 20000, ...options }, (res) => {
      let text = "";
      res.on("data", (d) => { text += d; });
      res.on("end", () => resolve({ status: res.statusCode, headers: res.headers, text }));
      res.on("error", reject);
    });
    r.on("error", reject);
    r.on("timeout", () => r.destroy(new Error("no answer")));
    r.end(body);
  });
}

await scenario("several addresses and a Unix socket", async () => {
  const dir = scratch(), more = await freePort(), socketPath = path.join(dir, "way.sock");
  const args = ["--listen", `http://127.0.0.1:${more}, unix:${socketPath}`, "--log-access"];
  const s = await startServer({ dir, args, memory: true });
  await until(() => s.log.includes(`http://127.0.0.1:${more}\n`) && s.log.includes(`unix:${socketPath}\n`), "the start to name them");
  equal((await ask({ port: more })).status, 200, "the second address answers");
  equal((await ask({ socketPath })).status, 200, "the Unix socket answers");
  equal(statSync(socketPath).mode & 0o777, 0o600, "its mode");
  // Without authentication workers are served from this machine only: a Unix socket is of it.
  const worker = await ask({ socketPath, path: "/workers", method: "POST", headers: { "content-type": "application/json" } }, "{}");
  check(worker.status !== 403, "who comes by it is near", worker);
  await until(() => s.log.includes("peer=unix"), "the log to name the way");

  const second = await startServer({ args: ["--listen", `unix:${socketPath}`], memory: true }).then(() => "started", (e) => e.message);
  check(second.includes("another server listens there"), "a live socket is not taken", second);
  await s.stop("SIGKILL");
  check(existsSync(socketPath), "a killed server leaves its name");
  const third = await startServer({ dir, args, memory: true });
  equal((await ask({ socketPath })).status, 200, "the next one takes it over");
  await third.stop();
  check(!existsSync(socketPath), "a stopped one removes it");
});

await scenario("addresses that are none are refused by name", async () => {
  for (const [text, words] of [
    ["example.com:80", "expected unix:PATH or http://ADDRESS:PORT"],
    ["http://example.com:80", "expected unix:PATH"],
    ["http://127.0.0.1", "expected unix:PATH"],
    ["http://127.0.0.1:99999", "expected unix:PATH"],
    ["http://::1:80", "expected unix:PATH"],
    ["unix:", "expected unix:PATH"],
    [",", "expected unix:PATH"],
    ["http://0.0.0.0:0", "refusing to serve 0.0.0.0 to anyone"],
    [`unix:${"x".repeat(200)}`, "expected at most 107 bytes"],
    [Array(16).fill("http://127.0.0.1:0").join(), "at most 16 addresses"],
  ]) {
    const said = await startServer({ args: ["--listen", text], memory: true }).then(() => "started", (e) => e.message);
    check(said.includes(words), `--listen ${text}`, said);
  }
  const dir = scratch(), file = path.join(dir, "file");
  writeFileSync(file, "");
  const said = await startServer({ args: ["--listen", `unix:${file}`], memory: true }).then(() => "started", (e) => e.message);
  check(said.includes("it is no socket") && existsSync(file), "a file is not taken for a socket", said);
});

finish();
