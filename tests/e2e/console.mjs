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
  check(total <= 250 * 1024, `the console has at most 250 KB: ${total}`);
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

// ---- what a thread says --------------------------------------------------------

const source = readFileSync(path.join(repo, "src", "console", "conversation.js"), "utf8");
const { Conversation, read } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
const shape = (m) => (m.parts ? m : read(m)).parts.map((p) => [p.kind, p.text ?? p.args ?? p.url ?? p.value]);

await scenario("messages as providers write them", () => {
  const rows = [
    ["plain", [["text", "plain"]]],
    [[{ type: "thinking", thinking: "hm" }, { type: "redacted_thinking", data: "x" }, { type: "text", text: "a" }], [["reasoning", "hm"], ["reasoning", "Thoughts that the model's provider keeps to itself."], ["text", "a"]]],
    [[{ type: "reasoning", summary: [{ text: "one" }, { text: "two" }] }], [["reasoning", "one\n\ntwo"]]],
    [[{ type: "tool_use", id: "1", name: "t", input: { a: 1 } }, { type: "invalid_tool_call", id: "2", name: "t", args: "{", error: "not JSON" }], [["tool", { a: 1 }], ["tool", "{"]]],
    [[{ type: "image_url", image_url: { url: "https://a.example/x" } }, { type: "image", source: { type: "base64", media_type: "image/png", data: "QQ==" } }, { type: "audio", data: "QQ==", mime_type: "audio/mp3" }], [["media", "https://a.example/x"], ["media", "data:image/png;base64,QQ=="], ["media", "data:audio/mp3;base64,QQ=="]]],
    [[{ type: "image_url", image_url: "data:image/png;base64,QQ==" }, { type: "strange" }, "words"], [["media", "data:image/png;base64,QQ=="], ["other", { type: "strange" }], ["text", "words"]]],
    [[{ type: "text", text: "" }], []], [null, []], ["", []],
  ];
  for (const [content, want] of rows) equal(shape({ type: "ai", content }), want, JSON.stringify(content));
  equal(shape({ type: "ai", content: [{ type: "tool_call", id: "1", name: "t", args: {} }], tool_calls: [{ id: "1", name: "t", args: {} }], additional_kwargs: { reasoning_content: "first" } }), [["reasoning", "first"], ["tool", {}]], "a call that is told twice is one");
  equal(["user", "assistant", "AIMessageChunk", "tool", "system"].map((role) => read({ role, content: "" }).role), ["human", "ai", "ai", "tool", "system"], "roles");
});

await scenario("messages that are none", () => {
  const odd = [{ type: "ai", content: [null, 7, { type: "text", text: { a: 1 } }, { type: "image", url: 5 }, { type: "image", source: null }, { type: "tool_use", name: 3 }] },
    { type: "ai", content: {}, tool_calls: {}, invalid_tool_calls: "x", additional_kwargs: 3 }, { type: "constructor", content: 3 }, {}, "words"];
  for (const m of odd) check(read(m).parts.every((p) => ["text", "name", "url"].every((k) => p[k] === undefined || typeof p[k] === "string")), JSON.stringify(m), read(m));
  const c = new Conversation();
  for (const values of [null, 3, { messages: "x" }, { messages: [null, 1, {}, "words"] }]) c.load({ values, tasks: null, created_at: null });
  equal(c.list(), [{}, "words"], "only what may be a message is one");
});

await scenario("events", () => {
  const c = new Conversation(), seen = () => c.list().map((m) => [m.id, shape(m)]);
  const tell = (method, data, namespace = [], timestamp = 100, node = "agent") => c.apply({ event_id: "synth:r1:7", method, params: { namespace, timestamp, node, data } });
  const says = (event, more, ...rest) => tell("messages", { event, message_id: "m1", ...more }, ...rest);
  c.load({ created_at: new Date(50).toISOString(), values: { messages: [{ type: "human", id: "h", content: "hi" }] }, tasks: [] });
  tell("lifecycle", { event: "running" });
  equal(c.run, { id: "r1" }, "the run's id is in the event's");
  says("message-start", { id: "m1", role: "ai" });
  says("content-block-start", { index: 0, content: { type: "reasoning", reasoning: "" } });
  says("content-block-delta", { index: 0, delta: { type: "reasoning-delta", reasoning: "th" } });
  says("content-block-delta", { index: 0, delta: { type: "reasoning-delta", reasoning: "ink" } });
  says("content-block-start", { index: 1, content: { type: "text", text: "" } });
  says("content-block-delta", { index: 1, delta: { type: "text-delta", text: "a" } });
  says("content-block-start", { index: 2, content: { type: "tool_call_chunk", id: "t", name: "f", args: "", index: 2 } });
  says("content-block-delta", { index: 2, delta: { type: "block-delta", fields: { args: "{\"x\"" } } });
  says("content-block-delta", { index: 2, delta: { type: "block-delta", fields: { args: "{\"x\":1" } } });
  says("content-block-delta", { index: 2, delta: { type: "tool-call-delta", args: "}" } });
  equal(seen(), [["h", [["text", "hi"]]], ["m1", [["reasoning", "think"], ["text", "a"], ["tool", "{\"x\":1}"]]]], "blocks, cumulative and appended");
  tell("tools", { event: "tool-finished", tool_call_id: "t", output: { content: "done" } });
  equal(c.results().get("t"), { output: "done", failed: false }, "a tool's result, before the state has it");
  tell("values", { messages: [] }, [], 49);
  equal(seen().length, 2, "values from before the state are history");
  tell("values", { messages: [{ type: "human", id: "h", content: "hi" }, { type: "ai", id: "m1", content: "whole" }] });
  equal(seen(), [["h", [["text", "hi"]]], ["m1", [["text", "whole"]]]], "the state's message takes the streamed one's place");
  says("message-start", { id: "m1", role: "ai" });
  equal(seen().length, 2, "a replay of it changes nothing");
  tell("messages", { event: "message-start", message_id: "m2", id: "m2", role: "ai" });
  tell("messages", { event: "content-block-delta", message_id: "m2", index: 0, delta: { type: "text-delta", text: "cut" } });
  tell("messages", { event: "error", message_id: "m2", code: "retracted", message: "again" });
  equal(seen().length, 2, "what is retracted goes");
  tell("messages", { event: "message-start", message_id: "w", id: "w", role: "ai" }, ["work:1"]);
  tell("messages", { event: "content-block-delta", message_id: "w", index: 0, delta: { type: "text-delta", text: "inside" } }, ["work:1"]);
  equal([seen().length, [...c.inner.values()].map((s) => [s.name, s.text, s.status])], [2, [["work", "inside", "running"]]], "a sub-agent speaks beside it");
  tell("input.requested", { interrupt_id: "i", payload: "really?" });
  tell("input.requested", { interrupt_id: "i", payload: "really?" });
  equal(c.interrupts.map((i) => [i.id, i.value]), [["i", "really?"]], "a question, once");
  tell("input.answered", { interrupt_ids: ["i"] });
  equal(c.interrupts, [], "answered elsewhere");
  equal([tell("lifecycle", { event: "failed", error: "words" }), c.run, c.error], [true, null, "words"], "the end: the state is to be read");
  c.begin("r1");
  equal(c.run, null, "an answer that comes after the events begins nothing");
});

finish();
