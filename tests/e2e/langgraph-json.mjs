// langgraph-json.mjs - `cohort serve langgraph.json`: every key has a value that works and one
// that is refused by name; then what the keys do, with SDKs, and files of public reports.
import { Client as Client115 } from "sdk-1.15";
import { Client as Client19 } from "sdk-1.9";
import { Client as Client20 } from "sdk-2.0";
import { createHmac } from "node:crypto";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, scenario, scratch, startMock, startServer } from "./lib.mjs";

const dir = scratch();
writeFileSync(path.join(dir, "bot.yaml"), "state: {messages: {reducer: messages}}\nnodes:\n  say: {llm: {}}\nedges:\n  - [START, say]\n  - [say, END]\n");
writeFileSync(path.join(dir, "named.yaml"), "id: named\nstate: {x: {}}\nnodes:\n  a: {set: {x: 1}}\nedges:\n  - [START, a]\n  - [a, END]\n");
writeFileSync(path.join(dir, "broken.yaml"), "nodes: [\n");
writeFileSync(path.join(dir, "policy.yaml"), "default: allow\nrules:\n  - deny: store\n");
writeFileSync(path.join(dir, ".env"), "# of the bot\nexport COHORT_MODEL='scripted:default'\nLG_WEBHOOK_KEY=\"hook-secret\"\n");
let files = 0;

function file(json, where = dir) {
  const name = path.join(where, `l${files++}.json`);
  writeFileSync(name, typeof json === "string" ? json : JSON.stringify(json));
  return name;
}
function run(args, env = {}) {
  const r = spawnSync(binary, args, { cwd: dir, env: { PATH: process.env.PATH, ...env }, encoding: "utf8", timeout: 20000 });
  return { code: r.status, out: r.stdout, err: r.stderr };
}
// {a: {b: value}} of "a.b".
const nest = (key, value) => key.split(".").reduceRight((v, k) => ({ [k]: v }), value);
const shown = (json) => run(["config", file(json)]);
// A server that must not come up; its last words.
const refused = (json, env) => {
  const r = run(["serve", file(json), "--port", "0", "--store", "memory"], env);
  return r.code === 0 || r.code === null ? `it started: ${r.err}` : r.err;
};

