// session.mjs - browsers: a cookie in place of a token, what it is good for and when it
// ends; tickets; and that none of their names is in a log.
import { createHash, createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { call, check, equal, finish, parseEvents, raw, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const secret = "0123456789abcdef0123456789abcdef", skew = 30;
const part = (x) => Buffer.from(JSON.stringify(x)).toString("base64url");
function token(claims) {
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
const now = () => Math.floor(Date.now() / 1000);
const bearer = (sub, more = {}) => ({ authorization: `Bearer ${token({ sub, ...more })}` });
const own = { "sec-fetch-site": "same-origin" };

const dir = scratch(), keys = path.join(dir, "keys"), audit = path.join(dir, "audit.jsonl");
const keyLine = (key, owner) => `${createHash("sha256").update(key).digest("hex")} ${owner}\n`;
writeFileSync(keys, keyLine("ck_carol", "carol") + keyLine("ck_dave", "dave"), { mode: 0o600 });
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock, dir, args: ["--jwt-secret", secret, "--api-keys", keys, "--audit-file", audit, "--log-level", "debug",
  "--http-logging-headers-includes", "cookie,sec-websocket-protocol,*", "--http-configurable-headers-includes", "cookie,sec-websocket-protocol,x-*"] });
const secrets = [];          // what must be in no log

// One request on a socket of its own, so that any header can be set, Host too.
function ask(method, target, headers = {}, body) {
  const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  const all = { host: `127.0.0.1:${server.port}`, ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }), ...headers };
  for (const k of Object.keys(all)) if (all[k] === null) delete all[k];
  return new Promise((resolve, reject) => {
    const q = http.request({ host: "127.0.0.1", port: server.port, method, path: target, headers: all, setHost: false, agent: false }, (res) => {
      let got = "";
      res.on("data", (d) => { got += d; });
      res.on("end", () => { let json; try { json = JSON.parse(got); } catch { /* none */ } resolve({ status: res.statusCode, headers: res.headers, text: got, json }); });
      res.on("error", reject);
    });
    q.on("error", reject);
    q.end(text);
  });
}

const cookieOf = (r) => r.headers["set-cookie"]?.[0].split(";")[0];
async function signIn(headers, more = {}) {
  const r = await ask("POST", "/session", { ...headers, ...more });
  equal(r.status, 200, `sign in ${r.text}`);
  secrets.push(cookieOf(r).split("=")[1]);
  return { cookie: cookieOf(r) };
}

await scenario("a cookie in place of a token", async () => {
  const r = await ask("POST", "/session", bearer("ann", { name: "Ann A", scope: "a b" }));
  equal(r.status, 200, "POST /session");
  const line = r.headers["set-cookie"][0];
  secrets.push(cookieOf(r).split("=")[1]);
  check(/^cohort-session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/.test(line), "the cookie on loopback", line);
  equal(r.headers["cache-control"], "no-store", "is not cached");
  const { expires_at, ...who } = r.json;
  equal(who, { auth: true, session: true, credentials: "jwt", user: "ann", owner: "ann", organization: null, name: "Ann A", email: null, role: null, scopes: ["a", "b"] }, "who it is");
  check(Math.abs(Date.parse(expires_at) - Date.now() - 43200000) < 60000, "and until when", expires_at);
  check(!r.text.includes(cookieOf(r).split("=")[1]) && !/eyJ/.test(r.text), "no secret in the body", r.text);
  const cookie = { cookie: cookieOf(r) };
  equal((await ask("GET", "/session", cookie)).json, r.json, "GET /session");
  const t = await ask("POST", "/threads", { ...cookie, ...own }, {});
  equal(t.status, 200, "a thread by cookie");
  equal((await ask("GET", `/threads/${t.json.thread_id}`, bearer("ann"))).status, 200, "is the user's");
  equal((await ask("GET", `/threads/${t.json.thread_id}`, bearer("bob"))).status, 404, "and nobody else's");
  equal((await ask("GET", "/session", bearer("ann"))).json.session, false, "a token is no session");
  const far = await ask("POST", "/session", { ...bearer("ann"), host: "chat.example.org" });
  check(/^__Host-cohort-session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/.test(far.headers["set-cookie"][0]), "the cookie elsewhere", far.headers["set-cookie"]);
  secrets.push(cookieOf(far).split("=")[1]);
  equal((await ask("GET", "/session", { cookie: cookieOf(far), host: "chat.example.org" })).status, 200, "is good there");
  equal((await ask("GET", "/session", { cookie: cookieOf(far).replace("__Host-", ""), host: "chat.example.org" })).status, 401, "not without its prefix");
  equal((await ask("GET", "/session", { cookie: cookieOf(far) })).status, 401, "and not under the other name");
  for (const host of ["localhost:1", "[::1]:7", "a.localhost"])
    check(/^cohort-session=.*Strict$/.test((await ask("POST", "/session", { ...bearer("ann"), host })).headers["set-cookie"][0]), `${host} is loopback`);
  for (const host of ["localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"])
    check(/^__Host-.*Secure$/.test((await ask("POST", "/session", { ...bearer("ann"), host })).headers["set-cookie"][0]), `${host} is not`);
});

