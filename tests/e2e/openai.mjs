// openai.mjs - the official clients of OpenAI's interface against ours: openai and
// @langchain/openai, chat completions, responses and models; two event loops.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import OpenAI from "openai";
import { ChatOpenAI } from "@langchain/openai";
import { call, check, equal, finish, scenario, scratch, startMock, startServer, until } from "./lib.mjs";
import { agentFolder, matches } from "./core-lib.mjs";

const dir = scratch(), keys = path.join(dir, "keys"), script = path.join(dir, "script.json");
const hash = (k) => createHash("sha256").update(k).digest("hex");
writeFileSync(keys, `${hash("ck_ann")} ann\n${hash("ck_bob")} bob\n`);
writeFileSync(script, JSON.stringify({
  rules: [
    { match: "time please", tool_calls: [{ name: "current_time", args: {} }] },
    { match: { role: "tool" }, reply: "It is late." },
    { match: "save it", tool_calls: [{ name: "store_put", args: { namespace: ["o"], key: "k", value: { n: 1 } } }] },
    { match: "unicode", reply: "\"Grüße\" 🎈\n\\ and \u2028" },
  ],
  default: { reply: "Hello there, friend." },
}));
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--script", script]);
const slow = await startMock(["--delay-ms", "60000", "--ttft-ms", "0", "--stream-delay-ms", "40", "--tokens", "2000"]);
const agents = agentFolder(["e2e", "openai"]);
const server = await startServer({ mock, dir, args: ["--agents", agents, "--api-keys", keys, "--shards", "2"] });
const auth = (k = "ck_ann") => ({ authorization: `Bearer ${k}` });
const open = (apiKey = "ck_ann", more = {}) => new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0, ...more });
const ann = open(), bob = open("ck_bob");
const user = (content) => [{ role: "user", content }];
const chat = (model, content, more = {}) => ann.chat.completions.create({ model, messages: user(content), ...more });
async function collect(stream) { const out = []; for await (const c of stream) out.push(c); return out; }
const said = (chunks) => chunks.map((c) => c.choices[0]?.delta?.content ?? "").join("");
const streamed = async (model, content, more = {}) => collect(await chat(model, content, { stream: true, ...more }));
async function fails(promise, kind, what) {
  try { await promise; } catch (e) { check(e instanceof kind, `${what}: ${kind.name}`, `${e?.constructor?.name} ${e?.message}`); return e; }
  check(false, `${what}: ${kind.name}, but it went well`);
  return {};
}
const post = (body, target = "/v1/chat/completions", key = "ck_ann") => call(server, "POST", target, body, auth(key));

await scenario("models", async () => {
  const list = await ann.models.list(), ids = list.data.map((m) => m.id);
  check(ids.includes("agent") && ids.includes("router"), "each graph is a model, by its id", ids);
  matches(list.data[0], { id: String, object: "model", created: Number, owned_by: "cohort" }, "a model's shape");
  const made = (await call(server, "POST", "/assistants", { graph_id: "chat", name: "Ann's own" }, auth())).json.assistant_id;
  equal((await ann.models.retrieve("agent")).id, "agent", "by graph");
  equal((await ann.models.retrieve(made)).id, made, "by id");
  equal((await ann.models.retrieve("Ann's own")).id, made, "by name");
  check((await collect(await ann.models.list())).some((m) => m.id === made), "hers is listed");
  check(!(await bob.models.list()).data.some((m) => m.id === made), "and not for bob");
  for (const id of [made, "Ann's own", "nothing"]) {
    const e = await fails(bob.models.retrieve(id), OpenAI.NotFoundError, `bob: ${id}`);
    equal([e.code, e.param], ["model_not_found", "model"], "which says why");
  }
  await fails(bob.chat.completions.create({ model: made, messages: user("x") }), OpenAI.NotFoundError, "bob cannot run it");
  equal((await chat("Ann's own", "hi")).choices[0].message.content, "echo hi (1)", "it runs by its name");
  const one = await ann.responses.create({ model: "Ann's own", input: "one" });
  equal((await ann.responses.create({ model: "Ann's own", input: "two", previous_response_id: one.id })).output_text, "echo two (3)", "and goes on so");
  await call(server, "POST", "/assistants", { graph_id: "chat", name: "Ann's own" }, auth());
  const e = await fails(ann.models.retrieve("Ann's own"), OpenAI.UnprocessableEntityError, "two of one name");
  check(/2 assistants have the name/.test(e.message), "are told", e.message);
  equal((await chat(made, "hi")).choices[0].message.content, "echo hi (1)", "an assistant of one's own runs");
});