// Key, a value, the setting and its text; then values that are refused, with the words.
const idle = (v) => ({ good: v, idle: true });
const rows = {
  graphs: { good: { bot: "./bot.yaml" }, bad: [[{ bot: "./bot.rb:graph" }, /graphs\.bot: expected the path of an agent file .*, or code as in \.\/agent\.py:graph/], [["x"], /graphs: expected an object, got an array/]] },
  env: { good: { COHORT_MODEL: "scripted:default" }, setting: "model", text: "scripted:default", bad: [[{ A: 1 }, /env\.A: expected a string, got a number/], ["none.env", /none\.env: No such file/]] },
  "auth.policy": { good: "policy.yaml", setting: "auth.policy", text: "policy.yaml", bad: [["none.yaml", /auth\.policy: a policy is about who asks/], [5, /auth\.policy: expected a path, got a number/]] },
  "auth.path": { bad: [["./auth.py:auth", /auth\.path: is not supported: code cannot be loaded: set jwt\.secret/]] },
  "auth.disable_studio_auth": { good: true, bad: [[false, /auth\.disable_studio_auth: false is not supported/]] },
  "auth.openapi": { good: { security: [] }, setting: "auth.openapi", text: '{"security":[]}', bad: [[{ security: {} }, /auth\.openapi\.security: expected an array/], [{ paths: {} }, /auth\.openapi\.paths: unknown key/]] },
  "auth.cache.cache_keys": { good: ["authorization", "x-a"], with: { env: { COHORT_AUTH_REMOTE_URL: "https://a.example/user" } }, setting: "auth.cache-keys", text: "authorization,x-a", bad: [[["a"], /auth\.cache\.cache_keys: auth\.cache-keys needs auth\.remote-url/]] },
  "auth.cache.ttl_seconds": { good: 30, with: { env: { COHORT_AUTH_REMOTE_URL: "https://a.example/user" } }, setting: "auth.cache-ttl-seconds", text: "30", bad: [[0, /auth\.cache\.ttl_seconds: expected a whole number from 1/]] },
  "auth.cache.max_size": { good: 500, setting: "auth.cache-max-size", text: "500", bad: [["500", /auth\.cache\.max_size: expected a number, got a string/]] },
  encryption: { bad: [[{ path: "./enc.py:e" }, /encryption: is not supported/]] },
  "store.index.dims": { good: 64, setting: "store.index.dims", text: "64", bad: [[1e6, /store\.index\.dims: expected a whole number/]] },
  "store.index.embed": { good: "openai:mock-embed", setting: "store.index.embed", text: "openai:mock-embed", bad: [["./embed.py:embed", /store\.index\.embed: code cannot be loaded; expected a model/]] },
  "store.index.fields": { good: ["text", "a[*].b"], setting: "store.index.fields", text: "text,a[*].b", bad: [["$", /store\.index\.fields: expected an array, got a string/]] },
  "store.ttl.default_ttl": { good: 0.5, setting: "store.ttl.default-ttl", text: "0.5", bad: [[-1, /store\.ttl\.default_ttl/]] },
  "store.ttl.refresh_on_read": { good: false, setting: "store.ttl.refresh-on-read", text: "false", bad: [["no", /store\.ttl\.refresh_on_read: expected true or false, got a string/]] },
  "store.ttl.sweep_interval_minutes": { good: 7, setting: "store.ttl.sweep-interval-minutes", text: "7", bad: [[0, /store\.ttl\.sweep_interval_minutes/]] },
  "checkpointer.path": { bad: [["./c.py:c", /checkpointer\.path: is not supported/]] },
  "checkpointer.serde": { bad: [[{ pickle_fallback: false }, /checkpointer\.serde: is not supported/]] },
  "checkpointer.ttl.strategy": { good: "keep_latest", setting: "threads.ttl.strategy", text: "keep_latest", bad: [["drop", /checkpointer\.ttl\.strategy: expected delete or keep_latest/]] },
  "checkpointer.ttl.default_ttl": { good: 43200, setting: "threads.ttl.default-ttl", text: "43200", bad: [[0.5, /checkpointer\.ttl\.default_ttl: expected a whole number/]] },
  "checkpointer.ttl.sweep_interval_minutes": { good: 10, setting: "threads.ttl.sweep-interval-minutes", text: "10", bad: [[0, /checkpointer\.ttl\.sweep_interval_minutes/]] },
  "checkpointer.ttl.sweep_limit": { good: 50, setting: "threads.ttl.sweep-limit", text: "50", bad: [[0, /checkpointer\.ttl\.sweep_limit/]] },
  "http.app": { bad: [["./app.py:app", /http\.app: is not supported: code cannot be loaded: put a proxy in front/]] },
  "http.cors.allow_origins": { good: ["https://a.example"], setting: "cors-origins", text: "https://a.example", bad: [[["a.example"], /http\.cors\.allow_origins: expected scheme:\/\/host/]] },
  "http.cors.allow_origin_regex": { good: "https://.*\\.a\\.example", setting: "http.cors.allow-origin-regex", text: "https://.*\\.a\\.example", bad: [["https://\\d+", /http\.cors\.allow_origin_regex: a backslash before a letter/], ["(", /http\.cors\.allow_origin_regex: "\("/]] },
  "http.cors.allow_methods": { good: ["GET", "POST"], setting: "http.cors.allow-methods", text: "GET,POST", bad: [[["A B"], /http\.cors\.allow_methods: expected names/]] },
  "http.cors.allow_headers": { good: ["x-a"], setting: "http.cors.allow-headers", text: "x-a", bad: [[["x a"], /http\.cors\.allow_headers: expected names/]] },
  "http.cors.allow_credentials": { good: true, setting: "http.cors.allow-credentials", text: "true", bad: [[true, /http\.cors\.allow_credentials: needs cors-origins or/]] },
  "http.cors.expose_headers": { good: ["x-b"], setting: "http.cors.expose-headers", text: "x-b", bad: [[["x:b"], /http\.cors\.expose_headers: expected names/]] },
  "http.cors.max_age": { good: 600, setting: "http.cors.max-age", text: "600", bad: [[-1, /http\.cors\.max_age: expected a whole number/]] },
  "http.configurable_headers.includes": { good: ["x-user-*"], setting: "http.configurable-headers.includes", text: "x-user-*", bad: [[["a b"], /http\.configurable_headers\.includes: expected/]] },
  "http.configurable_headers.excludes": { good: ["*"], setting: "http.configurable-headers.excludes", text: "*", bad: [[["a b"], /http\.configurable_headers\.excludes: expected/]] },
  "http.logging_headers.includes": { good: ["x-user-*"], setting: "http.logging-headers.includes", text: "x-user-*", bad: [[["a b"], /http\.logging_headers\.includes: expected/]] },
  "http.logging_headers.excludes": { good: ["authorization"], setting: "http.logging-headers.excludes", text: "authorization", bad: [[["a b"], /http\.logging_headers\.excludes: expected/]] },
  "http.mount_prefix": { good: "/api", setting: "http.mount-prefix", text: "/api", bad: [["api", /http\.mount_prefix: expected a path/], ["/api/", /http\.mount_prefix: expected a path/]] },
  "http.middleware_order": idle("auth_first"),
  "http.enable_custom_route_auth": idle(true),
  "webhooks.env_prefix": { good: "HOOK_", setting: "webhooks.env-prefix", text: "HOOK_", bad: [[["HOOK_"], /webhooks\.env_prefix: expected a string, got an array/]] },
  "webhooks.headers": { good: { "x-a": "b" }, setting: "webhooks.headers", text: "(set)", bad: [[{ "x-a": "${{ env.SECRET }}" }, /webhooks\.headers/]] },
  "webhooks.payload_fields": { good: ["run_id", "status"], setting: "webhooks.payload-fields", text: "run_id,status", bad: [["run_id", /webhooks\.payload_fields: expected an array/]] },
  "webhooks.url.allowed_domains": { good: ["*.a.example"], setting: "webhooks.allowed-domains", text: "*.a.example", bad: [[["a b"], /webhooks\.url\.allowed_domains/]] },
  "webhooks.url.allowed_ports": { good: [443, 8443], setting: "webhooks.allowed-ports", text: "443,8443", bad: [[[99999], /webhooks\.url\.allowed_ports/]] },
  "webhooks.url.require_https": { good: true, setting: "webhooks.require-https", text: "true", bad: [[1, /webhooks\.url\.require_https: expected true or false/]] },
  "webhooks.url.disable_loopback": { good: false, setting: "webhooks.disable-loopback", text: "false", bad: [["x", /webhooks\.url\.disable_loopback: expected true or false/]] },
  "webhooks.url.max_url_length": { good: 100, setting: "webhooks.max-url-length", text: "100", bad: [[1, /webhooks\.url\.max_url_length: expected a whole number/]] },
  ui: { bad: [[{ agent: "./ui.tsx" }, /ui: is not supported/]] },
  ui_config: { bad: [[{ shared: [] }, /ui_config: is not supported/]] },
  dependencies: idle(["."]), python_version: idle("3.12"), node_version: idle("20"), api_version: idle("0.7"),
  base_image: idle("x"), image_distro: idle("wolfi"), pip_config_file: idle("pip.conf"), pip_installer: idle("uv"),
  dockerfile_lines: idle(["RUN true"]), keep_pkg_tools: idle(true), source: idle({ kind: "uv" }), _INTERNAL_docker_tag: idle("x"), $schema: idle("x"),
};
for (const name of ["assistants", "threads", "runs", "store", "meta", "mcp", "a2a", "ui", "webhooks"])
  rows[`http.disable_${name}`] = { good: true, setting: `http.disable-${name}`, text: "true", bad: [["yes", new RegExp(`http\\.disable_${name}: expected true or false, got a string`)]] };