await scenario("which pages it is good for", async () => {
  const cookie = await signIn(bearer("ann")), host = `127.0.0.1:${server.port}`;
  const rows = [
    [{}, 200, 403, "neither header"],
    [{ "sec-fetch-site": "same-origin" }, 200, 200, "our page"],
    [{ origin: `http://${host}` }, 200, 200, "our origin"],
    [{ origin: `http://${host}`, "sec-fetch-site": "same-origin" }, 200, 200, "both"],
    [{ "sec-fetch-site": "none" }, 200, 403, "the address bar"],
    [{ "sec-fetch-site": "same-site", origin: "http://127.0.0.1:3000" }, 403, 403, "another port"],
    [{ origin: "http://127.0.0.1:3000" }, 403, 403, "another port, an older browser"],
    [{ origin: `http://localhost:${server.port}` }, 403, 403, "another name of the machine"],
    [{ "sec-fetch-site": "cross-site", origin: "https://evil.example" }, 403, 403, "a foreign page"],
    [{ origin: "https://evil.example" }, 403, 403, "the same, an older browser"],
    [{ origin: "null" }, 403, 403, "a sandboxed frame"],
    [{ "sec-fetch-site": "cross-site", origin: `http://${host}` }, 403, 403, "a contradiction"],
  ];
  for (const [headers, safe, unsafe, what] of rows) {
    equal((await ask("GET", "/session", { ...cookie, ...headers })).status, safe, `GET: ${what}`);
    equal((await ask("POST", "/threads", { ...cookie, ...headers }, {})).status, unsafe, `POST: ${what}`);
    equal((await ask("DELETE", `/threads/${crypto.randomUUID()}`, { ...cookie, ...headers })).status, unsafe === 200 ? 404 : 403, `DELETE: ${what}`);
    equal((await ask("GET", "/ok", { ...cookie, ...headers })).status, 200, `an open route: ${what}`);
  }
  const r = await ask("POST", "/threads", cookie, {});
  check(/own/.test(r.json.detail) && /ticket/.test(r.json.detail), "the words", r.json.detail);
});

await scenario("which bodies it is good for", async () => {
  const cookie = { ...(await signIn(bearer("ann"))), ...own };
  for (const [type, status] of [["application/json", 200], ["Application/JSON; charset=utf-8", 200], ["text/plain", 415], ["application/x-www-form-urlencoded", 415],
    ["multipart/form-data; boundary=x", 415], ["application/jsonp", 415], ["text/plain; application/json", 415], [null, 415], ["", 415]])
    equal((await ask("POST", "/threads", { ...cookie, "content-type": type }, "{}")).status, status, `Content-Type ${type}`);
  equal((await ask("POST", "/threads", { ...cookie, "content-type": "text/plain" }, "")).status, 415, "an empty body that says it is text");
  equal((await ask("POST", "/threads/search", cookie)).status, 200, "no body, no type");
  const text = await raw(server, `POST /threads HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookie.cookie}\r\nSec-Fetch-Site: same-origin\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n`);
  check(text.startsWith("HTTP/1.1 415"), "chunked, without a type", text);
  equal((await ask("POST", "/threads", { ...bearer("ann"), "content-type": "text/plain" }, "{}")).status, 200, "a token may send any type");
  equal((await ask("GET", "/session", { ...cookie, "content-type": "text/plain" })).status, 200, "a GET has no body");
});

