// console.mjs - the console's files as they are served: headers, policy, ETags, size; below
// a prefix; turned off.  What it does in a browser is in tests/browser/console.mjs.
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, repo, scenario, startServer } from "./lib.mjs";

const server = await startServer({ memory: true });

await scenario("files", async () => {
  const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";
  const sources = readdirSync(path.join(repo, "src", "console"));
  const total = sources.reduce((n, f) => n + statSync(path.join(repo, "src", "console", f)).size, 0);
  check(total <= 150 * 1024, `the console has at most 150 KB: ${total}`);
  const types = { html: "text/html; charset=utf-8", css: "text/css; charset=utf-8", js: "text/javascript; charset=utf-8", svg: "image/svg+xml" };
  for (const f of ["", ...sources.map((s) => `/${s}`)]) {
    const r = await fetch(`${server.url}/ui${f}`), text = await r.text();
    equal([r.status, r.headers.get("content-type"), r.headers.get("content-security-policy"), r.headers.get("x-content-type-options"), r.headers.get("referrer-policy"), r.headers.get("cache-control")],
      [200, types[(f || ".html").split(".").pop()], policy, "nosniff", "no-referrer", "no-cache"], `headers of /ui${f}`);
    equal(text, readFileSync(path.join(repo, "src", "console", f.slice(1) || "index.html"), "utf8"), `/ui${f} is the file`);
    const again = await fetch(`${server.url}/ui${f}`, { headers: { "if-none-match": `"x", W/${r.headers.get("etag")}` } });
    equal([again.status, await again.text(), again.headers.get("etag")], [304, "", r.headers.get("etag")], `/ui${f} is kept by its ETag`);
    check(!/https?:\/\/(?!www\.w3\.org)[\w-]+\.\w/.test(text), `/ui${f} names no other host`);
    check(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|sessionStorage/.test(text), `/ui${f} parses no HTML`);
  }
  const html = await (await fetch(`${server.url}/ui`)).text();
  check(!/<script(?![^>]* src=)|<style|\son\w+=|style=/.test(html), "no script or style in the page");
  const slash = await fetch(`${server.url}/ui/`, { redirect: "manual" });
  equal([slash.status, slash.headers.get("location")], [308, "/ui"], "/ui/ is /ui");
  equal((await fetch(`${server.url}/ui`, { method: "HEAD" })).status, 200, "HEAD");
  for (const [method, target, words] of [["GET", "/ui/none.js", "the console has no file \"none.js\""], ["GET", "/ui/..%2fapi", ""], ["POST", "/ui/agent", "ui is not supported yet"]]) {
    const r = await call(server, method, target, method === "POST" ? {} : undefined);
    check([400, 404].includes(r.status) && r.text.includes(words.replaceAll('"', '\\"')), `${method} ${target} is refused`, r.text);
  }
  check((await (await fetch(`${server.url}/`)).text()).includes('href="/ui"'), "/ links to it");
});

await scenario("below a prefix", async () => {
  const prefixed = await startServer({ memory: true, args: ["--http-mount-prefix", "/a/b"], health: "/a/b/ok" });
  const at = `${prefixed.url}/a/b`;
  equal([(await fetch(`${at}/ui`)).status, (await fetch(`${at}/ui/app.js`)).status, (await fetch(`${prefixed.url}/ui`)).status], [200, 200, 404], "only there");
  equal((await fetch(`${at}/ui/`, { redirect: "manual" })).headers.get("location"), "/a/b/ui", "the page without its slash");
  check((await (await fetch(`${at}/`)).text()).includes('href="/a/b/ui"'), "the link to it");
  await prefixed.stop();
});

await scenario("turned off", async () => {
  const off = await startServer({ memory: true, args: ["--http-disable-ui"] });
  equal([(await call(off, "GET", "/ui")).status, (await call(off, "GET", "/ui/app.js")).status], [404, 404], "no page");
  check(!(await (await fetch(`${off.url}/`)).text()).includes("/ui"), "and no link to it");
  await off.stop();
});

await scenario("auth: the page is open, what it asks for is not", async () => {
  const guarded = await startServer({ memory: true, env: { COHORT_JWT_SECRET: "0123456789abcdef0123456789abcdef" } });
  equal([(await fetch(`${guarded.url}/ui`)).status, (await fetch(`${guarded.url}/ui/app.js`)).status, (await call(guarded, "POST", "/threads/search", {})).status], [200, 200, 401], "statuses");
  await guarded.stop();
});

finish();
