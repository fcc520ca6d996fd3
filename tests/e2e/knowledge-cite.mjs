// knowledge-cite.mjs - answers of a model that invents sources: what is stored, what is
// streamed, what the model is offered; arguments that the file gives to a tool.
import { execFile, spawnSync } from "node:child_process";
import http from "node:http";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { binary, call, check, cleanEnv, equal, finish, scenario, scratch, startServer } from "./lib.mjs";

const dir = scratch(), agents = path.join(dir, "agents");
mkdirSync(agents);
const agent = (id, more) => `id: ${id}
state: {messages: {reducer: messages}}
tools:
  knowledge_search: {args: {collection: handbook}}
nodes:
  answer: {llm: {tools: [knowledge_search], max_turns: 4${more}}}
edges: [[START, answer]]
`;
writeFileSync(path.join(agents, "strict.yaml"), agent("strict", ", citations: strict"));
writeFileSync(path.join(agents, "free.yaml"), agent("free", ""));

// Searches for what the person said first, then says `answer` in pieces.
let answer = "";
const asked = [];
const model = http.createServer(async (req, res) => {
  let body = "";
  for await (const piece of req) body += piece;
  const q = JSON.parse(body), searched = q.messages.at(-1).role === "tool";
  asked.push(q);
  const args = JSON.stringify({ query: q.messages.at(-1).content, collection: "secret" });
  const deltas = searched ? answer.match(/[^]{1,3}/g).map((content) => ({ content }))
    : [{ role: "assistant", content: "Looking [fake.md#1]. " }, { tool_calls: [{ index: 0, id: `c${asked.length}`, type: "function", function: { name: "knowledge_search", arguments: args } }] }];
  const one = { id: `x${asked.length}`, created: 1, model: "m", object: "chat.completion.chunk" };
  const end = searched ? "stop" : "tool_calls", usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  if (!q.stream) {
    const message = searched ? { role: "assistant", content: answer } : { role: "assistant", content: "Looking [fake.md#1]. ", tool_calls: [{ id: `c${asked.length}`, type: "function", function: { name: "knowledge_search", arguments: args } }] };
    res.writeHead(200, { "content-type": "application/json" });
    return res.end(JSON.stringify({ ...one, object: "chat.completion", choices: [{ index: 0, message, finish_reason: end }], usage }));
  }
  res.writeHead(200, { "content-type": "text/event-stream" });
  for (const delta of deltas) res.write(`data: ${JSON.stringify({ ...one, choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`);
  res.write(`data: ${JSON.stringify({ ...one, choices: [{ index: 0, delta: {}, finish_reason: end }] })}\n\n`);
  res.end(`data: ${JSON.stringify({ ...one, choices: [], usage })}\n\ndata: [DONE]\n\n`);
});
await new Promise((r) => model.listen(0, "127.0.0.1", r));
const server = await startServer({ dir, args: ["--agents", agents, "--model", "openai:m"], env: { OPENAI_BASE_URL: `http://127.0.0.1:${model.address().port}/v1`, OPENAI_API_KEY: "sk-x" } });

const texts = path.join(dir, "texts");
mkdirSync(texts);
writeFileSync(path.join(texts, "lamps.md"), "# Lamps\n\n## Green\n\nA green lamp says ready. ".padEnd(400, "Really ready. ") + "\n\n## Red\n\nA red lamp says stop.\n");
const knowledge = (...args) => promisify(execFile)(binary, ["knowledge", ...args, "--url", server.url], { cwd: texts, env: cleanEnv({}) });
await knowledge("add", ".", "--collection", "handbook");
writeFileSync(path.join(texts, "other.md"), "A green lamp in a secret text.\n");
await knowledge("add", "other.md", "--collection", "secret");

const thread = async () => (await call(server, "POST", "/threads", {})).json.thread_id;
const run = async (t, id, text = "green lamp") => (await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: id, input: { messages: [{ role: "user", content: text }] } })).json.messages;
const invented = "Ready [lamps.md#1], not [lamps.md#7], see [invented.md#1, lamps.md#1] and [other.md#1](http://x/y) \u3010gone.md#2\u3011.";