await scenario("headers win", async () => {
  const cookie = await signIn(bearer("ann"));
  equal((await ask("GET", "/session", { ...cookie, ...bearer("bob") })).json.user, "bob", "a token and a cookie");
  equal((await ask("GET", "/session", { ...cookie, "x-api-key": "ck_carol" })).json.user, "carol", "a key and a cookie");
  equal((await ask("GET", "/session", { ...cookie, authorization: "Bearer x" })).status, 401, "a bad token and a cookie");
  equal((await ask("GET", "/session", { ...cookie, authorization: "Basic YTpi" })).status, 401, "another scheme and a cookie");
  equal((await ask("GET", "/session", { ...cookie, "x-api-key": "ck_nobody" })).status, 401, "a bad key and a cookie");
  equal((await ask("POST", "/threads", { ...cookie, ...bearer("bob"), origin: "https://evil.example" }, {})).status, 200, "with a token the cookie's rules do not hold");
});

await scenario("bad cookies", async () => {
  const { cookie } = await signIn(bearer("ann")), other = (await signIn(bearer("bob"))).cookie;
  for (const [value, status] of [["", 401], ["cohort-session", 401], ["cohort-session=", 401], [cookie.slice(0, -1), 401], [`${cookie}x`, 401], [`"${cookie}"`, 401],
    [cookie.toUpperCase(), 401], [`x${cookie}`, 401], [`${cookie}; ${other}`, 401], [`${cookie}; ${cookie}`, 401], ["a=b", 401], [`cohort-session=${"x".repeat(8000)}`, 401],
    [`a=b; ${cookie}; c=d`, 200], [`a=b;${cookie};`, 200]])
    equal((await ask("GET", "/session", { cookie: value })).status, status, `Cookie: ${value.slice(0, 60)}`);
  const text = await raw(server, `GET /session HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ${cookie}\r\nCookie: ${other}\r\nConnection: close\r\n\r\n`);
  check(text.startsWith("HTTP/1.1 401") && /several/.test(text), "two headers", text);
  const gone = await ask("GET", "/session", { cookie: `cohort-session=${"A".repeat(43)}` });
  check(/sign in again/.test(gone.json.detail) && /^cohort-session=; Path=\/; Max-Age=0; HttpOnly/.test(gone.headers["set-cookie"][0]), "one that is over is taken away", [gone.text, gone.headers]);
  equal((await ask("GET", "/session")).headers["set-cookie"], undefined, "but not where there was none");
  equal((await ask("GET", "/session", { cookie, authorization: "Bearer x" })).headers["set-cookie"], undefined, "nor when it was not looked at");
});

await scenario("sign out", async () => {
  const cookie = await signIn(bearer("ann")), stays = await signIn(bearer("ann"));
  equal((await ask("DELETE", "/session", { ...cookie, origin: "https://evil.example" })).status, 403, "not by a foreign page");
  equal((await ask("GET", "/session", cookie)).status, 200, "it stays");
  const r = await ask("DELETE", "/session", { ...cookie, ...own });
  equal([r.status, r.headers["set-cookie"]], [204, ["cohort-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"]], "by our own");
  equal((await ask("GET", "/session", cookie)).status, 401, "it is over on the server");
  equal((await ask("GET", "/session", stays)).status, 200, "the other is not");
  equal((await ask("DELETE", "/session", { ...cookie, ...own })).status, 401, "again");
  equal((await ask("DELETE", "/session")).status, 401, "nobody");
  equal((await ask("DELETE", "/session", { ...stays, ...bearer("ann") })).status, 403, "with a token too the cookie must come from our page");
  equal((await ask("DELETE", "/session", { ...stays, ...bearer("ann"), ...own })).status, 204, "and then it ends");
  equal((await ask("GET", "/session", stays)).status, 401, "as well");
});

