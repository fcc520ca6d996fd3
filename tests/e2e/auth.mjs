// auth.mjs - who is asking: tokens by a JWK set that turns, a verifier that answers,
// lies, hangs and dies, keys that are taken away.  Tokens are signed here.
import { createHash, createHmac, generateKeyPairSync, sign as cryptoSign } from "node:crypto";
import { writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { call, check, equal, finish, processes, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const skew = 30, part = (x) => Buffer.from(JSON.stringify(x)).toString("base64url");
const bearer = (token) => ({ authorization: `Bearer ${token}` });
const now = () => Math.floor(Date.now() / 1000);

function makeKey(kid, type) {
  const pair = type === "RSA" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { kid, alg: type === "RSA" ? "RS256" : "ES256", ...pair, jwk: { ...pair.publicKey.export({ format: "jwk" }), kid, use: "sig" } };
}

function token(key, claims, header = {}) {
  const text = `${part({ alg: key.alg, kid: key.kid, typ: "JWT", ...header })}.${part({ exp: now() + 3600, ...claims })}`;
  const s = cryptoSign("sha256", Buffer.from(text), key.alg === "ES256" ? { key: key.privateKey, dsaEncoding: "ieee-p1363" } : key.privateKey);
  return `${text}.${s.toString("base64url")}`;
}

function hmacToken(secret, header, claims) {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

// A server that answers as `site.answer(req, res)` says, and counts.
async function startSite() {
  const site = { count: 0, seen: [], answer: (req, res) => res.end("{}") };
  site.http = http.createServer((req, res) => { site.count++; site.seen.push(req.headers); site.answer(req, res); });
  await new Promise((r) => site.http.listen(0, "127.0.0.1", r));
  site.port = site.http.address().port;
  site.url = `http://127.0.0.1:${site.port}`;
  site.json = (x, headers = {}) => { site.answer = (req, res) => { res.writeHead(200, { "content-type": "application/json", ...headers }); res.end(JSON.stringify(x)); }; };
  site.stop = () => new Promise((r) => { site.http.close(r); site.http.closeAllConnections(); });
  site.start = () => new Promise((r) => site.http.listen(site.port, "127.0.0.1", r));
  return site;
}

const status = async (server, headers, method = "POST", target = "/threads") => (await call(server, method, target, method === "GET" ? undefined : {}, headers)).status;

const dir = scratch();
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const stall = JSON.stringify({ assistant_id: "agent", input: { messages: "mock:stall" }, stream_mode: "messages-tuple" });

// A stream of a run that does not end; it is read until it does.
async function stallingStream(server, headers) {
  const thread = (await call(server, "POST", "/threads", {}, headers)).json.thread_id;
  let text = "", how = "open";
  const r = await fetch(`${server.url}/threads/${thread}/runs/stream`, { method: "POST", body: stall, headers: { ...headers, "content-type": "application/json" } });
  const end = (async () => { try { for await (const d of r.body) text += Buffer.from(d).toString(); how = "closed"; } catch { how = "reset"; } })();
  await until(() => text.includes("event: messages"), "words of the stream");
  return { r, end, how: () => how };
}

await scenario("a JWK set in a file", async () => {
  const rsa = makeKey("r", "RSA"), ec = makeKey("e", "EC"), file = path.join(dir, "jwks.json");
  writeFileSync(file, JSON.stringify({ keys: [rsa.jwk, ec.jwk] }));
  const server = await startServer({ mock, dir, memory: true, args: ["--auth-jwks", file, "--jwt-issuer", "me", "--jwt-audience", "us"] });
  const good = { sub: "ann", iss: "me", aud: ["them", "us"] };
  equal(await status(server, bearer(token(rsa, good))), 200, "RS256");
  equal(await status(server, bearer(token(ec, good))), 200, "ES256");
  equal(await status(server, bearer(token(ec, good))), 200, "ES256, another signature");
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
  const bad = {
    "none": `${part({ alg: "none" })}.${part(good)}.`,
    "none with a signature": `${part({ alg: "none" })}.${part(good)}.AAAA`,
    "the public key as a secret": hmacToken(pem, { alg: "HS256", kid: "r" }, good),
    "the JWK as a secret": hmacToken(JSON.stringify(rsa.jwk), { alg: "HS256", kid: "r" }, good),
    "an empty secret": hmacToken("", { alg: "HS256" }, good),
    "a path as kid": token(rsa, good, { kid: "../../jwks.json" }),
    "SQL as kid": token(rsa, good, { kid: "r' OR '1'='1" }),
    "a long kid": token(rsa, good, { kid: "r".repeat(3000) }),
    "its own key": token(makeKey("x", "RSA"), good, { kid: "x", jwk: makeKey("x", "RSA").jwk }),
    "its own address": token(rsa, good, { kid: "y", jku: "http://127.0.0.1:1/jwks" }),
    "another's kid": token(rsa, good, { kid: "e" }),
    "another's algorithm": token(rsa, good, { alg: "ES256", kid: "e" }),
    "an encrypted one that is dear to open": `${part({ alg: "PBES2-HS256+A128KW", enc: "A128GCM", p2c: 2147483647, zip: "DEF" })}.a.a.a.a`,
    "zeros": `${part({ alg: "ES256", kid: "e" })}.${part(good)}.${Buffer.alloc(64).toString("base64url")}`,
    "expired": token(rsa, { ...good, exp: now() - skew - 1 }),
    "not yet": token(rsa, { ...good, nbf: now() + skew + 10 }),
    "another issuer": token(rsa, { ...good, iss: "you" }),
    "another audience": token(rsa, { ...good, aud: ["them"] }),
    "no subject": token(rsa, { iss: "me", aud: "us" }),
  };
  for (const [what, t] of Object.entries(bad)) {
    const r = await call(server, "POST", "/threads", {}, bearer(t));
    equal([r.status, r.headers.get("www-authenticate")], [401, "Bearer"], what);
    check(/^Failed to verify JWT token/.test(r.json.detail), `${what}: its reason`, r.json.detail);
  }
  equal(await status(server, { "x-auth-scheme": "langsmith" }), 401, "Studio's header");
  check((await call(server, "POST", "/threads", {}, { "x-auth-scheme": "langsmith" })).json.detail.includes("x-auth-scheme: langsmith"), "is refused by name");
  const short = bearer(token(rsa, { ...good, exp: now() + 2 - skew }));
  const s = await stallingStream(server, short);
  await s.end;
  equal([s.how(), await status(server, short)], ["reset", 401], "a stream ends with its token");
  writeFileSync(file, JSON.stringify({ keys: [ec.jwk] }));
  server.child.kill("SIGHUP");
  await until(async () => (await status(server, bearer(token(rsa, good)))) === 401, "the key to be gone");
  equal(await status(server, bearer(token(ec, good))), 200, "the other key stays");
  writeFileSync(file, "{}");
  server.child.kill("SIGHUP");
  await until(() => server.log.includes("reload_failed"), "the bad file to be refused");
  equal(await status(server, bearer(token(ec, good))), 200, "a bad file changes nothing");
  await server.stop();
});

await scenario("a JWK set at an address that turns", async () => {
  const site = await startSite(), one = makeKey("1", "EC"), two = makeKey("2", "RSA");
  await site.stop();
  const server = await startServer({ mock, dir, memory: true, args: ["--auth-jwks", `${site.url}/jwks`] });
  const r = await call(server, "POST", "/threads", {}, bearer(token(one, { sub: "ann" })));
  equal([r.status, r.headers.get("retry-after")], [503, "1"], "without keys nobody is let in");
  await until(() => server.log.includes("jwks_failed"), "a line in the log");
  await server.stop();

  site.json({ keys: [one.jwk] });
  await site.start();
  const b = await startServer({ mock, dir, memory: true, args: ["--auth-jwks", `${site.url}/jwks`] });
  equal(await status(b, bearer(token(one, { sub: "ann" }))), 200, "fetched at start");
  equal(site.count, processes(b), "once by each node");
  await site.stop();
  equal(await status(b, bearer(token(one, { sub: "bob" }))), 200, "kept when the issuer is down");
  const many = await Promise.all(Array.from({ length: 20 }, (_, i) => status(b, bearer(token(two, { sub: `u${i}` })))));
  equal([...new Set(many)], [401], "an unknown key is refused");
  equal(await status(b, bearer(token(one, { sub: "bob" }))), 200, "and the old keys stay");
  await b.stop();
  await site.start();
  site.json({ keys: [one.jwk] });
  const d = await startServer({ mock, dir, memory: true, args: ["--auth-jwks", `${site.url}/jwks`] });
  equal(await status(d, bearer(token(one, { sub: "ann" }))), 200, "a key");
  site.json({ keys: [one.jwk, two.jwk] });
  const asked = site.count;
  const turned = await Promise.all(Array.from({ length: 20 }, (_, i) => status(d, bearer(token(two, { sub: `u${i}` })))));
  equal([...new Set(turned)], [200], "tokens of a new key are believed at once");
  check(site.count > asked && site.count <= asked + processes(d), "after one fetch for all of them", site.count - asked);
  const unknown = await Promise.all(Array.from({ length: 20 }, (_, i) => status(d, bearer(token(one, { sub: "x" }, { kid: `k${i}` })))));
  equal([...new Set(unknown)], [401], "keys that nobody has");
  check(site.count <= asked + processes(d), "are not asked for one by one", site.count - asked);
  await d.stop();
  site.json({ keys: [one.jwk] });
  const c = await startServer({ mock, dir, memory: true, args: ["--auth-jwks", `${site.url}/jwks`] });
  equal(await status(c, bearer(token(one, { sub: "ann" }))), 200, "the first key");
  site.json({ keys: [two.jwk] });
  const before = site.count;
  c.child.kill("SIGHUP");
  await until(() => site.count >= before + processes(c), "each node to fetch it");   // and only then a token, which would be a second reason
  await until(async () => (await status(c, bearer(token(two, { sub: "ann" })))) === 200, "the second key");
  equal(site.count, before + processes(c), "one fetch");
  equal(await status(c, bearer(token(one, { sub: "ann" }))), 401, "the first is gone, though it was verified before");
  for (const [what, answer] of Object.entries({
    "an error": (req, res) => { res.writeHead(500); res.end(); },
    "garbage": (req, res) => res.end("<html>"),
    "no keys": (req, res) => res.end('{"keys":[]}'),
    "twins": (req, res) => res.end(JSON.stringify({ keys: [two.jwk, two.jwk] })),
    "two megabytes": (req, res) => res.end(JSON.stringify({ keys: [two.jwk], x: "x".repeat(2 << 20) })),
    "a redirect": (req, res) => { res.writeHead(302, { location: "/other" }); res.end(); },
  })) {
    site.answer = answer;
    const failures = () => (c.log.match(/jwks_failed/g) ?? []).length, was = failures();
    c.child.kill("SIGHUP");
    await until(() => failures() > was, `${what} to be refused`);
    equal(await status(c, bearer(token(two, { sub: "ann" }))), 200, `${what}: the old keys stay`);
  }
  await c.stop();
  await site.stop();
});

await scenario("a verifier", async () => {
  const site = await startSite(), args = ["--auth-remote-url", `${site.url}/auth/v1/user`, "--auth-cache-ttl-seconds", "1"];
  const user = { id: "u-1", aud: "authenticated", role: "authenticated", email: "ann@example.org", app_metadata: { org: "acme" }, scope: "threads:read a" };
  const server = await startServer({ mock, dir, memory: true, args, env: { COHORT_AUTH_REMOTE_KEY: "anon" } });
  site.json(user);
  equal(await status(server, {}), 401, "no credentials");
  equal(site.count, 0, "need no question");
  equal(await status(server, bearer("t1")), 200, "a token that it knows");
  equal([site.seen[0].authorization, site.seen[0].apikey], ["Bearer t1", "anon"], "is shown to it as it came");
  let held = [];
  site.answer = (req, res) => held.push(res);
  const asked = site.count, crowd = Array.from({ length: 50 }, () => status(server, bearer("t2")));
  await until(() => held.length === processes(server), "a question");
  equal((await call(server, "GET", "/ok")).status, 200, "meanwhile others are served");
  for (const res of held) { res.writeHead(200); res.end(JSON.stringify({ ...user, id: "u-2" })); }
  equal([...new Set(await Promise.all(crowd))], [200], "fifty requests with one token");
  equal(site.count, asked + processes(server), "are one question of each node");

  site.json({ ...user, id: "u-3" });
  const thread = (await call(server, "POST", "/threads", {}, bearer("t3"))).json.thread_id;
  site.json(user);
  equal(await status(server, bearer("t4"), "GET", `/threads/${thread}`), 404, "another user's thread");

  const wrong = {
    "401": [401, (req, res) => { res.writeHead(401); res.end('{"msg":"no"}'); }],
    "403": [401, (req, res) => { res.writeHead(403); res.end(); }],
    "500": [503, (req, res) => { res.writeHead(500); res.end(); }],
    "429": [503, (req, res) => { res.writeHead(429); res.end(); }],
    "302": [503, (req, res) => { res.writeHead(302, { location: "/" }); res.end(); }],
    "204": [503, (req, res) => { res.writeHead(204); res.end(); }],
    "garbage": [503, (req, res) => res.end("<html>")],
    "an array": [503, (req, res) => res.end('[{"id":"x"}]')],
    "no user": [503, (req, res) => res.end('{"id":""}')],
    "a null user": [503, (req, res) => res.end('{"id":null,"sub":{}}')],
    "a huge answer": [503, (req, res) => res.end(JSON.stringify({ ...user, x: "x".repeat(1 << 20) }))],
    "no answer": [503, (req, res) => req.socket.destroy()],
    "half an answer": [503, (req, res) => { res.writeHead(200, { "content-length": "1000" }); res.write("{"); setTimeout(() => req.socket.destroy(), 10); }],
  };
  for (const [what, [code, answer]] of Object.entries(wrong)) {
    site.answer = answer;
    const r = await call(server, "POST", "/threads", {}, bearer(`w-${what.replace(/ /g, "-")}`));
    equal([r.status, r.headers.get("retry-after")], [code, code === 503 ? "1" : null], what);
  }
  let drip;
  site.answer = (req, res) => { res.writeHead(200); drip = setInterval(() => res.write(" "), 500); };
  const began = Date.now(), slow = await call(server, "POST", "/threads", {}, bearer("slow"));
  clearInterval(drip);
  equal(slow.status, 503, "an answer that drips");
  check(Date.now() - began < 30000, "is waited for within the limit", Date.now() - began);

  site.json(user);
  const s = await stallingStream(server, bearer("t5"));
  site.answer = (req, res) => { res.writeHead(500); res.end(); };
  await until(() => site.seen.filter((h) => h.authorization === "Bearer t5").length > 2, "it to be asked again");
  equal(s.how(), "open", "a stream lasts while the verifier is ill");
  site.answer = (req, res) => { res.writeHead(401); res.end(); };
  await s.end;
  equal(s.how(), "reset", "and ends when it says no");
  await site.stop();
  equal(await status(server, bearer("t6")), 503, "a verifier that is gone");
  await server.stop();
});

await scenario("the mock's verifier", async () => {
  const slow = await startMock(["--delay-ms", "300"]);
  const server = await startServer({ mock, dir, memory: true, args: ["--auth-remote-url", `${slow.url}/auth/v1/user`] });
  const timed = async (t, at = server) => { const began = Date.now(); return [await status(at, bearer(t)), Date.now() - began >= 290]; };
  equal((await Promise.all((server.nodes ?? [server]).map((x) => timed("ann", x)))).flat(), Array.from({ length: processes(server) }, () => [200, true]).flat(), "a user, after its delay");
  equal(await timed("ann"), [200, false], "whose answer is kept");
  equal(await timed("bad"), [401, true], "a bad token");
  equal((await call(slow, "GET", "/auth/v1/user")).status, 401, "none");
  await server.stop();
  await slow.stop();
});

await scenario("owners of organisations", async () => {
  const key = makeKey("k", "EC"), file = path.join(dir, "jwks.json");
  writeFileSync(file, JSON.stringify({ keys: [key.jwk] }));
  const server = await startServer({ mock, dir, memory: true, args: ["--auth-jwks", file, "--auth-scope", "org", "--auth-org-claim", "app_metadata.org"] });
  const who = (sub, org) => bearer(token(key, { sub, app_metadata: { org } }));
  const thread = (await call(server, "POST", "/threads", {}, who("ann", "acme"))).json.thread_id;
  equal(await status(server, who("bob", "acme"), "GET", `/threads/${thread}`), 200, "a colleague sees it");
  equal(await status(server, who("ann", "other"), "GET", `/threads/${thread}`), 404, "another organisation does not");
  equal(await status(server, who("ann", undefined)), 403, "without an organisation nothing can be owned");
  equal(await status(server, who("ann", ["acme"])), 403, "nor with a list of them");
  await server.stop();
});

await scenario("a key that is taken away", async () => {
  const file = path.join(dir, "keys");
  const line = (key, owner) => `${createHash("sha256").update(key).digest("hex")} ${owner}\n`;
  writeFileSync(file, line("ck_ann", "ann") + line("ck_bob", "bob"), { mode: 0o600 });
  const server = await startServer({ mock, dir, memory: true, args: ["--api-keys", file] });
  const ann = await stallingStream(server, { "x-api-key": "ck_ann" }), bob = await stallingStream(server, { "x-api-key": "ck_bob" });
  writeFileSync(file, line("ck_bob", "bob"), { mode: 0o600 });
  server.child.kill("SIGHUP");
  await ann.end;
  equal([ann.how(), bob.how()], ["reset", "open"], "its streams end, others go on");
  equal(await status(server, { "x-api-key": "ck_ann" }), 401, "and it opens nothing");
  await server.stop();
  await bob.end;
});

await scenario("limits of keys and users", async () => {
  const file = path.join(dir, "limited"), line = (key, words) => `${createHash("sha256").update(key).digest("hex")} ann ${words}\n`;
  writeFileSync(file, line("ck_one", "concurrency=1") + line("ck_slow", "requests-per-second=3") + line("ck_poor", "tokens-per-day=1") + line("ck_free", "scopes=a"), { mode: 0o600 });
  const args = ["--api-keys", file, "--auth-limits-concurrency", "2"], at = scratch();
  const server = await startServer({ mock, dir: at, args }), key = (k) => ({ "x-api-key": k });
  const refused = async (what, r, limit, wait) => {
    equal(r.status, 429, what);
    check(r.json.detail.startsWith(`${limit}: `), `${what}: which limit`, r.json.detail);
    const after = Number(r.headers.get("retry-after"));
    check(after >= 1 && after <= wait, `${what}: when to come again`, after);
  };
  const thread = (await call(server, "POST", "/threads", {}, key("ck_one"))).json.thread_id;
  const alone = (target = thread) => new Promise((ok, no) => http.get(`${server.url}/threads/${target}`, { agent: false, headers: key("ck_one") }, (r) => r.resume().on("end", () => ok(r.statusCode))).on("error", no));
  const turns = [];
  for (let i = 0; i < 100; i++) turns.push(await alone());
  equal(turns.filter((s) => s !== 200), [], "who has an answer has a place for the next request, by another connection");
  const busy = (await call(server, "POST", "/threads", {}, key("ck_free"))).json.thread_id, relayed = [];
  await call(server, "POST", `/threads/${busy}/runs`, JSON.parse(stall), key("ck_free"));
  for (let i = 0; i < 100; i++) relayed.push(await alone(`${busy}/state`));
  equal(relayed.filter((s) => s !== 200), [], "also where another node answers, which has the thread");
  const stop = new AbortController();
  const stream = await fetch(`${server.url}/threads/${thread}/runs/stream`, { method: "POST", body: stall, headers: { ...key("ck_one"), "content-type": "application/json" }, signal: stop.signal });
  await refused("a second request beside a stream", await call(server, "POST", "/threads", {}, key("ck_one")), "concurrency", 1);
  equal(await status(server, key("ck_free")), 200, "another key of the owner");
  stop.abort();
  await stream.text().catch(() => {});
  await until(async () => (await status(server, key("ck_one"))) === 200, "room when the stream has ended");
  const burst = await Promise.all(Array.from({ length: 12 }, () => call(server, "GET", "/info", undefined, key("ck_slow"))));
  equal([...new Set(burst.map((r) => r.status))], [200], "open routes ask for no credentials");
  const many = await Promise.all(Array.from({ length: 12 }, () => call(server, "POST", "/threads/search", {}, key("ck_slow"))));
  check(many.filter((r) => r.status === 200).length >= 3, "a second's worth at once", many.map((r) => r.status));
  await refused("one that is too fast", many.find((r) => r.status !== 200), "requests-per-second", 1);
  const run = (k) => call(server, "POST", "/runs/wait", { assistant_id: "agent", input: { messages: "hi" } }, key(k));
  equal((await run("ck_poor")).status, 200, "the first run");
  await until(async () => (await run("ck_poor")).status === 429, "the day's tokens to be counted");
  await refused("the next run", await run("ck_poor"), "tokens-per-day", 86400);
  equal(await status(server, key("ck_poor")), 200, "what takes no tokens goes on");
  equal((await run("ck_free")).status, 200, "another key's runs too");
  await server.stop();
  const again = await startServer({ mock, dir: at, args });
  const poor = await call(again, "POST", "/threads", {}, key("ck_poor"));
  await refused("after a restart", await call(again, "POST", `/threads/${poor.json.thread_id}/runs/wait`, { assistant_id: "agent", input: { messages: "hi" } }, key("ck_poor")), "tokens-per-day", 86400);
  await again.stop();
});

await mock.stop();
finish();