await scenario("every key of the table is tried here", () => {
  const keys = run(["config", "--langgraph-json"]).out.split("\n").map((l) => /^\| `(.*?)` \|/.exec(l)?.[1]).filter(Boolean);
  equal(keys.filter((k) => !rows[k]), [], "keys without a test");
  equal(Object.keys(rows).filter((k) => !keys.includes(k)), [], "tests without a key");
  check(keys.length > 60, "all of them", keys.length);
});

await scenario("a value that works sets its setting and is its origin", () => {
  for (const [key, row] of Object.entries(rows)) {
    if (row.good === undefined) continue;
    const r = shown({ ...row.with, ...nest(key, row.good) });
    equal(r.code, 0, `${key}: ${r.err}`);
    if (row.idle) check(r.err.includes(`these keys have no effect here: ${key}`), `${key} is named`, r.err);
    if (!row.setting) continue;
    const line = r.out.split("\n").find((l) => l.split(" = ")[0].trim() === row.setting) ?? "";
    check(line.includes(`${row.text}`) && line.includes(`.json: ${key}`), `${key} sets ${row.setting}`, line);
  }
});

await scenario("a value that cannot be honoured stops the start, with the file, the key, and what would be right", () => {
  for (const [key, row] of Object.entries(rows))
    for (const [value, words] of row.bad ?? []) {
      const said = refused(nest(key, value));
      check(words.test(said) && (/l\d+\.json/.test(said) || /none\.(env|yaml)/.test(said)), `${key}: ${JSON.stringify(value)}`, said);
    }
});