await scenario("a completion, whole and streamed", async () => {
  const c = await chat("agent", "hi");
  matches(c, { id: /^chatcmpl-/, object: "chat.completion", created: Number, model: "agent",
    choices: [{ index: 0, message: { role: "assistant", content: "Hello there, friend.", refusal: null }, finish_reason: "stop", logprobs: null }],
    usage: { prompt_tokens: Number, completion_tokens: Number, total_tokens: Number } }, "its shape");
  check(c.usage.total_tokens === c.usage.prompt_tokens + c.usage.completion_tokens && c.usage.total_tokens > 0, "its usage");
  const parts = await streamed("agent", "hi");
  equal(said(parts), "Hello there, friend.", "the stream says the same");
  equal(parts.at(-1).choices[0].finish_reason, "stop", "and how it ended");
  check(parts.every((p) => p.usage === undefined && p.choices.length === 1), "without usage, as it was not asked for");
  const counted = await streamed("agent", "hi", { stream_options: { include_usage: true } });
  matches(counted.at(-1), { choices: [], usage: { total_tokens: c.usage.total_tokens } }, "the usage comes last");
  check(counted.slice(0, -1).every((p) => p.usage === null), "and is null before");
  equal(said(await streamed("agent", "unicode")), "\"Grüße\" 🎈\n\\ and \u2028", "text comes through as it is");
  equal((await chat("agent", "unicode")).choices[0].message.content, "\"Grüße\" 🎈\n\\ and \u2028", "whole, too");
  const runner = ann.chat.completions.stream({ model: "agent", messages: user("hi") });
  equal(await runner.finalContent(), "Hello there, friend.", "the client's own helper");
  const { request_id } = await ann.chat.completions.create({ model: "agent", messages: user("hi") }).withResponse();
  check(/^[0-9a-f-]{36}$/.test(request_id), "x-request-id is the run's", request_id);
});

await scenario("tools are the agent's", async () => {
  const c = await chat("agent", "time please");
  equal([c.choices[0].message.content, c.choices[0].message.tool_calls, c.choices[0].finish_reason], ["It is late.", undefined, "stop"], "its calls are not the client's");
  const parts = await streamed("agent", "time please", { stream_options: { include_usage: true } });
  check(parts.every((p) => !p.choices[0]?.delta?.tool_calls), "nor in a stream");
  equal(said(parts), "It is late.", "only what it says");
  check(Math.abs(parts.at(-1).usage.total_tokens - c.usage.total_tokens) < 9, "the usage is of both calls", [parts.at(-1), c.usage]);
  const one = await chat("agent", "hi");
  check(c.usage.prompt_tokens > 1.5 * one.usage.prompt_tokens, "which is more than of one", [c.usage, one.usage]);
});

await scenario("who is heard", async () => {
  equal((await chat("router", "hi")).choices[0].message.content, "Hello there, friend.", "not what is said for another channel");
  equal(said(await streamed("router", "hi")), "Hello there, friend.", "in a stream neither");
  const both = (await chat("pair_talk", "hi")).choices[0].message.content;
  check(["left says\n\nright says", "right says\n\nleft says"].includes(both), "one after the other", both);
  equal((await chat("boss", "hi")).choices[0].message.content, "Hello there, friend.\n\nThat was all.", "an agent that is a node, and a message that a node wrote");
  const parts = await streamed("boss", "hi");
  equal(said(parts), "Hello there, friend.\n\nThat was all.", "in a stream too");
  check(parts.length > 5, "token by token", parts.length);
});

