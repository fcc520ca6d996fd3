// tls.mjs - the ways into a server: several addresses, Unix sockets, TLS, client certificates,
// proxies.
import { execFileSync } from "node:child_process";
import { X509Certificate, createHash } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import { binary, call, check, equal, finish, freePort, metric, repo, scenario, scratch, startProgram, startServer, until } from "./lib.mjs";
import { WebSocket } from "./socket-lib.mjs";

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
    ["example.com:80", "expected unix:PATH, http://ADDRESS:PORT or https://ADDRESS:PORT"],
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

// ---- TLS --------------------------------------------------------------------------------

const pems = scratch(), pem = (name) => path.join(pems, name);
const openssl = (...args) => execFileSync("openssl", args, { cwd: pems, stdio: ["ignore", "pipe", "pipe"] }).toString();

openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=A test's own authority");
// A certificate of NAME, signed by that authority; ends: its last days, as openssl says it.
function certificate(name, hosts, ends = ["-days", "30"], key = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], use = "serverAuth") {
  openssl("req", "-newkey", ...key, "-nodes", "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  writeFileSync(pem("ext"), `subjectAltName=${hosts.join()}\nextendedKeyUsage=${use}\n`);
  openssl("x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-out", `${name}.pem`, ...ends, "-extfile", "ext");
  return ["--tls-cert", pem(`${name}.pem`), "--tls-key", pem(`${name}.key`)];
}
const localhost = certificate("localhost", ["DNS:localhost", "IP:127.0.0.1"]);
certificate("wild", ["DNS:*.example.org"], ["-days", "30"], ["rsa:2048"]);
const ca = readFileSync(pem("ca.pem"));

// Speaks TLS at tlsPort, and without at port, where the health check goes.
async function serveTls(args = localhost, more = [], ways = "") {
  const tlsPort = await freePort(), port = await freePort();
  const s = await startProgram("serve", ["--port", String(tlsPort), "--store", "memory", "--listen", `http://127.0.0.1:${port}${ways}`, ...args, ...more], { cwd: scratch(), port, health: "/ok" });
  return Object.assign(s, { tlsPort, ask: (options, body) => ask({ port: tlsPort, host: "localhost", ca, ...options }, body, https) });
}
const refused = (promise) => promise.then((r) => `answered ${r.status}`, (e) => e.code ?? e.message);
const shake = (port, options = {}) => new Promise((resolve, reject) => {
  const s = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca, ...options }, () => resolve(s));
  s.on("error", reject);
  s.on("session", (ticket) => { s.ticket = ticket; });
});
const cn = (s) => s.getPeerCertificate().subject.CN;
const ended = (s) => new Promise((resolve) => s.on("close", resolve).on("error", () => {}).resume());

// These take their time, beside the others.
const main = await serveTls(["--tls-cert", `${pem("localhost.pem")},${pem("wild.pem")}`, "--tls-key", `${pem("localhost.key")}, ${pem("wild.key")}`]);
const slow = scenario("a handshake byte by byte is cut", async () => {
  const began = Date.now(), hello = Buffer.from("160301020001000001fc0303", "hex"), s = net.connect(main.tlsPort, "127.0.0.1");
  let sent = 0;
  const drip = setInterval(() => s.write(hello.subarray(sent, ++sent)), 1000);
  await ended(s);
  clearInterval(drip);
  check(Date.now() - began > 9000, "not before ten seconds", Date.now() - began);
});
const silent = scenario("a silent client is cut", async () => {
  await ended(net.connect(main.tlsPort, "127.0.0.1"));
  await until(() => main.log.includes("handshake_slow"), "the log to say so");
});

await scenario("an upgrade keeps all ways", async () => {
  const socketPath = path.join(scratch(), "up.sock"), s = await serveTls(localhost, [], `, unix:${socketPath}`);
  const kept = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const local = (agent) => ask({ socketPath, agent });
  equal([(await s.ask()).status, (await local(kept)).status], [200, 200], "before it");
  const [socket] = Object.values(kept.freeSockets)[0], { ino } = statSync(socketPath), starts = () => s.log.split("  url ").length;
  await until(() => starts() === 2, "its own words");
  s.child.kill("SIGUSR2");
  await until(() => starts() === 3, "the new program to serve");
  equal([(await s.ask()).status, (await ask({ port: s.port })).status, (await local(false)).status], [200, 200, 200], "TLS, plain and Unix socket");
  equal([(await local(kept)).status, Object.values(kept.freeSockets)[0]?.[0] === socket], [200, true], "a kept connection of the Unix socket");
  equal(statSync(socketPath).ino, ino, "its name was there all the time");
  kept.destroy();
  equal((await s.stop()).code, 0, "it ends");
  check(!existsSync(socketPath), "and its name goes with it");
});