await scenario("every key is refused when it is misspelt", () => {
  for (const key of Object.keys(rows)) {
    const said = run(["config", file(nest(`${key}_x`, true))]).err;
    check(/: (unknown key|is not supported|expected)/.test(said) && said.includes(key.split(".").at(-1)), key, said);
  }
});

await scenario("unknown keys, comments, wrong kinds, bad JSON", () => {
  for (const [text, words] of [
    ['{"grphs":{}}', /unknown key "grphs"; did you mean graphs\?/],
    ['{"http":{"cors":{"allow_origin":[]}}}', /unknown key "http\.cors\.allow_origin"; did you mean http\.cors\.allow_origins\?/],
    ['{\n  // which agents\n  "graphs": {}\n}', /\.json:2: a comment, which JSON does not have/],
    ['{"graphs": {},}', /line 1/],
    ["[]", /expected an object, got an array/],
    ['{"graphs":{"x":"./none.yaml"}}', /graphs\.x: .*none\.yaml: no such file/],
    ['{"graphs":{"x":"./broken.yaml"}}', /graphs\.x: .*broken\.yaml/],
    ['{"graphs":{"x":"./named.yaml"}}', /graphs\.x: .*has the id 'named'/],
    ['{"http":{"cors":{"allow_origin_regex":".*","allow_credentials":true}}}', /allow_credentials: http\.cors\.allow-origin-regex fits/],
    ['{"http":{"cors":{"allow_origins":["*"],"allow_credentials":true}}}', /allow_credentials: "\*" in cors-origins/],
  ]) {
    const said = refused(text);
    check(words.test(said), text, said);
  }
  check(/unexpected "serve-this"; expected the path of a langgraph\.json/.test(run(["serve", "serve-this"]).err), "an operand that is none");
  check(/No such file/.test(run(["serve", "none.json"]).err), "a file that is not there");
});