await scenario("a thread", async () => {
  const thread_id = (await call(server, "POST", "/threads", {}, auth())).json.thread_id, metadata = { thread_id };
  equal((await chat("chat", "one", { metadata })).choices[0].message.content, "echo one (1)", "the first message");
  equal((await chat("chat", "two", { metadata })).choices[0].message.content, "echo two (3)", "the second");
  const history = [...user("one"), { role: "assistant", content: "echo one (1)" }, ...user("three")];
  equal((await ann.chat.completions.create({ model: "chat", messages: history, metadata })).choices[0].message.content, "echo three (5)", "of a whole history the new ones");
  await fails(ann.chat.completions.create({ model: "chat", messages: history.slice(0, 2), metadata }), OpenAI.UnprocessableEntityError, "nothing new");
  await fails(bob.chat.completions.create({ model: "chat", messages: user("x"), metadata }), OpenAI.NotFoundError, "another's thread");
  await fails(chat("chat", "x", { metadata: { thread_id: "01a22f4f-27f8-7ed9-9967-95776feebb4d" } }), OpenAI.NotFoundError, "none");
  await chat("agent", "hi", { metadata, temperature: 0.5, max_tokens: 7 });
  const t = (await call(server, "GET", `/threads/${thread_id}`, undefined, auth())).json;
  check(!/temperature|max_tokens/.test(JSON.stringify(t.config)), "settings are of one run", t.config);
  equal((await call(server, "POST", "/threads/search", { metadata: {} }, auth("ck_bob"))).json.length, 0, "bob has no threads");
});

await scenario("a question is asked, and answered", async () => {
  const thread_id = (await call(server, "POST", "/threads", {}, auth())).json.thread_id, metadata = { thread_id };
  const asked = await chat("confirm", "pay", { metadata });
  equal([asked.choices[0].message.content, asked.choices[0].finish_reason], ["One moment.\n\nPay 12? (yes / no)", "stop"], "the question is the last of the text");
  const answered = await streamed("confirm", "yes", { metadata });
  equal(said(answered), "You said yes.", "the next message answers it");
  equal((await chat("confirm", "pay")).choices[0].message.content, "One moment.\n\nPay 12? (yes / no)", "without a thread it is only asked");
  const review = (await call(server, "POST", "/threads", {}, auth())).json.thread_id;
  await call(server, "POST", `/threads/${review}/runs/wait`, { assistant_id: "agent", input: { messages: user("save it") }, config: { configurable: { interrupt_on: { store_put: true } } } }, auth());
  const decided = await chat("agent", JSON.stringify({ decisions: [{ type: "approve" }] }), { metadata: { thread_id: review } });
  equal(decided.choices[0].message.content, "It is late.", "an answer that is JSON is given as such");
});

await scenario("errors have the client's classes", async () => {
  await fails(open("ck_nobody").models.list(), OpenAI.AuthenticationError, "a wrong key");
  await fails(chat("nothing", "x"), OpenAI.NotFoundError, "no such model");
  await fails(chat("square", "x"), OpenAI.UnprocessableEntityError, "an agent without a conversation");
  const n = await fails(chat("agent", "x", { n: 2 }), OpenAI.UnprocessableEntityError, "n");
  equal([n.param, n.type], ["n", "invalid_request_error"], "names the parameter");
  const e = await fails(open("ck_ann", { maxRetries: 2 }).chat.completions.create({ model: "broken", messages: user("x") }), OpenAI.InternalServerError, "a run that failed");
  equal([e.code, e.type], ["Refused", "server_error"], "says why");
  check(/not today/.test(e.message), "in words", e.message);
  equal((await call(server, "GET", "/metrics")).text.match(/^cohort_http_requests_total\{route="\/v1\/chat\/completions"[^}]*status="5xx"[^}]*\} (\d+)/m)?.[1] ?? "1", "1", "it was not repeated");
  const f = await fails(streamed("broken", "x"), OpenAI.APIError, "one that fails in the stream");
  check(/not today/.test(f.message), "too", f.message);
  for (const [method, target] of [["GET", "/v1/chat/completions"], ["GET", "/v1/chat/completions/x"], ["POST", "/v1/responses/compact"], ["POST", "/v1/conversations"], ["GET", "/v1/responses/x/input_items"]]) {
    const x = await call(server, method, target, method === "POST" ? {} : undefined, auth());
    matches(x, { status: 404, json: { error: { message: /not supported yet/ } } }, `${method} ${target}`);
  }
});