await scenario("fixation and login CSRF", async () => {
  const chosen = `cohort-session=${"B".repeat(43)}`;
  const a = await signIn(bearer("ann"), { cookie: chosen });
  check(a.cookie !== chosen, "a name that came is not taken over");
  equal((await ask("GET", "/session", { cookie: chosen })).status, 401, "and stays nobody's");
  const b = await signIn(bearer("bob"), { cookie: a.cookie });
  equal((await ask("GET", "/session", a)).status, 401, "signing in ends the session before it");
  equal((await ask("GET", "/session", b)).json.user, "bob", "and begins another");
  for (const [headers, status] of [[{ origin: "https://evil.example" }, 403], [{ "sec-fetch-site": "cross-site" }, 403], [{ "sec-fetch-site": "same-site", origin: "http://127.0.0.1:1" }, 403],
    [{ "sec-fetch-site": "same-origin" }, 200], [{}, 200]])
    equal((await ask("POST", "/session", { ...bearer("ann"), ...headers })).status, status, `sign in from ${JSON.stringify(headers)}`);
  const again = await ask("POST", "/session", { ...b, ...own });
  equal([again.status, again.headers["set-cookie"]], [403, undefined], "a session makes no session");
  equal((await ask("POST", "/session")).status, 401, "nobody makes none");
  equal((await ask("POST", "/session", bearer("ann"), { lifetime: 5 })).status, 422, "a field that says nothing");
  equal((await ask("POST", "/session?x=1", { cookie: chosen, ...own })).status, 401, "credentials are not in the query");
});

await scenario("it ends with its token", async () => {
  const cookie = await signIn(bearer("eve", { exp: now() + 2 - skew }));
  equal((await ask("GET", "/session", cookie)).status, 200, "good for now");
  const thread = (await ask("POST", "/threads", { ...cookie, ...own }, {})).json.thread_id;
  let how = "open";
  const stream = await fetch(`${server.url}/threads/${thread}/stream`, { headers: cookie });
  equal(stream.status, 200, "a stream by cookie");
  const end = (async () => { try { for await (const d of stream.body) void d; how = "closed"; } catch { how = "reset"; } })();
  await end;
  equal(how, "reset", "its stream ends with it");
  equal((await ask("GET", "/session", cookie)).status, 401, "and the session");
});

await scenario("a stream ends when its session is signed out", async () => {
  const cookie = await signIn(bearer("ann")), thread = (await ask("POST", "/threads", { ...cookie, ...own }, {})).json.thread_id;
  const stream = await fetch(`${server.url}/threads/${thread}/stream`, { headers: cookie }), byToken = await fetch(`${server.url}/threads/${thread}/stream`, { headers: bearer("ann") });
  let how = "open", other = "open";
  const end = (async () => { try { for await (const d of stream.body) void d; how = "closed"; } catch { how = "reset"; } })();
  (async () => { try { for await (const d of byToken.body) void d; other = "closed"; } catch { other = "reset"; } })();
  equal((await ask("DELETE", "/session", { ...cookie, ...own })).status, 204, "sign out");
  await end;
  equal([how, other], ["reset", "open"], "within seconds; one by token goes on");
  await byToken.body.cancel().catch(() => {});
});

await scenario("it ends with its key", async () => {
  const cookie = await signIn({ "x-api-key": "ck_dave" });
  equal((await ask("GET", "/session", cookie)).json.credentials, "key", "a key's session");
  writeFileSync(keys, keyLine("ck_carol", "carol"), { mode: 0o600 });
  server.child.kill("SIGHUP");
  await until(async () => (await ask("GET", "/session", cookie)).status === 401, "the session to end with its key");
  equal((await ask("GET", "/session", { "x-api-key": "ck_carol" })).status, 200, "other keys stay");
});