await scenario("versions, protocols and names", async () => {
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const s = await shake(main.tlsPort, { minVersion: version, maxVersion: version, ALPNProtocols: ["h2", "http/1.1"] });
    equal(s.getProtocol(), version, version);
    equal(s.alpnProtocol, "http/1.1", `${version}: ALPN`);
    check(s.getEphemeralKeyInfo().type !== undefined || version === "TLSv1.3", `${version}: forward secrecy`, s.getCipher());
    s.destroy();
  }
  const old = await refused(shake(main.tlsPort, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" }));
  check(/PROTOCOL|VERSION/.test(old), "TLS 1.1 is refused", old);
  for (const weak of ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"])
    check(/HANDSHAKE_FAILURE/.test(await refused(shake(main.tlsPort, { maxVersion: "TLSv1.2", ciphers: `${weak}:@SECLEVEL=0` }))), `${weak} is refused`);
  check(/NO_APPLICATION_PROTOCOL/.test(await refused(shake(main.tlsPort, { ALPNProtocols: ["h2"] }))), "who speaks HTTP/2 only is told so");
  for (const [servername, name] of [["localhost", "localhost"], ["a.example.org", "wild"], ["A.EXAMPLE.ORG", "wild"], ["a.b.example.org", "localhost"], ["other.test", "localhost"], ["", "localhost"]]) {
    const s = await shake(main.tlsPort, { servername, checkServerIdentity: () => undefined });
    equal(cn(s), name, `the certificate for "${servername}"`);
    s.destroy();
  }
  check(/ALTNAME|certificate/i.test(await refused(main.ask({ servername: "other.test" }))), "a client sees a wrong name");
  check(/SELF_SIGNED|UNABLE|issuer/i.test(await refused(main.ask({ ca: undefined }))), "and an authority that it does not know");
});

await scenario("requests, streams and sockets", async () => {
  equal((await main.ask({})).status, 200, "a request");
  const plain = await ask({ port: main.tlsPort, host: "127.0.0.1" });
  equal([plain.status, JSON.parse(plain.text).detail], [400, "this port speaks TLS: use https://"], "plain HTTP is told so");
  // On one kept connection, bodies of all sizes both ways: the values of a store's item come back.
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca });
  for (const size of [1, 100, 16300, 16384, 16385, 100000, 900000]) {
    const text = "x".repeat(size - 1) + "y", headers = { "content-type": "application/json" };
    const put = await main.ask({ agent, path: "/store/items", method: "PUT", headers }, JSON.stringify({ namespace: ["n"], key: "k", value: { text } }));
    const got = await main.ask({ agent, path: "/store/items?namespace=n&key=k" });
    check(put.status === 204 && JSON.parse(got.text).value.text === text, `a body of ${size} bytes`, `${put.status} ${got.status} ${got.text.length}`);
  }
  agent.destroy();
  const headers = { "content-type": "application/json" };
  const made = JSON.parse((await main.ask({ path: "/threads", method: "POST", headers }, "{}")).text);
  const run = await main.ask({ path: `/threads/${made.thread_id}/runs/stream`, method: "POST", headers }, JSON.stringify({ assistant_id: "agent", input: { messages: [{ role: "user", content: "hello" }] }, stream_mode: ["values"] }));
  check(run.status === 200 && /event: values/.test(run.text), "a stream", run.text.slice(0, 300));
  const w = new WebSocket(`wss://localhost:${main.tlsPort}/threads/${made.thread_id}/stream/events`, { ca });
  const answer = new Promise((resolve, reject) => { w.on("message", (d) => resolve(JSON.parse(String(d)))); w.on("error", reject); });
  w.on("open", () => w.send(JSON.stringify({ id: 1, method: "subscription.subscribe", params: { channels: ["values"] } })));
  equal((await answer).id, 1, "a WebSocket");
  w.terminate();
  // Several requests in one record, and one in many records.
  const s = await shake(main.tlsPort), request = "GET /ok HTTP/1.1\r\nhost: localhost\r\n\r\n";
  let text = "";
  s.on("data", (d) => { text += d; });
  s.write(request.repeat(20));
  await until(() => text.split("HTTP/1.1 200").length === 21, "twenty answers");
  text = "";
  for (const c of request) s.write(c);
  await until(() => text.includes("HTTP/1.1 200"), "an answer to a request in small pieces");
  s.write("GET /ok HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
  await ended(s);
  check(!s.destroyed || s.readableEnded, "it ends with a word of TLS");
});

await scenario("a reader that stops gets all of it later", async () => {
  const headers = { "content-type": "application/json" }, value = { text: "z".repeat(1000000) };
  await main.ask({ path: "/store/items", method: "PUT", headers }, JSON.stringify({ namespace: ["big"], key: "k", value }));
  const s = await shake(main.tlsPort);
  let n = 0;
  s.pause();
  s.write("GET /store/items?namespace=big&key=k HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20));
  await until(async () => await metric(main, "cohort_http_output_bytes") > 0, "bytes to wait");
  s.on("data", (d) => { n += d.length; });
  s.resume();
  await until(() => n > 20 * 1000000, "all of them");
  s.destroy();
});

await scenario("sessions are resumed", async () => {
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const one = await shake(main.tlsPort, { minVersion: version, maxVersion: version });
    one.resume();
    const session = await until(() => one.ticket, `${version}: a ticket`);
    const two = await shake(main.tlsPort, { session, minVersion: version, maxVersion: version });
    check(two.isSessionReused(), `${version}: resumed`);
    const bad = Buffer.from(session);
    for (let i = 200; i < 260; i++) bad[i] ^= 1;
    const three = await shake(main.tlsPort, { session: bad, minVersion: version, maxVersion: version }).catch(() => undefined);
    check(!three?.isSessionReused(), `${version}: not with a ticket of somebody's making`);
    for (const s of [one, two, three]) s?.destroy();
  }
  check(await metric(main, "cohort_tls_resumed_total") === 2, "counted");
});

await scenario("certificates that are not good end the start", async () => {
  copyFileSync(pem("localhost.key"), pem("open.key"));
  chmodSync(pem("open.key"), 0o644);
  copyFileSync(pem("localhost.key"), pem("group.key"));
  chmodSync(pem("group.key"), 0o640);
  writeFileSync(pem("empty.pem"), "");
  openssl("pkey", "-in", "localhost.key", "-aes256", "-passout", "pass:x", "-out", "secret.key");
  const cert = pem("localhost.pem");
  for (const [args, words] of [
    [["--tls-cert", cert, "--tls-key", pem("open.key")], "others than its owner can use it (mode 644)"],
    [["--tls-cert", cert, "--tls-key", pem("group.key")], "others than its owner can use it (mode 640)"],
    [["--tls-cert", cert, "--tls-key", pem("secret.key")], "the key is encrypted"],
    [["--tls-cert", cert, "--tls-key", pem("wild.key")], "the key is not that of the certificate"],
    [["--tls-cert", cert, "--tls-key", pem("none.key")], "none.key: No such file"],
    [["--tls-cert", pem("none.pem"), "--tls-key", pem("wild.key")], "none.pem: No such file"],
    [["--tls-cert", pem("empty.pem"), "--tls-key", pem("wild.key")], "expected a certificate in PEM"],
    [["--tls-cert", `${cert},${cert}`, "--tls-key", pem("localhost.key")], "got 2 certificates and 1 keys"],
    [["--tls-cert", cert], "--tls-cert: tls.cert needs tls.key"],
    [["--tls-key", cert], "--tls-key: tls.key needs tls.cert"],
    [["--listen", "https://127.0.0.1:0"], "--listen: https:// needs tls.cert and tls.key"],
  ]) {
    const said = await startServer({ args, memory: true }).then(() => "started", (e) => e.message);
    check(said.includes(words), words, said);
  }
});

await scenario("certificates are replaced while it runs", async () => {
  certificate("first", ["DNS:localhost", "IP:127.0.0.1"]);
  certificate("second", ["DNS:localhost", "IP:127.0.0.1"], ["-days", "3"]);
  for (const kind of ["pem", "key"]) copyFileSync(pem(`first.${kind}`), pem(`live.${kind}`));
  const s = await serveTls(["--tls-cert", pem("live.pem"), "--tls-key", pem("live.key")]);
  const old = await shake(s.tlsPort);
  equal(cn(old), "first", "the first");
  writeFileSync(pem("live.pem"), "nonsense");
  s.child.kill("SIGHUP");
  await until(() => s.log.includes("reload_failed") && s.log.includes("live.pem: expected a certificate in PEM"), "a bad one to be logged");
  const still = await shake(s.tlsPort);
  equal(cn(still), "first", "the old one stays");
  for (const kind of ["pem", "key"]) { copyFileSync(pem(`second.${kind}`), pem("next")); renameSync(pem("next"), pem(`live.${kind}`)); }
  s.child.kill("SIGHUP");
  await until(() => s.log.includes("certificates_reloaded"), "the second to be read");
  const fresh = await shake(s.tlsPort);
  equal(cn(fresh), "second", "new connections have the second");
  let text = "";
  old.on("data", (d) => { text += d; });
  old.write("GET /ok HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await until(() => text.includes("200 OK"), "the old connection to go on");
  check(/certificate_ends .*days=[23]$/m.test(s.log), "it ends soon, says the log", s.log);
  equal(await metric(s, "cohort_tls_certificate_end_seconds"), Math.floor(Date.parse(fresh.getPeerCertificate().valid_to) / 1000), "and a metric when");
  for (const c of [old, still, fresh]) c.destroy();
  await s.stop();
});

await scenario("a certificate that has ended", async () => {
  const s = await serveTls(certificate("over", ["DNS:localhost"], ["-days", "-1"]));
  check(/CERT_HAS_EXPIRED/.test(await refused(s.ask({}))), "a client refuses it");
  await until(() => s.log.includes("certificate_ended"), "the log to say so");
  equal((await s.ask({ rejectUnauthorized: false })).status, 200, "who does not look is served");
  await s.stop();
});

// node tests/e2e/tls.mjs 10000: so many, in place of 3,000.
await scenario("half-open connections", async () => {
  const many = Number(process.argv[2] ?? 3000), s = await serveTls(), half = [], hello = Buffer.from("16030102000100", "hex");
  let cut = 0;
  const before = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${s.child.pid}/status`, "utf8"))[1]);
  for (let i = 0; i < many; i++) {
    const c = net.connect(s.tlsPort, "127.0.0.1");
    c.on("error", () => {}).on("close", () => { cut++; });
    if (i % 2 === 0) c.write(hello);
    half.push(c);
    if (i % 500 === 499) await new Promise((resolve) => { c.connecting ? c.once("connect", resolve) : resolve(); });
  }
  // On a slow machine the first may have been cut before the last has connected.
  await until(async () => await metric(s, "cohort_tls_connections") + cut >= many, "them to be there");
  const answers = await Promise.all(Array.from({ length: 50 }, () => s.ask({})));
  check(answers.every((r) => r.status === 200), "others are served meanwhile");
  const after = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${s.child.pid}/status`, "utf8"))[1]);
  check(await metric(s, "cohort_tls_bytes") <= 512 * 1024 * 1024 && after - before < 600 * 1024, "what they hold has a bound", `${after - before} KB`);
  console.log(`     ${many} half-open: ${after - before} KB, half of them with a part of a handshake`);
  for (const c of half) c.destroy();
  await until(async () => await metric(s, "cohort_tls_connections") === 0, "them to be gone");
  equal(await metric(s, "cohort_tls_bytes"), 0, "and all that they held");
  await s.stop();
});