await scenario("a response", async () => {
  const r = await ann.responses.create({ model: "agent", input: "hi", metadata: { a: "b" } });
  matches(r, { id: /^resp_/, object: "response", status: "completed", model: "agent", output_text: "Hello there, friend.", error: null,
    output: [{ type: "message", role: "assistant", status: "completed", id: /^msg_/, content: [{ type: "output_text", text: "Hello there, friend.", annotations: [] }] }],
    usage: { input_tokens: Number, output_tokens: Number, total_tokens: Number }, metadata: { a: "b" } }, "its shape");
  const kept = await ann.responses.retrieve(r.id);
  for (const key of ["id", "status", "output", "usage", "metadata", "model", "created_at"]) equal(kept[key], r[key], `kept: ${key}`);
  await fails(bob.responses.retrieve(r.id), OpenAI.NotFoundError, "another's");
  await fails(bob.responses.cancel(r.id), OpenAI.NotFoundError, "cancel another's");
  await fails(bob.responses.create({ model: "agent", input: "x", previous_response_id: r.id }), OpenAI.NotFoundError, "go on from another's");
  await fails(bob.responses.delete(r.id), OpenAI.NotFoundError, "delete another's");
  await ann.responses.delete(r.id);
  await fails(ann.responses.retrieve(r.id), OpenAI.NotFoundError, "a deleted one");
  await fails(ann.responses.create({ model: "agent", input: "x", previous_response_id: r.id }), OpenAI.NotFoundError, "go on from it");
  const gone = await ann.responses.create({ model: "agent", input: "hi", store: false });
  equal([gone.output_text, gone.store], ["Hello there, friend.", false], "store: false");
  await fails(ann.responses.retrieve(gone.id), OpenAI.NotFoundError, "is not kept");
});

await scenario("responses go on", async () => {
  const first = await ann.responses.create({ model: "chat", input: "one", instructions: "be brief" });
  const second = await ann.responses.create({ model: "chat", input: "two", previous_response_id: first.id });
  const other = await ann.responses.create({ model: "chat", input: "three", previous_response_id: first.id });
  equal([first, second, other].map((x) => x.output_text), ["echo one (1)", "echo two (3)", "echo three (3)"], "also from an older one");
  equal([second.previous_response_id, second.instructions, first.instructions], [first.id, null, "be brief"], "instructions are of one response");
  equal((await ann.responses.retrieve(second.id)).output_text, "echo two (3)", "each keeps its own output");
  equal((await ann.responses.create({ model: "chat", input: "four", previous_response_id: second.id })).output_text, "echo four (5)", "on both branches");
  const thread = (await call(server, "POST", "/threads", {}, auth())).json.thread_id;
  const a = await ann.responses.create({ model: "chat", input: "one", conversation: thread });
  const b = await ann.responses.create({ model: "chat", input: [...user("two")], conversation: a.conversation });
  equal([b.output_text, b.conversation.id], ["echo two (3)", `conv_${thread}`], "a conversation is a thread");
  await fails(bob.responses.create({ model: "chat", input: "x", conversation: thread }), OpenAI.NotFoundError, "another's conversation");
  const asked = await ann.responses.create({ model: "confirm", input: "pay" });
  equal([asked.status, asked.incomplete_details.reason, asked.output.at(-1).content[0].text], ["incomplete", "input_required", "Pay 12? (yes / no)"], "a question");
  equal((await ann.responses.create({ model: "confirm", input: "no", previous_response_id: asked.id })).output_text, "You said no.", "is answered by the next");
  const failed = await ann.responses.create({ model: "broken", input: "x" });
  matches(failed, { status: "failed", error: { code: "server_error", message: /not today/ } }, "a run that fails");
  matches(await ann.responses.retrieve(failed.id), { status: "failed", error: { message: /not today/ } }, "kept so");
});

await scenario("a response streams", async () => {
  const events = await collect(await ann.responses.create({ model: "boss", input: "hi", stream: true }));
  const one = ["output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done", "output_item.done"];
  const kinds = events.map((e) => e.type.replace("response.", "")).filter((k, i, l) => k !== l[i - 1]);
  equal(kinds, ["created", "in_progress", ...one, ...one, "completed"], "the order of events");
  equal(events.map((e) => e.sequence_number), events.map((_, i) => i), "each has its number");
  const done = events.at(-1).response;
  equal(done.output.map((o) => o.content[0].text), ["Hello there, friend.", "That was all."], "each message is an item");
  for (const i of [0, 1]) {
    equal(events.filter((e) => e.type === "response.output_text.delta" && e.output_index === i).map((e) => e.delta).join(""), done.output[i].content[0].text, `its deltas: ${i}`);
    equal(new Set(events.filter((e) => e.output_index === i).map((e) => e.item_id ?? e.item.id)), new Set([done.output[i].id]), `its id: ${i}`);
  }
  equal((await ann.responses.retrieve(done.id)).output, done.output, "and it is kept so");
  const helper = ann.responses.stream({ model: "agent", input: "unicode" });
  equal((await helper.finalResponse()).output[0].content[0].text, "\"Grüße\" 🎈\n\\ and \u2028", "the client's own helper");
  equal((await collect(await ann.responses.create({ model: "broken", input: "x", stream: true }))).at(-1).type, "response.failed", "a run that fails");
  equal((await collect(await ann.responses.create({ model: "confirm", input: "x", stream: true }))).at(-1).type, "response.incomplete", "a question");
});

