// login.mjs - `cohort token --login`: a bearer from GoTrue's password grant, played by a
// small server here.
import { spawn } from "node:child_process";
import http from "node:http";
import { binary, check, equal, finish, scenario } from "./lib.mjs";

const asked = [];
let answer;
const gotrue = http.createServer((q, a) => {
  let body = "";
  q.on("data", (d) => { body += d; });
  q.on("end", () => {
    asked.push({ method: q.method, url: q.url, headers: q.headers, body });
    answer(q, a, body);
  });
});
await new Promise((f) => gotrue.listen(0, "127.0.0.1", f));
const url = `http://127.0.0.1:${gotrue.address().port}`;
const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln";
const say = (a, status, body) => { a.writeHead(status, { "content-type": "application/json" }); a.end(typeof body === "string" ? body : JSON.stringify(body)); };
const grants = (prefix) => (q, a, body) => {
  if (!q.url.startsWith(`${prefix}/token?grant_type=password`)) return say(a, 404, { message: "no Route matched" });
  const { email, password } = JSON.parse(body);
  if (email === "ann@example.com" && password === "s3 \"cret\"") return say(a, 200, { access_token: jwt, token_type: "bearer", expires_in: 3600, refresh_token: "r", user: {} });
  say(a, 400, { code: 400, error_code: "invalid_credentials", msg: "Invalid login credentials" });
};

function token(args, { input, env = {} } = {}) {
  const child = spawn(binary, ["token", ...args], { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  const r = { out: "", err: "" };
  child.stdout.on("data", (d) => { r.out += d; });
  child.stderr.on("data", (d) => { r.err += d; });
  child.stdin.end(input ?? "");
  return new Promise((f) => child.on("close", (code) => f({ ...r, code })));
}
const login = (more = [], o) => token(["--login", url, "--email", "ann@example.com", ...more], o);
const COHORT_PASSWORD = "s3 \"cret\"";

await scenario("a token", async () => {
  answer = grants("/auth/v1");
  equal(await login([], { env: { COHORT_PASSWORD } }), { out: `${jwt}\n`, err: "", code: 0 }, "by $COHORT_PASSWORD: the token and nothing else");
  equal(asked.map((q) => [q.method, q.url]), [["POST", "/auth/v1/token?grant_type=password"]], "one request");
  equal([asked[0].headers["content-type"], asked[0].headers.apikey, asked[0].headers.authorization], ["application/json", undefined, undefined], "its headers");
  equal((await login([], { input: `${COHORT_PASSWORD}\nmore\n` })).out, `${jwt}\n`, "by the first line of stdin");
  await login(["--anon-key", "anon"], { env: { COHORT_PASSWORD } });
  await login([], { env: { COHORT_PASSWORD, SUPABASE_ANON_KEY: "of env" } });
  equal(asked.slice(-2).map((q) => q.headers.apikey), ["anon", "of env"], "the project's key, if there is one");
  await login([], { env: { COHORT_PASSWORD, COHORT_TOKEN: "ours", COHORT_API_KEY: "ours" } });
  equal([asked.at(-1).headers.authorization, asked.at(-1).headers["x-api-key"]], [undefined, undefined], "Cohort's own secrets stay here");
});

await scenario("where it is", async () => {
  answer = grants("");
  asked.length = 0;
  equal((await login([], { env: { COHORT_PASSWORD } })).out, `${jwt}\n`, "a bare GoTrue");
  equal(asked.map((q) => q.url), ["/auth/v1/token?grant_type=password", "/token?grant_type=password"], "is asked when /auth/v1 is not there");
  answer = grants("/auth/v1");
  asked.length = 0;
  equal((await token(["--login", `${url}/auth/v1/`, "--email", "ann@example.com"], { env: { COHORT_PASSWORD } })).out, `${jwt}\n`, "the whole path");
  equal(asked.map((q) => q.url), ["/auth/v1/token?grant_type=password"], "asked once");
});

await scenario("what goes wrong", async () => {
  answer = grants("/auth/v1");
  const bad = async (words, run, what) => {
    const r = await run;
    check(r.code !== 0 && r.out === "" && r.err.includes(words) && !r.err.includes("s3"), what, r);
  };
  await bad("answered 400: Invalid login credentials", login([], { env: { COHORT_PASSWORD: "wrong" } }), "a wrong password");
  await bad("no password", login(), "no password");
  await bad("the password is empty", login([], { input: "\n" }), "an empty one");
  await bad("longer than", login([], { input: "x".repeat(5000) }), "one that is too long");
  await bad("--login needs --email", token(["--login", url]), "no e-mail");
  await bad("--ttl: the server at --login decides", login(["--ttl", "5"], { env: { COHORT_PASSWORD } }), "a flag that would have no effect");
  await bad("one of them", login(["--api-key"], { env: { COHORT_PASSWORD } }), "two of a kind");
  await bad("expected http", token(["--login", "ftp://x", "--email", "a"], { env: { COHORT_PASSWORD } }), "no URL");
  await bad("cannot connect", token(["--login", "http://127.0.0.1:1", "--email", "a"], { env: { COHORT_PASSWORD } }), "nobody there");
  await bad("control characters", login(["--anon-key", "a\nb"], { env: { COHORT_PASSWORD } }), "a key that is no header");
  for (const [status, body, words] of [[429, { error: "too many" }, "answered 429: too many"], [401, { error: "invalid_grant", error_description: "Bad thing" }, "answered 401: Bad thing"],
    [500, "oops", "answered 500: it does not say why"], [302, "", "answered 302"], [200, "{}", "without an access_token"], [200, "[", "without an access_token"],
    [200, { access_token: "a\nb" }, "without an access_token"], [200, { access_token: 7 }, "without an access_token"], [404, {}, "answered 404"]]) {
    answer = (q, a) => say(a, status, body);
    await bad(words, login([], { env: { COHORT_PASSWORD } }), `${status} ${JSON.stringify(body)}`);
  }
});

gotrue.close();
finish();