// ---- client certificates -----------------------------------------------------------------

certificate("client", ["DNS:client"], undefined, undefined, "clientAuth");
certificate("client2", ["DNS:client2"], undefined, undefined, "clientAuth");
certificate("late", ["DNS:late"], ["-days", "-1"], undefined, "clientAuth");
openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "foreign.key", "-out", "foreign.pem", "-days", "30", "-subj", "/CN=client");
const shows = (name) => ({ cert: readFileSync(pem(`${name}.pem`)), key: readFileSync(pem(`${name}.key`)) });
const digest = (name) => createHash("sha256").update(new X509Certificate(readFileSync(pem(`${name}.pem`))).raw).digest("hex");
const asks = (who) => [...localhost, "--tls-client-ca", pem("ca.pem"), "--tls-client-auth", who];
const json = { "content-type": "application/json" };

await scenario("client certificates: optional, required", async () => {
  for (const who of ["optional", "required"]) {
    const s = await serveTls(asks(who));
    const none = await refused(s.ask({}));
    check(who === "optional" ? none === "answered 200" : /CERTIFICATE_REQUIRED|ALERT|ECONNRESET/i.test(none), `${who}: without one`, none);
    equal((await s.ask(shows("client"))).status, 200, `${who}: with one`);
    for (const bad of ["foreign", "late", "localhost"]) {
      const said = await refused(s.ask(shows(bad)));
      check(!said.startsWith("answered"), `${who}: ${bad} is refused`, said);
    }
    await until(() => s.log.includes("handshake_failed"), "the log to say so");
    await s.stop();
  }
});