await scenario("tickets", async () => {
  const cookie = { ...(await signIn(bearer("ann"))), ...own }, thread_id = crypto.randomUUID();
  const r = await ask("POST", "/session/ticket", cookie, { thread_id });
  equal([r.status, Object.keys(r.json)], [200, ["ticket", "expires_at"]], "by cookie");
  check(/^[\w-]{43}$/.test(r.json.ticket) && Math.abs(Date.parse(r.json.expires_at) - Date.now() - 30000) < 20000, "30 s", r.json);
  secrets.push(r.json.ticket);
  const byToken = await ask("POST", "/session/ticket", { ...bearer("ann"), origin: "https://app.example" }, { thread_id });
  equal(byToken.status, 200, "by token, from anywhere");
  secrets.push(byToken.json.ticket);
  for (const [body, status] of [[{}, 422], [{ thread_id: "x" }, 422], [{ thread_id, ttl: 5 }, 422], [[], 422], [{ thread_id: null }, 422], ["", 422]])
    equal((await ask("POST", "/session/ticket", cookie, body)).status, status, `body ${JSON.stringify(body)}`);
  equal((await ask("POST", "/session/ticket", {}, { thread_id })).status, 401, "nobody gets one");
  equal((await ask("POST", "/session/ticket", { ...cookie, "sec-fetch-site": "cross-site" }, { thread_id })).status, 403, "no foreign page by cookie");
  for (const headers of [{ authorization: `Bearer ${r.json.ticket}` }, { "x-api-key": r.json.ticket }, { cookie: `cohort-session=${r.json.ticket}` }])
    equal((await ask("GET", "/session", headers)).status, 401, `a ticket as ${Object.keys(headers)[0]}`);
  equal((await ask("GET", "/threads/" + thread_id, { "sec-websocket-protocol": `cohort.ticket.${r.json.ticket}` })).status, 401, "and on another route");
});