await scenario("ChatOpenAI", async () => {
  const configuration = { baseURL: `${server.url}/v1` }, plain = { model: "agent", apiKey: "ck_ann", maxRetries: 0, configuration };
  const model = new ChatOpenAI(plain);
  const m = await model.invoke([["system", "be"], ["human", "hi"]]);
  equal([m.content, m.response_metadata.finish_reason], ["Hello there, friend.", "stop"], "invoke");
  check(m.usage_metadata.total_tokens > 0, "with usage", m.usage_metadata);
  let whole;
  for await (const c of await model.stream("hi")) whole = whole ? whole.concat(c) : c;
  equal(whole.content, "Hello there, friend.", "stream");
  check(whole.usage_metadata.total_tokens > 0, "with usage", whole.usage_metadata);
  const responses = new ChatOpenAI({ ...plain, useResponsesApi: true });
  equal((await responses.invoke("hi")).text, "Hello there, friend.", "responses");
  whole = undefined;
  for await (const c of await responses.stream("hi")) whole = whole ? whole.concat(c) : c;
  equal(whole.text, "Hello there, friend.", "responses, streamed");
});

await scenario("nothing is smuggled in", async () => {
  const mcp = { mcp_config: { servers: { x: { command: ["touch", path.join(dir, "smuggled")] } } }, mcp_servers: {}, base_url: "http://127.0.0.1:1" };
  for (const extra of [{ config: { configurable: mcp } }, { configurable: mcp }, mcp, { context: mcp }, { extra_body: mcp }, { command: { goto: "x" } }, { checkpoint_id: "x" }, { interrupt_before: "*" }, { webhook: "http://127.0.0.1:1/" }]) {
    const name = Object.keys(extra)[0];
    for (const [target, body] of [["/v1/chat/completions", { model: "agent", messages: user("hi") }], ["/v1/responses", { model: "agent", input: "hi" }]])
      matches(await post({ ...body, ...extra }, target), { status: 422, json: { error: { param: name } } }, `${target}: ${name}`);
  }
  const metadata = { mcp_config: JSON.stringify(mcp.mcp_config), base_url: "http://127.0.0.1:1", system_prompt: "x", graph_id: "square", owner: "bob", run_id: "x" };
  const r = await ann.responses.create({ model: "agent", input: "hi", metadata });
  equal([r.output_text, r.metadata], ["Hello there, friend.", metadata], "metadata is metadata");
  const runs = await call(server, "POST", "/threads/search", {}, auth());
  const last = (await call(server, "GET", `/threads/${runs.json[0].thread_id}/runs`, undefined, auth())).json[0];
  check(!/x-stainless/.test(JSON.stringify(last.kwargs)), "what the client tells of its machine is no setting", last.kwargs);
  check(!/mcp_config|base_url/.test(JSON.stringify(last.kwargs.config.configurable)), "no setting", last.kwargs.config);
  const { existsSync } = await import("node:fs");
  check(!existsSync(path.join(dir, "smuggled")), "no process was started");
});