await scenario("client certificates: workers", async () => {
  const s = await serveTls(asks("workers"));
  equal((await s.ask({})).status, 200, "other routes need none");
  const without = await s.ask({ path: "/workers", method: "POST", headers: json }, "{}");
  check(without.status === 403 && without.text.includes("tls.client-auth: workers"), "a worker without one", without);
  equal((await call(s, "POST", "/workers", {})).status, 403, "nor by an address without TLS");
  check((await s.ask({ path: "/workers", method: "POST", headers: json, ...shows("client") }, "{}")).status !== 403, "a worker with one");
  // The workers' own libraries, with what the environment has.
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, COHORT_CA: pem("ca.pem"), COHORT_CERT: pem("client.pem"), COHORT_CERT_KEY: pem("client.key"), PYTHONPATH: path.join(repo, "clients/python"), PYTHONDONTWRITEBYTECODE: "1" };
  const url = `https://localhost:${s.tlsPort}`;
  const js = `import { Wire } from ${JSON.stringify(path.join(repo, "clients/js/src/wire.js"))}; const w = new Wire({ url: "${url}" }); const r = await w.once("POST", "/workers", {}); console.log(r.status); w.close();`;
  const py = `from cohort_worker.wire import Wire\nprint(Wire("${url}").once("POST", "/workers", b"{}")[0])`;
  for (const [name, program, args] of [["JavaScript", process.execPath, ["--input-type=module", "-e", js]], ["Python", "python3", ["-c", py]]]) {
    const run = (more) => { try { return execFileSync(program, args, { env: { ...env, ...more }, stdio: ["ignore", "pipe", "pipe"] }).toString().trim(); } catch (e) { return String(e.stderr); } };
    equal(run({}), "422", `${name}: let in`);
    equal(run({ COHORT_CERT: "" }), "403", `${name}: not without a certificate`);
    check(/certificate/i.test(run({ COHORT_CA: "" })), `${name}: does not trust everybody`);
  }
  await s.stop();
});