// A WebSocket by hand: its handshake, the texts that come, the code of its end.
async function socket(target, headers = {}) {
  const s = net.connect(server.port, "127.0.0.1"), all = { host: `127.0.0.1:${server.port}`, connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", ...headers };
  const w = { head: "", texts: [], code: undefined, end: () => s.destroy() };
  let data = Buffer.alloc(0);
  s.on("error", () => {});
  s.on("close", () => { w.code ??= 1006; });
  s.on("data", (d) => {
    data = Buffer.concat([data, d]);
    const at = data.indexOf("\r\n\r\n");
    if (!w.head && at >= 0) { w.head = data.subarray(0, at).toString(); data = data.subarray(at + 4); }
    while (w.head && data.length >= 2) {
      const n = data[1] & 127, long = n === 126 ? 2 : 0, size = long ? data.readUInt16BE(2) : n;
      if (data.length < 2 + long + size) break;
      const op = data[0] & 15, body = data.subarray(2 + long, 2 + long + size);
      data = data.subarray(2 + long + size);
      if (op === 1) w.texts.push(JSON.parse(body.toString()));
      if (op === 8) w.code = body.readUInt16BE(0);
    }
  });
  w.send = (x) => { const t = Buffer.from(JSON.stringify(x)); s.write(Buffer.concat([Buffer.from([0x81, 0x80 | (t.length < 126 ? t.length : 126), ...(t.length < 126 ? [] : [t.length >> 8, t.length & 255]), 0, 0, 0, 0]), t])); };
  s.write(`GET ${target} HTTP/1.1\r\n${Object.entries(all).map(([k, v]) => `${k}: ${v}\r\n`).join("")}\r\n`);
  await until(() => w.head || w.code, "a handshake");
  return w;
}

// Is it let in?  Then it answers a command, about a thread that is not there yet.
async function letIn(w) {
  if (!w.head.startsWith("HTTP/1.1 101")) return Number(w.head.slice(9, 12));
  w.send({ id: 1, method: "state.get", params: {} });
  await until(() => w.texts.length > 0 || w.code, "an answer or an end");
  return w.texts.length > 0 ? true : w.code;
}
const said = (w, name) => new RegExp(`^${name}: (.*)$`, "im").exec(w.head)?.[1];
const foreign = { origin: "https://app.example" };

await scenario("a WebSocket by ticket", async () => {
  const thread_id = (await ask("POST", "/threads", bearer("ann"), {})).json.thread_id, at = `/threads/${thread_id}/stream/events`;
  const ticket = async (headers = bearer("ann"), id = thread_id) => { const t = (await ask("POST", "/session/ticket", headers, { thread_id: id })).json.ticket; secrets.push(t); return t; };
  equal(await letIn(await socket(at, foreign)), 4401, "without one");
  let t = await ticket();
  const a = await socket(at, { ...foreign, "sec-websocket-protocol": `cohort.v2, cohort.ticket.${t}` });
  equal([await letIn(a), said(a, "sec-websocket-protocol")], [true, "cohort.v2"], "as a subprotocol, which is not the answer's");
  equal(await letIn(await socket(at, { ...foreign, "sec-websocket-protocol": `cohort.ticket.${t}` })), 4401, "once");
  a.end();
  t = await ticket();
  const b = await socket(at, { ...foreign, "sec-websocket-protocol": `cohort.ticket.${t}` });
  equal([await letIn(b), said(b, "sec-websocket-protocol")], [true, `cohort.ticket.${t}`], "alone: a browser must hear of something that it offered");
  b.end();
  t = await ticket();
  const c = await socket(`${at}/${t}`, foreign);
  equal([await letIn(c), said(c, "sec-websocket-protocol")], [true, undefined], "as the path's last segment");
  equal(await letIn(await socket(`${at}/${t}`, foreign)), 4401, "once, too");
  c.end();
  t = await ticket(bearer("ann"), crypto.randomUUID());
  equal(await letIn(await socket(`${at}/${t}`, foreign)), 4401, "of another thread");
  equal((await ask("GET", `/threads/${crypto.randomUUID()}/stream/events/${await ticket()}`)).status >= 400, true, "without a WebSocket it opens nothing");
  for (const target of [`${at}/${await ticket()}/x`, `/threads/x/stream/events/${await ticket()}`, `/nowhere/stream/events/${await ticket()}`])
    check((await letIn(await socket(target, foreign))) !== true, `not at ${target.replace(/[\w-]{43}/, "TICKET")}`);
  const racing = await ticket(), got = await Promise.all(Array.from({ length: 8 }, () => socket(`${at}/${racing}`, foreign).then(letIn)));
  equal(got.filter((x) => x === true).length, 1, "eight at once: one is let in");
  const bobs = await ticket(bearer("bob"));
  const d = await socket(`${at}/${bobs}`, foreign);
  equal(await letIn(d), true, "bob's own, for ann's thread");
  const unknown = await socket(`/threads/${crypto.randomUUID()}/stream/events`, bearer("bob"));
  await letIn(unknown);
  equal(d.texts.map(({ id, type, error }) => [id, type, error]), unknown.texts.map(({ id, type, error }) => [id, type, error]), "opens it as one that is not there");
  unknown.end();
  check(!JSON.stringify(d.texts).includes("ann"), "and shows nothing of hers", d.texts);
  d.end();
  const header = await socket(`${at}/${"A".repeat(43)}`, bearer("ann"));
  equal(await letIn(header), true, "with a token the ticket is not looked at");
  header.end();
});

await scenario("a WebSocket by cookie", async () => {
  const cookie = await signIn(bearer("ann")), at = `/threads/${crypto.randomUUID()}/stream/events`;
  for (const [headers, in_] of [[{}, 4403], [{ origin: `http://127.0.0.1:${server.port}` }, true], [own, true], [foreign, 4403], [{ origin: "http://127.0.0.1:1" }, 4403], [{ origin: "null" }, 4403], [{ "sec-fetch-site": "none" }, 4403]]) {
    const w = await socket(at, { ...cookie, ...headers });
    equal(await letIn(w), in_, `from ${JSON.stringify(headers)}`);
    w.end();
  }
  const w = await socket(at, { ...cookie, ...own });
  equal(await letIn(w), true, "open");
  const t = (await ask("POST", "/session/ticket", { ...cookie, ...own }, { thread_id: at.split("/")[2] })).json.ticket;
  secrets.push(t);
  const byTicket = await socket(`${at}/${t}`, foreign);
  equal(await letIn(byTicket), true, "and one by a ticket of the session");
  equal((await ask("DELETE", "/session", { ...cookie, ...own })).status, 204, "signed out");
  await until(() => w.code && byTicket.code, "both to end");
  check(w.code !== 1000 && byTicket.code !== 1000, "within seconds", [w.code, byTicket.code]);
});

await scenario("20,000 sessions and tickets of one user", async () => {
  const keep = await signIn(bearer("ann")), mallory = bearer("mallory"), first = await signIn(mallory);
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))[1]);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 }), thread_id = crypto.randomUUID();
  const one = (target, body) => new Promise((resolve, reject) => {
    const q = http.request({ host: "127.0.0.1", port: server.port, agent, method: "POST", path: target, headers: { ...mallory, "content-type": "application/json" } }, (res) => { res.resume(); res.on("end", () => resolve(res.statusCode)); });
    q.on("error", reject);
    q.end(body);
  });
  let left = 20000, bad = 0;
  const before = rss();
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (left-- > 0) bad += (left % 2 ? await one("/session", "{}") : await one("/session/ticket", JSON.stringify({ thread_id }))) !== 200;
  }));
  agent.destroy();
  equal(bad, 0, "each is made");
  // A sanitizer keeps what was freed.
  if (!readFileSync(`/proc/${server.child.pid}/maps`, "utf8").includes("libasan")) check(rss() - before < 24 * 1024, "memory", [before, rss()]);
  equal((await ask("GET", "/session", first)).status, 401, "his oldest went");
  equal((await ask("GET", "/session", keep)).json?.user, "ann", "another's did not");
});