const m1 = user("hi");
const bad = [
  [{}, "model"], [{ messages: m1 }, "model"], [{ messages: m1, model: "" }, "model"], [{ model: "agent" }, "messages"], [{ model: 5, messages: m1 }, "model"],
  [{ model: "agent", messages: [] }, "messages"], [{ model: "agent", messages: "hi" }, "messages"], [{ model: "agent", messages: {} }, "messages"],
  [{ model: "agent", messages: [5] }, "messages[0]"], [{ model: "agent", messages: [{}] }, "messages[0].role"],
  [{ model: "agent", messages: [{ role: "remove", content: "x" }] }, "messages[0].role"], [{ model: "agent", messages: [{ role: 5 }] }, "messages[0].role"],
  [{ model: "agent", messages: [{ role: "user", content: 5 }] }, /messages/], [{ model: "agent", messages: [{ role: "user" }] }, /messages/],
  [{ model: "agent", messages: [{ role: "user", content: [5] }] }, "messages[0].content[0]"],
  [{ model: "agent", messages: [{ role: "user", content: [{ type: "video" }] }] }, "messages[0].content[0].type"],
  [{ model: "agent", messages: [{ role: "user", content: [{}] }] }, "messages[0].content[0].type"],
  [{ model: "agent", messages: [{ role: "tool", content: "x" }] }, /messages/],
  [{ model: "agent", messages: [{ role: "assistant", content: null, audio: { id: "x" } }] }, "messages[0]"],
  [{ model: "agent", messages: [{ role: "assistant", tool_calls: 5 }] }, /messages/],
  [{ model: "agent", messages: [{ role: "assistant", tool_calls: [{ id: "x", function: { name: "f", arguments: "{" } }] }] }, /messages/],
  [{ n: 3 }, "n"], [{ logprobs: true }, "logprobs"], [{ top_logprobs: 2 }, "top_logprobs"], [{ response_format: { type: "json_schema" } }, "response_format"],
  [{ response_format: { type: "json_object" } }, "response_format"], [{ audio: { voice: "x" } }, "audio"], [{ modalities: ["audio"] }, "modalities"],
  [{ tools: [{ type: "function", function: { name: "f" } }] }, "tools"], [{ functions: [{ name: "f" }] }, "functions"], [{ tool_choice: "required" }, "tool_choice"],
  [{ function_call: { name: "f" } }, "function_call"], [{ stop: ["x"] }, "stop"], [{ stop: "x" }, "stop"], [{ top_p: 0.5 }, "top_p"], [{ logit_bias: { 5: 1 } }, "logit_bias"],
  [{ frequency_penalty: 1 }, "frequency_penalty"], [{ presence_penalty: 1 }, "presence_penalty"], [{ reasoning_effort: "high" }, "reasoning_effort"],
  [{ verbosity: "low" }, "verbosity"], [{ web_search_options: {} }, "web_search_options"], [{ store: true }, "store"], [{ parallel_tool_calls: false }, "parallel_tool_calls"],
  [{ temperature: "hot" }, "temperature"], [{ temperature: 9 }, /temperature/], [{ max_tokens: 0 }, /max_tokens/], [{ max_tokens: "1" }, "max_tokens"],
  [{ max_tokens: 1, max_completion_tokens: 1 }, "max_completion_tokens"], [{ stream: "yes" }, "stream"], [{ stream_options: {} }, "stream_options"],
  [{ stream: true, stream_options: { include: 1 } }, /stream_options/], [{ metadata: 5 }, "metadata"], [{ metadata: { a: 1 } }, "metadata.a"],
  [{ metadata: { thread_id: "x" } }, "metadata.thread_id"], [{ metadata: Object.fromEntries([...Array(17)].map((_, i) => [`k${i}`, "v"])) }, "metadata"],
  [{ mesages: [] }, "mesages"], [{ temprature: 1 }, "temprature"], [{ top_k: 5 }, "top_k"],
].map(([b, p]) => [b.model !== undefined || b.messages !== undefined || Object.keys(b).length === 0 ? b : { model: "agent", messages: m1, ...b }, p, "/v1/chat/completions"]);
const badResponses = [
  [{ input: undefined }, "input"], [{ input: 5 }, "input"], [{ input: [] }, "input"], [{ input: [5] }, "input[0]"], [{ input: [{ type: "item_reference", id: "x" }] }, "input[0].type"],
  [{ input: [{ type: "function_call_output", call_id: "x", output: "y" }] }, "input[0].type"], [{ input: [{ role: "boss", content: "x" }] }, "input[0].role"],
  [{ input: [{ role: "user", content: [{ type: "video" }] }] }, "input[0].content[0].type"], [{ input: [{ role: "user", content: [{ type: "input_image", file_id: "x" }] }] }, "input[0].content[0]"],
  [{ input: [{ role: "user", content: [{ type: "input_file", file_id: "x" }] }] }, "input[0].content[0]"], [{ instructions: 5 }, "instructions"],
  [{ previous_response_id: 5 }, "previous_response_id"], [{ previous_response_id: "resp_x" }, "previous_response_id", 404], [{ conversation: "x" }, "conversation", 404],
  [{ conversation: "x", previous_response_id: "y" }, "conversation"], [{ store: false, conversation: "x" }, "store"], [{ store: false, background: true }, "store"],
  [{ stream: true, background: true }, "stream"], [{ text: { format: { type: "json_schema" } } }, "text"], [{ reasoning: { effort: "high" } }, "reasoning"],
  [{ include: ["reasoning.encrypted_content"] }, "include"], [{ truncation: "auto" }, "truncation"], [{ prompt: { id: "x" } }, "prompt"], [{ tools: [{ type: "web_search" }] }, "tools"],
  [{ max_tool_calls: 3 }, "max_tool_calls"], [{ max_output_tokens: -1 }, /max_tokens/], [{ messages: m1 }, "messages"],
].map(([b, p, s]) => [{ model: "agent", input: "hi", ...b }, p, "/v1/responses", s]);
await scenario("bad requests", async () => {
  for (const [body, param, target, status = 422] of [...bad, ...badResponses]) {
    const x = await post(body, target), what = `${target} ${JSON.stringify(body).slice(0, 120)}`;
    matches(x, { status, json: { error: { message: String, type: "invalid_request_error", param: (p) => param instanceof RegExp ? param.test(p ?? x.json.error.message) : p === param } } }, what);
  }
  for (const text of ["", "{", "[]", "5", "null", "\"x\"", "{\"model\":\"agent\",}", "{\"model\":\"\\ud800\"}"]) {
    const x = await post(text);
    check([400, 404, 422].includes(x.status) && typeof x.json?.error?.message === "string", `malformed: ${text}`, x.text);
  }
  check((await call(server, "GET", "/ok")).status === 200, "and the server lives");
});