await scenario("a key that is bound to a certificate", async () => {
  const dir = scratch(), keys = path.join(dir, "keys"), bin = (args, env = {}) => {
    try { return execFileSync(binary, args, { env: { PATH: process.env.PATH, HOME: dir, ...env }, stdio: ["ignore", "pipe", "pipe"] }).toString(); } catch (e) { return String(e.stderr); }
  };
  const [key, line] = ((text) => [/ck_\S+/.exec(text)[0], /^[0-9a-f]{64} .*$/m.exec(text)[0]])(bin(["token", "--api-key", "--sub", "ann", "--limits", `cert=${digest("client")} scopes=admin`]));
  writeFileSync(keys, `${line}\n`, { mode: 0o600 });
  const s = await serveTls(asks("optional"), ["--api-keys", keys]);
  const search = { path: "/threads/search", method: "POST", headers: { ...json, "x-api-key": key } };
  equal((await s.ask({ ...search, ...shows("client") }, "{}")).status, 200, "with its certificate");
  for (const [name, options, words] of [["none", {}, "shows none"], ["another", shows("client2"), "shows another"]]) {
    const r = await s.ask({ ...search, ...options }, "{}");
    check(r.status === 401 && r.text.includes("bound to a client certificate") && r.text.includes(words), `with ${name}`, r);
  }
  equal((await call(s, "POST", "/threads/search", {}, { "x-api-key": key })).status, 401, "by an address without TLS");
  // A session that is resumed is its maker's.
  const one = await shake(s.tlsPort, shows("client"));
  one.resume();
  const session = await until(() => one.ticket, "a ticket"), two = await shake(s.tlsPort, { session });
  let text = "";
  two.on("data", (d) => { text += d; });
  two.write(`POST /threads/search HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`);
  await until(() => text.includes("\r\n\r\n"), "an answer");
  check(two.isSessionReused() && text.startsWith("HTTP/1.1 200"), "a resumed session shows it too", text.slice(0, 200));
  // What is trusted may have changed: a reload ends resumption.
  s.child.kill("SIGHUP");
  await until(() => s.log.includes("certificates_reloaded"), "a reload");
  const three = await shake(s.tlsPort, { session });
  check(!three.isSessionReused(), "after a reload all of them show it again");
  for (const c of [one, two, three]) c.destroy();
  // The command.
  const url = `https://localhost:${s.tlsPort}`, env = { COHORT_CA: pem("ca.pem"), COHORT_CERT: pem("client.pem"), COHORT_CERT_KEY: pem("client.key"), COHORT_API_KEY: key };
  const list = ["runs", "list", "--json", "--url", url];
  check(!/cohort/.test(bin(list, env)), "the command shows it", bin(list, env));
  check(bin(list, { ...env, COHORT_CERT: "" }).includes("shows none"), "and says when it is missing", bin(list, { ...env, COHORT_CERT: "" }));
  check(bin(list, { ...env, COHORT_CA: "" }).includes("COHORT_CA names a file"), "and when the server's is not good", bin(list, { ...env, COHORT_CA: "" }));
  await s.stop();
  writeFileSync(keys, `${line.replace(/cert=\S+/, "cert=12")}\n`, { mode: 0o600 });
  const said = await startServer({ args: ["--api-keys", keys], memory: true }).then(() => "started", (e) => e.message);
  check(said.includes("keys:1: cert=: expected the SHA-256"), "a word that is none", said);
  // By a Unix socket of the server.
  const socketPath = path.join(dir, "s"), u = await startServer({ args: ["--listen", `unix:${socketPath}`], memory: true });
  check(!/cannot|expected/.test(bin(["runs", "list", "--url", `unix:${socketPath}`])), "the command speaks to a Unix socket", bin(["runs", "list", "--url", `unix:${socketPath}`]));
  await u.stop();
});