await scenario("an invented source is not cited, an existing one is", async () => {
  answer = invented;
  const said = await run(await thread(), "strict"), last = said.at(-1);
  equal(last.content, "Ready [lamps.md#1], not, see [lamps.md#1] and.", "the answer");
  const [item] = (await call(server, "POST", "/store/items/search", { namespace_prefix: ["knowledge", "handbook", "chunks"], query: "green" })).json.items;
  equal(last.additional_kwargs.citations, [{ mark: "lamps.md#1", source: "lamps.md", n: 1, heading: "Lamps > Green", lines: item.value.lines, collection: "handbook", key: item.key }], "citations, and the passage of the store that each is");
  equal([last.additional_kwargs.citations_removed, said[1].content], [4, "Looking. "], "how many were not; nor in what comes with a call");
  check(said.find((m) => m.type === "tool").content.includes("[lamps.md#1] Lamps > Green"), "what it was shown", said);
  equal((await run(await thread(), "free")).at(-1).content, invented, "an agent that does not ask for it");
});

await scenario("what was found earlier in the thread may be cited, in another thread not", async () => {
  const t = await thread();
  answer = "Nothing.";
  await run(t, "strict");
  answer = "As before [lamps.md#1].";
  equal((await run(t, "strict", "unheard words")).at(-1).content, "As before [lamps.md#1].", "in the same thread");
  equal((await run(await thread(), "strict", "unheard words")).at(-1).content, "As before.", "in another");
});

await scenario("a stream shows no mark that the answer does not have", async () => {
  answer = invented;
  for (const mode of ["messages", "messages-tuple", "values", "updates", "events"]) {
    const r = await call(server, "POST", `/threads/${await thread()}/runs/stream`, { assistant_id: "strict", input: { messages: [{ role: "user", content: "green lamp" }] }, stream_mode: [mode] });
    check(r.text.includes("lamps.md#1") && !/invented.md|gone.md|lamps.md#7\b|other.md|fake.md/.test(r.text), `stream_mode ${mode}`, r.text);
  }
});

await scenario("arguments of the file: not shown, not changed", async () => {
  const spec = asked.at(-1).tools[0].function;
  equal([Object.keys(spec.parameters.properties), spec.parameters.required], [["query", "limit", "min_score"], ["query"]], "what the model is offered");
  const tool = (await run(await thread(), "free")).find((m) => m.type === "tool");
  check(tool.content.includes('of "handbook"') && !tool.content.includes("secret text"), "another collection that the model asks for", tool.content);
});

await scenario("a document that was removed is not cited again", async () => {
  await knowledge("remove", "lamps.md", "--collection", "handbook");
  answer = "Ready [lamps.md#1].";
  equal((await run(await thread(), "strict")).at(-1).content, "Ready.", "it is not found, so its mark is none");
});

await scenario("a file that says it wrongly is refused with the place", async () => {
  const file = path.join(dir, "bad.yaml");
  for (const [from, to, words] of [["{collection: handbook}", "{colection: handbook}", /bad.yaml:4:\d+: .*args.colection: knowledge_search has no argument 'colection'; did you mean 'collection'/], ["{collection: handbook}", "{limit: 100}", /args.limit: .*expected 1 to 20, got 100/], ["{collection: handbook}", "{limit: lots}", /args.limit/], ["{collection: handbook}", "{}", /at least one argument/], ["{collection: handbook}", "handbook", /a map of arguments/],
    ["citations: strict", "citations: loose", /strict/], ["knowledge_search: {args: {collection: handbook}}", "x: {reply: \"'x'\", args: {a: 1}}", /'args' belong to a built-in tool/], ["knowledge_search: {args:", "srv__tool: {args:", /'args' belong to a built-in tool|mcp/]]) {
    writeFileSync(file, agent("bad", ", citations: strict").replace(from, to));
    const r = spawnSync(binary, ["agent", "check", file], { encoding: "utf8", env: cleanEnv({}) });
    check(r.status !== 0 && words.test(r.stderr + r.stdout), `${to}`, r);
  }
  const r = spawnSync(binary, ["agent", "test", path.join(import.meta.dirname, "../../agents/examples/knowledge.yaml")], { encoding: "utf8", env: cleanEnv({}) });
  check(r.status === 0 && /2 passed/.test(r.stdout), "the example's tests", r);
});

await server.stop();
model.close();
finish();