await scenario("what has no meaning is passed over", async () => {
  const c = await chat("agent", "hi", { seed: 1, user: "u", service_tier: "auto", prediction: { type: "content", content: "x" }, prompt_cache_key: "k", safety_identifier: "s", n: 1, top_p: 1, tools: [], tool_choice: "auto",
    logprobs: false, response_format: { type: "text" }, modalities: ["text"], frequency_penalty: 0, presence_penalty: 0, stop: null, reasoning_effort: null, store: false, parallel_tool_calls: true });
  equal(c.choices[0].message.content, "Hello there, friend.", "each of them");
});

await scenario("all kinds of messages", async () => {
  const c = await ann.chat.completions.create({ model: "agent", messages: [
    { role: "system", content: "s" }, { role: "developer", content: [{ type: "text", text: "d" }] }, { role: "user", content: "hi", name: "ann" },
    { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{\"a\":1}" } }] }, { role: "tool", tool_call_id: "c1", content: "r" },
    { role: "assistant", content: [{ type: "refusal", refusal: "no" }] },
    { role: "user", content: [{ type: "text", text: "look" }, { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }, { type: "file", file: { filename: "f.pdf", file_data: "data:application/pdf;base64,AAAA" } }, { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } }] }] });
  equal(c.choices[0].message.content, "Hello there, friend.", "reach the model");
  const r = await ann.responses.create({ model: "agent", input: [{ role: "developer", content: "d" }, { type: "message", role: "user", content: [{ type: "input_text", text: "look" }, { type: "input_image", image_url: "data:image/png;base64,iVBORw0KGgo=" }, { type: "input_file", filename: "f.pdf", file_data: "data:application/pdf;base64,AAAA" }] },
    { role: "assistant", content: [{ type: "output_text", text: "ok" }] }, { role: "user", content: "hi" }] });
  equal(r.output_text, "Hello there, friend.", "those of a response too");
});

await scenario("a client that leaves", async () => {
  const s = await startServer({ mock: slow, args: ["--agents", agents, "--shards", "2"] }), c = new OpenAI({ baseURL: `${s.url}/v1`, apiKey: "x", maxRetries: 0 });
  const live = async () => Number((await call(s, "GET", "/metrics")).text.match(/^cohort_runs_live(?:\{[^}]*\})? (\d+)/m)?.[1]);
  for (let i = 0; i < 4; i++) {
    const thread_id = (await call(s, "POST", "/threads", {})).json.thread_id;
    const stream = await c.chat.completions.create({ model: "agent", messages: m1, stream: true, metadata: { thread_id } });
    let n = 0;
    for await (const _ of stream) if (++n === 4) break;
    const run = async () => (await call(s, "GET", `/threads/${thread_id}/runs`)).json[0];
    await until(async () => (await run()).status === "interrupted", "the run to be cancelled");
    check(/disconnect|client/.test((await run()).cancel_reason ?? ""), "which says why", await run());
  }
  const gone = new AbortController(), waits = c.chat.completions.create({ model: "agent", messages: m1 }, { signal: gone.signal }).catch((e) => e);
  await until(async () => (await live()) > 0, "a run that is waited for");
  gone.abort();
  check((await waits) instanceof OpenAI.APIUserAbortError, "aborted");
  await until(async () => (await live()) === 0, "it to be cancelled");
  const background = await c.responses.create({ model: "agent", input: "hi", background: true });
  equal(background.status, "queued", "one in the background is queued");
  await until(async () => (await c.responses.retrieve(background.id)).status === "in_progress", "it to run");
  await fails(c.responses.create({ model: "agent", input: "x", previous_response_id: background.id }), OpenAI.ConflictError, "it cannot be gone on from yet");
  equal((await c.responses.cancel(background.id)).status, "cancelled", "it is cancelled");
  equal((await c.responses.retrieve(background.id)).status, "cancelled", "and stays so");
  equal((await c.responses.cancel(background.id)).status, "cancelled", "twice is once");
  await s.stop();
});