await scenario("settings of client certificates that cannot be", async () => {
  for (const [args, words] of [
    [[...localhost, "--tls-client-auth", "required"], "tls.client-auth needs tls.client-ca"],
    [[...localhost, "--tls-client-ca", pem("ca.pem")], "tls.client-ca needs tls.client-auth"],
    [["--tls-client-ca", pem("ca.pem"), "--tls-client-auth", "required"], "client certificates need tls.cert"],
    [[...localhost, "--tls-client-ca", pem("empty.pem"), "--tls-client-auth", "required"], "empty.pem: expected certificates in PEM"],
    [[...localhost, "--tls-client-ca", pem("none.pem"), "--tls-client-auth", "required"], "none.pem: expected certificates in PEM: No such file"],
  ]) {
    const said = await startServer({ args, memory: true }).then(() => "started", (e) => e.message);
    check(said.includes(words), words, said);
  }
});

// ---- proxies ----------------------------------------------------------------------------

// A connection that a proxy makes for a client: its header, then HTTP, or TLS.
function through(port, header, { secure = false, headers = "", target = "/ok" } = {}) {
  return new Promise((resolve) => {
    const s = net.connect({ port, host: "127.0.0.1", localAddress: "127.0.0.3" });
    let text = "";
    const use = (c) => { c.on("data", (d) => { text += d; }); c.on("error", () => {}); c.write(`GET ${target} HTTP/1.1\r\nhost: localhost\r\n${headers}connection: close\r\n\r\n`); };
    s.on("error", () => {});
    s.on("close", () => resolve(text));
    s.write(header);
    if (!secure) { use(s); return; }
    const c = tls.connect({ socket: s, servername: "localhost", ca }, () => use(c));
    c.on("error", () => {});
  });
}
const v1 = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n";
const v2 = Buffer.concat([Buffer.from("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "latin1"), Buffer.from([203, 0, 113, 9, 192, 0, 2, 1, 0x12, 0x67, 1, 187])]);

await scenario("clients through proxies", async () => {
  const audit = path.join(scratch(), "audit"), keys = path.join(scratch(), "keys"), socketPath = path.join(scratch(), "s");
  writeFileSync(keys, `${createHash("sha256").update("ck_x").digest("hex")} ann\n`, { mode: 0o600 });
  const s = await startServer({ args: ["--listen", `unix:${socketPath}`, "--api-keys", keys, "--audit-file", audit, "--log-access", "--proxy-trusted", "127.0.0.3, unix"], memory: true });
  const from = (localAddress, headers, { body, ...more } = {}) => ask({ host: "127.0.0.1", port: s.port, localAddress, headers: { host: "localhost", ...headers }, ...more }, body);
  const seen = async (name) => until(() => s.log.split("\n").find((l) => l.includes(`path=/${name} `)), `a line of ${name}`);
  await from("127.0.0.3", { "x-forwarded-for": "127.0.0.1, 203.0.113.9" }, { path: "/one" });
  check((await seen("one")).includes("peer=203.0.113.9:0"), "a trusted proxy's word counts", s.log);
  await from("127.0.0.4", { "x-forwarded-for": "203.0.113.9", forwarded: "for=203.0.113.9" }, { path: "/two" });
  check((await seen("two")).includes("peer=127.0.0.4:"), "another's does not", s.log);
  await ask({ socketPath, path: "/three", headers: { host: "localhost", forwarded: "for=\"[2001:db8::1]:4711\";proto=https" } });
  check((await seen("three")).includes("peer=[2001:db8::1]:4711"), "by a Unix socket", s.log);
  const json = { "x-api-key": "ck_x", "content-type": "application/json" };
  await from("127.0.0.3", { ...json, "x-forwarded-for": "203.0.113.9" }, { path: "/assistants", method: "POST", body: JSON.stringify({ graph_id: "agent" }) });
  await until(() => existsSync(audit) && readFileSync(audit, "utf8").includes("203.0.113.9"), "the audit log to have the client");

  // What an agent's card says of this server's address.
  const key = { "x-api-key": "ck_x" }, assistants = JSON.parse((await from("127.0.0.1", json, { path: "/assistants/search", method: "POST", body: "{}" })).text);
  const id = assistants[0]?.assistant_id, card = async (address, headers) => JSON.parse((await from(address, { ...key, ...headers }, { path: `/.well-known/agent-card.json?assistant_id=${id}` })).text).url;
  check((await card("127.0.0.3", { "x-forwarded-proto": "https" })).startsWith("https://"), "https, says a trusted proxy");
  check((await card("127.0.0.4", { "x-forwarded-proto": "https" })).startsWith("http://"), "anybody else does not");
  await s.stop();
});

await scenario("workers without authentication are near, also through a proxy", async () => {
  const s = await startServer({ args: ["--proxy-trusted", "127.0.0.1"], memory: true });
  equal((await call(s, "POST", "/workers", {}, { "x-forwarded-for": "203.0.113.9" })).status, 403, "a client far away");
  check((await call(s, "POST", "/workers", {}, { "x-forwarded-for": "127.0.0.1" })).status !== 403, "a near one");
  await s.stop();
});

await scenario("the PROXY protocol of trusted proxies", async () => {
  const s = await serveTls(localhost, ["--log-access", "--proxy-trusted", "127.0.0.3", "--proxy-protocol"]), { tlsPort } = s;
  for (const [name, header] of [["one", v1], ["two", v2]]) {
    check((await through(tlsPort, header, { secure: true, target: `/v${name}` })).startsWith("HTTP/1.1 404"), `version ${name} before TLS`);
    await until(() => s.log.includes(`path=/v${name} `), "its line");
    check(s.log.split("\n").find((l) => l.includes(`path=/v${name} `)).includes("peer=203.0.113.9:4711"), `version ${name}: the client`, s.log);
  }
  equal(await through(tlsPort, "", { secure: true }), "", "TLS without a header is closed");
  equal(await through(tlsPort, "PROXY TCP4 nonsense\r\n", { secure: true }), "", "a bad header too");
  await until(() => s.log.split("proxy_header").length >= 3, "both to be logged");
  await s.stop();
});

await scenario("settings of proxies that cannot be", async () => {
  for (const [args, words] of [
    [["--proxy-protocol"], "--proxy-protocol: proxy.protocol needs proxy.trusted"],
    [["--proxy-trusted", "localhost"], "--proxy-trusted: expected an address, a network as 10.0.0.0/8, or unix, got \"localhost\""],
    [["--proxy-trusted", "10.0.0.0/40"], "got \"10.0.0.0/40\""],
  ]) {
    const said = await startServer({ args, memory: true }).then(() => "started", (e) => e.message);
    check(said.includes(words), words, said);
  }
});

await Promise.all([slow, silent]);
await main.stop();
finish();