await scenario("what is written down", async () => {
  const lines = readFileSync(audit, "utf8").trim().split("\n").map((x) => JSON.parse(x));
  for (const action of ["sessions:create", "sessions:delete", "sessions:ticket"])
    check(lines.some((x) => x.action === action && x.phase === "begins") && lines.some((x) => x.action === action && x.phase === "ends"), `audit has ${action}`);
  const all = server.log + readFileSync(audit, "utf8");
  check(all.length > 10000 && all.includes("path=/session"), "the logs are there", all.length);
  check(secrets.length > 15, "secrets", secrets.length);
  equal(secrets.filter((x) => all.includes(x)), [], "no session, no ticket");
  check(!all.includes("eyJ"), "no token");
});

await scenario("a restart ends all", async () => {
  const cookie = await signIn(bearer("ann")), { port } = server;
  await server.stop();
  const next = await startServer({ mock, dir, port, args: ["--jwt-secret", secret] });
  equal((await ask("GET", "/session", cookie)).status, 401, "sign in again");
  await next.stop();
});

await scenario("a verifier's sessions", async () => {
  let good = true, asked = 0;
  const site = http.createServer((req, res) => { asked++; res.writeHead(good && req.headers.authorization === "Bearer zoe's" && req.headers["x-tenant"] === "t1" ? 200 : 401, { "content-type": "application/json" }); res.end('{"id":"zoe"}'); });
  await new Promise((r) => site.listen(0, "127.0.0.1", r));
  const remote = await startServer({ mock, memory: true, args: ["--auth-remote-url", `http://127.0.0.1:${site.address().port}/user`, "--auth-cache-keys", "authorization,x-tenant", "--auth-cache-ttl-seconds", "1"] });
  const headers = { authorization: "Bearer zoe's", "x-tenant": "t1" };
  const r = await call(remote, "POST", "/session", {}, headers);
  equal([r.status, r.json.user], [200, "zoe"], "made with its answer");
  const cookie = { cookie: r.headers.get("set-cookie").split(";")[0] };
  equal((await call(remote, "GET", "/session", undefined, cookie)).json.credentials, "remote", "good");
  equal((await call(remote, "GET", "/session", undefined, { ...cookie, "x-tenant": "t2" })).status, 401, "a header that the verifier sees wins");
  good = false;
  await until(async () => (await call(remote, "GET", "/session", undefined, cookie)).status === 401, "the session to end with the verifier's no");
  check(asked >= 3, "it was asked again", asked);
  await remote.stop();
  site.close();
});

await scenario("without authentication", async () => {
  const open = await startServer({ mock, memory: true });
  const r = await call(open, "GET", "/session");
  equal(r.json, { auth: false, session: false, credentials: "none", user: null, owner: null, organization: null, name: null, email: null, role: null, scopes: [], expires_at: null }, "GET");
  const p = await call(open, "POST", "/session", {});
  equal([p.status, p.headers.get("set-cookie"), p.json], [200, null, r.json], "POST gives no cookie");
  equal((await call(open, "DELETE", "/session")).status, 204, "DELETE");
  equal((await call(open, "POST", "/session/ticket", { thread_id: crypto.randomUUID() })).status, 200, "a ticket, so that clients need not know");
  await open.stop();
});
await mock.stop();
finish();