await scenario("a server that stops", async () => {
  const s = await startServer({ mock: slow, args: ["--agents", agents, "--shards", "2"] }), c = new OpenAI({ baseURL: `${s.url}/v1`, apiKey: "x", maxRetries: 0 });
  const streams = await Promise.all([c.chat.completions.create({ model: "agent", messages: m1, stream: true }), c.responses.create({ model: "agent", input: "hi", stream: true })]);
  const heard = streams.map((x) => { const h = { n: 0 }; h.end = collect((async function* () { for await (const e of x) { h.n++; yield e; } })()).catch((e) => e); return h; });
  const waits = c.chat.completions.create({ model: "agent", messages: m1 }).catch((e) => e);
  await until(() => heard.every((h) => h.n > 4), "both to stream");
  equal((await s.stop()).code, 0, "it stops in order");
  const [whole, events] = await Promise.all(heard.map((h) => h.end));
  check(whole instanceof Error, "a completion is not taken for the whole", whole);
  check(events instanceof Error || events.at(-1).type === "response.failed", "nor a response", events);
  check((await waits) instanceof OpenAI.APIError, "and who waited is told", await waits);
});

// What public reports tell of other servers: each broke a client.
await scenario("reports", async () => {
  const text = async (body) => (await post({ model: "agent", messages: m1, stream: true, ...body })).text;
  const frames = (t) => t.split("\n\n").filter((f) => f.startsWith("data: {")).map((f) => JSON.parse(f.slice(6)));
  const raw = await text({}), list = frames(raw);
  equal(list.map((f) => f.choices[0].delta.role), ["assistant", ...list.slice(1).map(() => undefined)], "the role comes first and once (tensorzero/tensorzero#1265, MiniMax-AI/MiniMax-M2.5#2)");
  equal(list[0].choices[0].delta.content, "", "with content that is not null (sgl-project/sglang#18335)");
  equal(new Set(list.map((f) => f.id)).size, 1, "one id in all chunks (open-webui/open-webui#23917)");
  check(list.every((f) => f.choices.length === 1), "no empty choices unless usage was asked for (Arthur-Ficial/apfel#100)");
  check(frames(await text({ stream_options: { include_usage: true } })).every((f) => Array.isArray(f.choices)), "choices in the usage chunk too (ROCm/ATOM#1711)");
  check(raw.endsWith("data: [DONE]\n\n") && !/^(id|event):/m.test(raw), "no ids, so that a comment never makes an event (openai/openai-python#2722); [DONE] at the end");
  const r = await ann.responses.create({ model: "agent", input: "hi" });
  equal(r.object, "response", "object (maximhq/bifrost#1638)");
  const events = await collect(await ann.responses.create({ model: "agent", input: "hi", stream: true }));
  for (const e of events) {
    check(Number.isInteger(e.sequence_number), `${e.type}: sequence_number (diegosouzapw/OmniRoute#13964)`);
    if (e.response) check(Array.isArray(e.response.output) && e.response.background === false && e.response.error === null, `${e.type}: output, background, error`);
    if (e.item) check(typeof e.item.status === "string", `${e.type}: the item's status`);
  }
  check(events.some((e) => e.type === "response.output_text.done"), "output_text.done (ogx-ai/ogx#5309)");
  const last = await post({ model: "agent", messages: m1 });
  check(/^application\/json/.test(last.headers.get("content-type")), "an answer that does not stream is JSON");
});

await server.stop();
await mock.stop();
await slow.stop();
finish();