await scenario("env: a .env file, weaker than the environment, never shown", () => {
  const f = file({ env: ".env" });
  const said = run(["config", f]), line = said.out.split("\n").find((l) => l.startsWith("model "));
  check(/scripted:default\s+# .*json: env\.COHORT_MODEL/.test(line), "from the file", line);
  check(/other\s+# \$COHORT_MODEL/.test(run(["config", f], { COHORT_MODEL: "other" }).out), "the environment wins");
  check(!(said.out + said.err).includes("hook-secret"), "a secret is not shown");
  writeFileSync(path.join(dir, "bad.env"), "A=1\nSECRET=${OTHER}xyz\n");
  const bad = refused({ env: "bad.env" });
  check(/bad\.env:2: \$\{\.\.\.\} is not replaced/.test(bad) && !bad.includes("xyz"), "a line that is none, without its value", bad);
});

await scenario("LANGGRAPH_CONFIG that is none stops the start", () => {
  for (const [text, words] of [
    ["{", /\$LANGGRAPH_CONFIG: /], ["[]", /\$LANGGRAPH_CONFIG: expected an object of graphs/],
    ['{"agent":5}', /\$LANGGRAPH_CONFIG\.agent: expected an object, got a number/],
    ['{"agent":{"configurable":[]}}', /\$LANGGRAPH_CONFIG\.agent\.configurable: expected an object, got an array/],
    ['{"agent":{"configurabel":{}}}', /\$LANGGRAPH_CONFIG\.agent\.configurabel: unknown/],
  ]) {
    const said = refused({}, { LANGGRAPH_CONFIG: text });
    check(words.test(said), text, said);
  }
});

// ---- what the keys do ---------------------------------------------------------------

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--dims", "64"]);
const serve = (json, more = {}) => startServer({ mock, memory: true, ...more, args: [file(json), ...(more.args ?? [])] });
const body = (m = "hi") => ({ assistant_id: "bot", input: { messages: [{ role: "user", content: m }] } });

await scenario("graphs, descriptions, prefix, headers, CORS with credentials", async () => {
  const s = await serve({
    graphs: { bot: { path: "./bot.yaml", description: "Answers." }, named: "named.yaml" },
    env: { LANGGRAPH_CONFIG: JSON.stringify({ bot: { configurable: { tone: "dry" }, context: { team: "a" } }, nobody: {} }) },
    http: { mount_prefix: "/v9/api", cors: { allow_origins: ["https://a.example"], allow_origin_regex: "https://[a-z]+\\.b\\.example", allow_credentials: true, expose_headers: ["x-mine"], allow_methods: ["GET", "POST"], allow_headers: ["x-app"], max_age: 60 },
      configurable_headers: { includes: ["x-app-*"], excludes: ["x-app-secret"] }, logging_headers: { includes: ["x-app-*", "authorization*"], excludes: ["x-app-secret"] } },
  }, { args: ["--log-access"], health: "/v9/api/ok" }).catch((e) => e);
  if (s instanceof Error) throw s;
  equal((await call(s, "GET", "/ok")).status, 404, "without the prefix");
  equal((await call(s, "GET", "/v9/apis/ok")).status, 404, "another prefix");
  check((await call(s, "GET", "/v9/api")).text.includes('href="/v9/api/info"'), "the page's links");
  equal((await call(s, "GET", "/v9/api/openapi.json")).json.servers, [{ url: "/v9/api" }], "the document's server");
  const bot = (await call(s, "GET", "/v9/api/assistants/bot")).json.assistant_id;
  equal((await call(s, "GET", `/v9/api/.well-known/agent-card.json?assistant_id=${bot}`)).json.url, `${s.url}/v9/api/a2a/${bot}`, "a card's URL");
  for (const Client of [Client19, Client115, Client20]) {
    const c = new Client({ apiUrl: s.url + "/v9/api", apiKey: "unused" });
    const a = await c.assistants.get("bot");
    equal([a.config, a.context, a.description], [{ configurable: { tone: "dry" } }, { team: "a" }, "Answers."], "defaults of LANGGRAPH_CONFIG");
    const t = await c.threads.create();
    let created, last;
    for await (const e of c.runs.stream(t.thread_id, "bot", { input: body().input, streamMode: "values", onRunCreated: (r) => { created = r; } })) last = e;
    check(created?.run_id && last, "a stream through the prefix", [created, last]);
    equal((await c.threads.getState(t.thread_id)).values.messages.length, 2, "its state");
    let again = 0;
    for await (const _ of c.runs.joinStream(t.thread_id, created.run_id, { lastEventId: "-1" })) again++;
    check(again > 0, "joined again", again);
  }
  // What an SDK does with Location: it appends it to its apiUrl.
  const streamed = await call(s, "POST", "/v9/api/threads", {});
  const run1 = await call(s, "POST", `/v9/api/threads/${streamed.json.thread_id}/runs/stream`, body(), { "x-app-user": "ann", "x-app-secret": "no", "x-other": "o", authorization: "Bearer z" });
  equal((await call(s, "GET", "/v9/api" + run1.headers.get("location"), undefined, { "last-event-id": "-1" })).status, 200, "Location");
  const runs = (await call(s, "GET", `/v9/api/threads/${streamed.json.thread_id}/runs`)).json;
  const seen = runs[0].kwargs.config.configurable;
  equal([seen["x-app-user"], seen["x-app-secret"], seen["x-other"], seen["user-agent"]], ["ann", undefined, undefined, undefined], "headers of a run");
  check(/headers="?\{\\?"x-app-user\\?":\\?"ann/.test(s.log) && !/x-app-secret|Bearer z/.test(s.log), "headers in the log", s.log.slice(-600));
  const cors = async (origin, method = "GET", more = {}) => (await call(s, method, "/v9/api/assistants/bot", undefined, { origin, ...more })).headers;
  const named = await cors("https://a.example");
  equal([named.get("access-control-allow-origin"), named.get("access-control-allow-credentials"), named.get("vary")], ["https://a.example", "true", "origin"], "a listed origin");
  check(/content-location.*x-mine/.test(named.get("access-control-expose-headers")), "exposed", named.get("access-control-expose-headers"));
  equal((await cors("https://x.b.example")).get("access-control-allow-origin"), "https://x.b.example", "by the expression");
  const local = await cors("http://localhost:3000");
  equal([local.get("access-control-allow-origin"), local.get("access-control-allow-credentials")], ["*", null], "a page that is not named: no credentials");
  equal((await call(s, "GET", "/v9/api/assistants/bot", undefined, { origin: "https://x.b.example.evil" })).status, 403, "another origin");
  const pre = await cors("https://a.example", "OPTIONS", { "access-control-request-headers": "x-anything" });
  equal([pre.get("access-control-allow-methods"), pre.get("access-control-allow-headers"), pre.get("access-control-max-age")], ["GET,POST", "content-type,x-app", "60"], "the preflight");
  check(/config_without_agent setting=assistants\.config agent=nobody/.test(s.log), "a config that no agent has", s.log);
  const wait = await call(s, "POST", "/v9/api/runs/wait", { assistant_id: "named", input: {} });
  equal([wait.status, wait.json.x], [200, 1], "another graph");
  await s.stop();
});

await scenario("groups of routes that are off answer 404 by name; the others stay", async () => {
  const groups = {
    assistants: ["POST", "/assistants/search", {}], threads: ["POST", "/threads", {}], runs: ["POST", "/runs/wait", body()],
    store: ["PUT", "/store/items", { namespace: ["a"], key: "k", value: {} }], meta: ["GET", "/info"], mcp: ["POST", "/mcp", {}], a2a: ["GET", "/a2a/x"], ui: ["GET", "/ui"],
  };
  const s = await serve({ http: Object.fromEntries(Object.keys(groups).map((g) => [`disable_${g}`, true])) });
  for (const [name, [method, target, json]] of Object.entries(groups)) {
    const r = await call(s, method, target, json);
    equal([r.status, r.json.detail], [404, `404 Not Found: http.disable-${name} turns these routes off`], name);
  }
  equal((await call(s, "GET", "/threads/x/stream")).json.detail, "404 Not Found: http.disable-runs turns these routes off", "streams are of runs");
  equal((await call(s, "GET", "/ok")).status, 200, "somebody waits for /ok");
  await s.stop();
  const one = await serve({ graphs: { bot: "bot.yaml", agent: "bot.yaml" }, http: { disable_store: true, disable_webhooks: true } });
  equal((await call(one, "POST", "/runs/wait", body())).status, 200, "what is not off works");
  equal(Object.keys((await call(one, "POST", "/runs/wait", { ...body(), assistant_id: "agent" })).json), ["messages"], "a file replaces a built-in agent");
  const page = (await call(one, "GET", "/docs")).text;
  check(page.includes('id="threads"') && !page.includes('/store/items'), "nor on the page", page.length);
  check(!Object.keys((await call(one, "GET", "/openapi.json")).json.paths).some((p) => p.startsWith("/store")), "not in the document");
  const hook = await call(one, "POST", "/runs/wait", { ...body(), webhook: "https://a.example/" });
  equal([hook.status, /webhook.*sends none/.test(hook.json.detail)], [422, true], "webhooks");
  await one.stop();
});

await scenario("auth.policy and auth.openapi", async () => {
  const secret = "0123456789abcdef0123456789abcdef", b64 = (x) => Buffer.from(JSON.stringify(x)).toString("base64url");
  const text = `${b64({ alg: "HS256" })}.${b64({ sub: "ann" })}`;
  const token = `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
  const schemes = { login: { type: "http", scheme: "bearer" } };
  const s = await serve({ env: { COHORT_JWT_SECRET: secret }, auth: { policy: "./policy.yaml", disable_studio_auth: true, openapi: { securitySchemes: schemes, security: [{ login: [] }] } } });
  const doc = (await call(s, "GET", "/openapi.json")).json;
  equal([doc.components.securitySchemes, doc.security], [schemes, [{ login: [] }]], "the document");
  equal((await call(s, "POST", "/threads", {}, { authorization: `Bearer ${token}` })).status, 200, "a thread");
  equal((await call(s, "POST", "/threads", {}, { "x-auth-scheme": "langsmith" })).status, 401, "Studio has no way around");
  equal((await call(s, "POST", "/store/items/search", { namespace_prefix: [] }, { authorization: `Bearer ${token}` })).status, 403, "the policy");
  check(!s.log.includes(secret), "the secret is not logged");
  await s.stop();
});

await scenario("webhooks.headers takes a variable of env; without it the start is refused", async () => {
  const json = { webhooks: { headers: { "x-k": "${{ env.LG_WEBHOOK_KEY }}" } } };
  check(/webhooks\.headers: .*LG_WEBHOOK_KEY/.test(refused(json)), "no variable", refused(json));
  const s = await serve({ ...json, env: ".env" });
  check(!s.log.includes("hook-secret"), "not shown");
  await s.stop();
});

// ---- files of public reports --------------------------------------------------------

await scenario("aegra #217, #288: both ttl parts of a file do something", async () => {
  const s = await serve({ checkpointer: { ttl: { strategy: "delete", sweep_interval_minutes: 60, default_ttl: 43200 } }, store: { ttl: { refresh_on_read: true, sweep_interval_minutes: 120, default_ttl: 10080 }, index: { dims: 64, embed: "openai:mock-embed", fields: ["text"] } } });
  const t = (await call(s, "POST", "/threads", {})).json;
  const ttl = (await call(s, "GET", `/threads/${t.thread_id}?include=ttl`)).json.ttl;
  equal([ttl?.strategy, ttl?.ttl_minutes], ["delete", 43200], "a thread's ttl");
  const put = (key, text) => call(s, "PUT", "/store/items", { namespace: ["a"], key, value: { text } });
  equal([(await put("t", "green tea")).status, (await put("b", "steel bridge")).status], [204, 204], "items");
  equal((await call(s, "POST", "/store/items/search", { namespace_prefix: ["a"], query: "green teas" })).json.items[0].key, "t", "the index");
  await s.stop();
});
await scenario("aegra #503: what is not known is refused, not dropped", () =>
  check(/unknown key "checkpointer\.ttl\.mode"/.test(refused({ checkpointer: { ttl: { mode: "x" } } })), "by its name"));
await scenario("aegra #594: empty parts of a graph's path", () => {
  for (const p of [":graph", "./graph.py:", "", ":"]) check(/graphs\.a: expected the path of an agent file/.test(refused({ graphs: { a: p } })), JSON.stringify(p));
  check(/graphs\.a: description: expected a string/.test(refused({ graphs: { a: { path: "bot.yaml", description: 5 } } })), "the object form");
});
await scenario("langgraph #3267: a .env beside a file in another folder is found", () => {
  const sub = path.join(dir, "sub");
  mkdirSync(sub);
  writeFileSync(path.join(sub, ".env"), "COHORT_MODEL=of-sub\n");
  check(/of-sub/.test(run(["config", file({ env: "./.env" }, sub)]).out), "relative to the file");
});
await scenario("langgraphjs #1565: the parts of cors reach the answers", async () => {
  const s = await serve({ http: { cors: { allow_origins: ["*"], expose_headers: ["x-e"], max_age: 5 } } });
  const r = await call(s, "OPTIONS", "/threads", undefined, { origin: "https://any.example" });
  equal([r.headers.get("access-control-allow-origin"), r.headers.get("access-control-max-age"), r.headers.get("access-control-expose-headers").endsWith(",x-e")], ["*", "5", true], "all");
  check(/every page that is open in a browser/.test(s.log), "a warning without auth", s.log);
  await s.stop();
});

finish();
