// model-wire.mjs [-v] [PATTERN] - what OpenAI-compatible servers really answer
// (model-wire.jsonl: one answer a line, served byte for byte; those with a `wire`
// are of provider-wire.mjs), and what must
// become of it: in the run's stream, in the stored message and in the request
// that follows.
import { readFileSync } from "node:fs";
import { check, equal, finish, scenario } from "./lib.mjs";
import { ask as askOf, chunks, closeUpstream, joined, startCohort, upstreamUrl } from "./wire-lib.mjs";

const verbose = process.argv.includes("-v");
const pattern = process.argv.slice(2).find((a) => a !== "-v") ?? "";
const lines = readFileSync(new URL("model-wire.jsonl", import.meta.url), "utf8").trim().split("\n").map((l) => JSON.parse(l)).filter((l) => l.wire === undefined);

// ---- the model's server ------------------------------------------------------
const sse = (...deltas) => ({
  status: 200, headers: { "content-type": "text/event-stream" }, connection: "closed",
  body: [...deltas.map((d) => `data: ${JSON.stringify({ id: "chatcmpl-n", object: "chat.completion.chunk", model: "m", choices: [{ index: 0, delta: d, finish_reason: null }] })}\n\n`),
    `data: ${JSON.stringify({ id: "chatcmpl-n", object: "chat.completion.chunk", model: "m", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\n`, "data: [DONE]\n\n"].join(""),
});
const json = (message) => ({
  status: 200, headers: { "content-type": "application/json" }, connection: "closed",
  body: JSON.stringify({ id: "chatcmpl-n", object: "chat.completion", model: "m", choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: "stop" }] }),
});
const done = (asked) => asked === "stream" ? sse({ role: "assistant", content: "done" }) : json({ content: "done" });

const server = await startCohort({ OPENAI_BASE_URL: `${upstreamUrl}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:m" });
const ask = (asked, list, options) => askOf(server, "openai", asked, list, options);

// ---- what is right ------------------------------------------------------------
// The content, alike in the stream and in the stored message.
const content = (text) => (r, name) => {
  equal(r.error, null, `${name}: no error`);
  equal(r.ai.at(-1)?.content, text, `${name}: stored content`);
  if (r.asked === "stream") equal(joined(r).toWellFormed(), text, `${name}: streamed content`);
};

const calls = (...want) => (r, name) => {
  equal(r.error, null, `${name}: no error`);
  const got = r.ai[0]?.tool_calls ?? [];
  equal(got.map((c) => [c.name, c.args.key]), want, `${name}: the calls`);
  check(got.every((c) => typeof c.id === "string" && c.id !== ""), `${name}: each has an id`, got);
  check(new Set(got.map((c) => c.id)).size === got.length, `${name}: no id twice`, got);
  equal(r.tools.map((t) => [t.tool_call_id, t.status]), got.map((c) => [c.id, "success"]), `${name}: each was answered`);
  equal(r.ai.at(-1)?.content, "done", `${name}: the model answered`);
  // Who joins the fragments by index has the same calls.
  if (r.asked === "stream") {
    const by = new Map();
    for (const c of chunks(r)) {
      const x = by.get(c.index) ?? { id: "", args: "" };
      by.set(c.index, { id: x.id + (c.id ?? ""), args: x.args + c.args });
    }
    equal([...by.values()].map((x) => [x.id, JSON.parse(x.args).key]), got.map((c) => [c.id, c.args.key]), `${name}: the streamed fragments`);
  }
};

// Only invalid calls: told to the model, which answers.
const invalid = (r, name) => {
  equal(r.error, null, `${name}: no error`);
  const bad = r.ai[0]?.invalid_tool_calls ?? [];
  check(bad.length === 1 && bad[0].type === "invalid_tool_call" && bad[0].error && bad[0].id, `${name}: invalid_tool_calls`, r.ai[0]);
  equal(r.ai[0]?.tool_calls, [], `${name}: no valid call`);
  equal(r.tools.map((t) => [t.tool_call_id, t.status]), [[bad[0]?.id, "error"]], `${name}: an error tool message`);
  equal(r.requests.length, 2, `${name}: the model is asked again`);
  const sent = r.requests[1]?.body.messages ?? [];
  equal(sent.map((m) => m.role), ["user", "assistant", "tool"], `${name}: what it is sent`);
  check(sent[1]?.tool_calls?.every((c) => { JSON.parse(c.function.arguments); return c.function.name; }), `${name}: arguments sent back are JSON`, sent[1]);
  equal(r.ai.at(-1)?.content, "done", `${name}: the model answered`);
};

const words = (...texts) => (r, name) => {
  for (const text of texts)
    check(r.error !== null && r.error.message.includes(text), `${name}: the words reach the client`, r.error ?? r.messages);
};

const modelError = (r, name) => {
  check(r.error !== null && !/BadRequest/.test(r.error.error), `${name}: an error of the model`, r.error ?? r.messages);
};

const finished = (reason, text) => (r, name) => {
  equal(r.ai.at(-1)?.content, text, `${name}: content`);
  equal(r.ai.at(-1)?.response_metadata.finish_reason, reason, `${name}: stored finish_reason`);
  equal(r.ai.at(-1)?.response_metadata.model_name, /"model":"([^"]+)"/.exec(JSON.stringify(r.answers[0].body).replaceAll("\\", ""))?.[1], `${name}: stored model_name`);
  if (r.asked === "stream") {
    equal(r.tuples.map((t) => t.response_metadata?.finish_reason).filter(Boolean), [reason], `${name}: streamed once`);
    equal(r.partials.at(-1)?.response_metadata.finish_reason, reason, `${name}: in the accumulated form`);
  }
};

const thought = (reasoning, text) => (r, name) => {
  content(text)(r, name);
  equal(r.ai.at(-1)?.additional_kwargs.reasoning_content, reasoning, `${name}: stored reasoning`);
  if (r.asked !== "stream") return;
  equal(r.tuples.map((t) => t.additional_kwargs?.reasoning_content ?? "").join(""), reasoning, `${name}: streamed reasoning`);
  equal(r.partials.at(-1)?.additional_kwargs.reasoning_content, reasoning, `${name}: in the accumulated form`);
};

// The second request of a tool loop.
const follows = (fn) => (r, name) => {
  equal(r.error, null, `${name}: no error`);
  equal(r.requests.length, 2, `${name}: two requests`);
  fn(r.requests[1]?.body.messages ?? [], name);
  equal(r.ai.at(-1)?.content, "done", `${name}: the model answered`);
};

const then = { list: (line) => [line, done(line.asked)] };

// Asked again without what the server refuses, and from then on.
const refused = (has) => async (r, name) => {
  content("done")(r, name);
  equal(r.requests.map((q) => has(q.body)), [true, false], `${name}: asked again without`);
  const next = await ask(r.asked, [done(r.asked)], { model: name, tid: r.tid, configurable: tests[name.replace(/-[a-z]+$/, "")].configurable });
  equal(next.requests.map((q) => has(q.body)), [false], `${name}: remembered`);
};

const tokens = (total) => (r, name) => {
  content("ab")(r, name);
  equal(r.ai.at(-1)?.usage_metadata?.total_tokens, total, `${name}: stored tokens`);
  if (r.asked === "stream") equal(r.tuples.map((t) => t.usage_metadata?.total_tokens).filter(Boolean), [total], `${name}: streamed tokens`);
};

// Far below the silence after which a connection is given up.
const soon = (fn) => (r, name) => { check(r.ms < 20000, `${name}: it did not wait for the connection`, r.ms); fn(r, name); };

function walk(schema, fn) {
  if (schema === null || typeof schema !== "object") return;
  fn(schema);
  for (const v of Object.values(schema)) walk(v, fn);
}

const image = "iVBORw0KGgo=";
const blocks = [
  [{ type: "image_url", image_url: "https://x.test/a.png" }, { type: "image_url", image_url: { url: "https://x.test/a.png" } }],
  [{ type: "image_url", image_url: { url: "https://x.test/a.png", detail: "low" } }, { type: "image_url", image_url: { url: "https://x.test/a.png", detail: "low" } }],
  [{ type: "image", source_type: "url", url: "https://x.test/b.png" }, { type: "image_url", image_url: { url: "https://x.test/b.png" } }],
  [{ type: "image", source_type: "base64", mime_type: "image/png", data: image }, { type: "image_url", image_url: { url: `data:image/png;base64,${image}` } }],
  [{ type: "image", mimeType: "image/jpeg", data: image }, { type: "image_url", image_url: { url: `data:image/jpeg;base64,${image}` } }],
  [{ type: "image", mime_type: "image/png", base64: image }, { type: "image_url", image_url: { url: `data:image/png;base64,${image}` } }],
  [{ type: "image", url: "https://x.test/c.png" }, { type: "image_url", image_url: { url: "https://x.test/c.png" } }],
  [{ type: "image", source: { type: "base64", media_type: "image/png", data: image } }, { type: "image_url", image_url: { url: `data:image/png;base64,${image}` } }],
  [{ type: "image", source: { type: "url", url: "https://x.test/d.png" } }, { type: "image_url", image_url: { url: "https://x.test/d.png" } }],
  [{ type: "audio", source_type: "base64", mime_type: "audio/mpeg", data: "AAAA" }, { type: "input_audio", input_audio: { data: "AAAA", format: "mp3" } }],
  [{ type: "audio", mime_type: "audio/wav", base64: "AAAA" }, { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } }],
  [{ type: "file", source_type: "base64", mime_type: "application/pdf", data: "JVBE", filename: "a.pdf" }, { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBE" } }],
  [{ type: "file", mimeType: "application/pdf", data: "JVBE", metadata: { filename: "b.pdf" } }, { type: "file", file: { filename: "b.pdf", file_data: "data:application/pdf;base64,JVBE" } }],
  [{ type: "file", source_type: "id", id: "file-1" }, { type: "file", file: { file_id: "file-1" } }],
  [{ type: "file", file_id: "file-2" }, { type: "file", file: { file_id: "file-2" } }],
  [{ type: "file", source_type: "text", text: "plain" }, { type: "text", text: "plain" }],
  [{ type: "media", mimeType: "image/png", data: image }, { type: "image_url", image_url: { url: `data:image/png;base64,${image}` } }],
  [{ type: "text", text: "what is it?" }, { type: "text", text: "what is it?" }],
];

const aiCall = (...ids) => ({ role: "assistant", content: "", tool_calls: ids.map((id) => ({ id, name: "current_time", args: {}, type: "tool_call" })) });
const tool = (id, text) => ({ role: "tool", tool_call_id: id, content: text });

// Every call has one answer right behind it, every answer a call before it.
function paired(sent, name) {
  for (let i = 0; i < sent.length; i++) {
    if (sent[i].role !== "assistant" || !sent[i].tool_calls) { check(sent[i].role !== "tool", `${name}: no tool message stands alone`, sent); continue; }
    const ids = sent[i].tool_calls.map((c) => c.id), got = [];
    while (sent[i + 1]?.role === "tool") got.push(sent[++i].tool_call_id);
    equal(got.sort(), ids.sort(), `${name}: calls and answers`);
  }
}

const tests = {
  // -- assembly of tool calls
  index0_all: { ...then, check: calls(["store_put", "k1"], ["store_put", "k2"]) },
  noindex_frag2: { ...then, check: calls(["store_put", "k1"], ["store_put", "k2"]) },
  gemini_noid2: { ...then, check: calls(["store_put", "k0"], ["store_put", "k1"]) },
  noindex_noid2: { ...then, check: calls(["store_put", "k0"], ["store_put", "k1"]) },
  second_args_same_index: { ...then, check: (r, name) => r.asked === "stream" ? invalid(r, name) : calls(["store_put", "k1"], ["store_put", "k2"])(r, name) },
  // -- arguments
  args_bad: { ...then, check: invalid },
  // -- what travels back
  deepseek_think: {
    ...then,
    check: async (r, name) => {
      follows((sent) => equal(sent[1]?.reasoning_content, "I need the time", `${name}: within the tool loop`))(r, name);
      const next = await ask(r.asked, [done(r.asked)], { model: `${name}-b`, tid: r.tid });
      check(next.requests[0]?.body.messages.every((m) => m.reasoning_content === undefined), `${name}: not after it`, next.requests[0]?.body.messages);
    },
  },
  gemini_tool_name: { ...then, check: follows((sent, name) => equal([sent[2]?.role, sent[2]?.name], ["tool", "current_time"], `${name}: tool name`)) },
  // -- requests
  stream_default: { check: (r, name) => { equal(r.requests[0].body.stream, r.asked === "stream", `${name}: stream is said`); content("default streams")(r, name); } },
  o1_max_tokens: {
    models: { stream: ["o1", "o1-mini", "openai/gpt-5.1-codex"], whole: ["o3", "o4-mini-2025-04-16", "gpt-5"] }, configurable: { max_tokens: 77 },
    check: async (r, name) => {
      for (const q of [r.requests[0].body]) equal([q.max_completion_tokens, q.max_tokens], [77, undefined], `${name}: max_completion_tokens`);
      const other = await ask(r.asked, [done(r.asked)], { model: `gpt-4o-${r.asked}`, configurable: { max_tokens: 77 } });
      equal([other.requests[0].body.max_completion_tokens, other.requests[0].body.max_tokens], [undefined, 77], `${name}: max_tokens elsewhere`);
    },
  },
  mistral_strict: {
    ...then,
    check: async (r, name) => {
      equal(r.error, null, `${name}: no error`);
      equal(r.ai.at(-1)?.content, "done", `${name}: the model answered`);
      equal(r.requests.length, 2, `${name}: asked again`);
      if (r.asked !== "stream") return;
      check(r.requests[0].body.stream_options && !r.requests[1].body.stream_options && r.requests[1].body.stream === true, `${name}: without stream_options`, r.requests[1].body);
      const next = await ask(r.asked, [done(r.asked)], { model: name });
      check(next.requests.length === 1 && !next.requests[0].body.stream_options, `${name}: remembered`, next.requests[0].body);
      equal(server.log.split("\n").filter((l) => l.includes(name) && l.includes("stream_options")).length, 1, `${name}: told once`);
    },
  },
  gemini_schema: {
    configurable: { tools: ["current_time", "store_put", "store_search", "work"] },
    check: (r, name) => {
      check(r.requests[0].body.tools.length > 3, `${name}: tools are sent`);
      for (const t of r.requests[0].body.tools) {
        check(Object.keys(t.function.parameters?.properties ?? {}).length > 0, `${name}: ${t.function.name} has properties`, t);
        walk(t.function.parameters, (s) => {
          check(!Array.isArray(s.type), `${name}: ${t.function.name}: no list of types`, s);
          check(s.properties === undefined || Object.keys(s.properties).length > 0, `${name}: ${t.function.name}: no empty properties`, s);
          check(s.additionalProperties === undefined, `${name}: ${t.function.name}: no additionalProperties`, s);
          check(s.required === undefined || !Array.isArray(s.required) || s.required.length > 0, `${name}: ${t.function.name}: no empty required`, s);
        });
      }
    },
  },
  image_strict: {
    messages: [{ role: "user", content: blocks.map((b) => b[0]) }],
    check: (r, name) => { equal(r.requests[0].body.messages[0].content, blocks.map((b) => b[1]), `${name}: blocks`); content("seen")(r, name); },
  },
  // -- history
  empty_assistant_refused: {
    check: async (r, name) => {
      equal([r.error, r.ai.at(-1)?.content], [null, ""], `${name}: stored as it came`);
      const next = await ask(r.asked, [done(r.asked)], { model: name, tid: r.tid });
      check(next.requests[0].body.messages.every((m) => m.role !== "assistant" || m.content !== "" || m.tool_calls), `${name}: no empty assistant message`, next.requests[0].body.messages);
      equal(next.ai.at(-1)?.content, "done", `${name}: the model answered`);
    },
  },
  pair_strict: {
    messages: [
      tool("nobody", "an orphan"), { role: "user", content: "go" }, aiCall("a", "b"), { role: "user", content: "well?" }, tool("b", "late b"),
      tool("b", "again b"), { role: "assistant", content: "" }, tool("gone", "another orphan"), aiCall("a"), tool("a", "second a"), aiCall("c"), { role: "user", content: "now" },
    ],
    check: (r, name) => {
      const sent = r.requests[0].body.messages;
      paired(sent, name);
      equal(sent.map((m) => m.role), ["user", "assistant", "tool", "tool", "user", "assistant", "tool", "assistant", "tool", "user"], `${name}: roles`);
      equal(sent[3].content, "late b", `${name}: a late answer is moved`);
      equal(sent[6].content, "second a", `${name}: an id that is used again`);
      content("paired 1")(r, name);
    },
  },
  // -- answers
  length_text: { check: finished("length", "cut of") },
  reasoning: { check: thought("let me think", "42") },
  // -- framing
  sse_as_json_type: { check: content("ab") }, multiline_data: { check: content("ab") }, cr_only: { check: content("ab") },
  bad_utf8: { check: content("a\ufffdb") }, lone_surrogate: { check: content("x\ufffd y") }, nospace: { check: content("ab") },
  crlf: { check: content("ab") }, comments: { check: content("ab") }, utf8_split: { check: content("héé 🙂 漢字") },
  azure_first: { check: (r, name) => { content("ab")(r, name); equal(r.ai.at(-1)?.usage_metadata?.total_tokens, 12, `${name}: tokens`); } },
  id_each_chunk: { check: (r, name) => { content("abc")(r, name); equal(new Set(r.tuples.filter((t) => t.type === "ai").map((t) => t.id)).size, r.asked === "stream" ? 1 : 0, `${name}: one id`); } },
  // -- errors
  mid_error: { check: words("worker limit reached") }, first_error_choices: { check: words("upstream busy") },
  fastapi_422: { check: words("Extra inputs are not permitted", "stream_options") }, error_200_object: { check: words("the model foo does not exist") },
  event_error: { check: words("engine died") },
  // -- HTTP
  r429_ms: {
    ...then,
    check: (r, name) => {
      if (r.asked !== "stream") { content("second try")(r, name); return; }
      content("done")(r, name);
      const pause = r.requests[1].at - r.requests[0].at;
      check(pause >= 2990, `${name}: the pause`, pause);
    },
  },
  redirect307: {
    ...then,
    check: (r, name) => {
      content("done")(r, name);
      equal([r.requests[1]?.method, r.requests[1]?.path], ["POST", "/r/v1/chat/completions"], `${name}: where it went`);
      equal(r.requests[1]?.body, r.requests[0].body, `${name}: the same body`);
      check(/authorization: bearer sk-test/i.test(r.requests[1]?.head), `${name}: the same key`);
    },
  },
  // -- the same kinds, from public reports of bugs
  arguments_object: { ...then, check: calls(["store_put", "k1"]) },
  name_repeated: { ...then, check: calls(["store_put", "k1"]) },
  same_id_twice: { ...then, check: calls(["store_put", "k1"], ["store_put", "k2"]) },
  no_name: { ...then, check: invalid }, args_list: { ...then, check: invalid },
  gemini_signature: { ...then, check: follows((sent, name) => equal(sent[1]?.tool_calls?.[0]?.extra_content, { google: { thought_signature: "CiQB==" } }, `${name}: extra_content`)) },
  signature_in_id: {
    ...then,
    check: follows((sent, name) => equal([sent[1]?.tool_calls?.[0]?.id.length, sent[2]?.tool_call_id === sent[1]?.tool_calls?.[0]?.id], [4017, true], `${name}: the id`)),
  },
  reasoning_details: {
    ...then,
    check: follows((sent, name) => equal([sent[1]?.reasoning, sent[1]?.reasoning_content, sent[1]?.reasoning_details?.map((d) => d.type)],
      ["I look", undefined, ["reasoning.text", "reasoning.encrypted"]], `${name}: under their names`)),
  },
  groq_reasoning: {
    list: (line) => [sse({ role: "assistant", reasoning_content: "hm", tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "current_time", arguments: "{}" } }] }), line, done(line.asked)],
    check: (r, name) => {
      content("done")(r, name);
      equal(r.requests.map((q) => q.body.messages[1]?.reasoning_content), [undefined, "hm", undefined], `${name}: without it`);
    },
  },
  ollama_no_tools: { ...then, check: refused((q) => q.tools !== undefined) }, llamacpp_no_tools: { ...then, check: refused((q) => q.tools !== undefined) },
  o_series_refusal: { ...then, configurable: { max_tokens: 5 }, check: refused((q) => q.max_completion_tokens === undefined && q.max_tokens === 5) },
  kimi_temperature: { ...then, configurable: { temperature: 0.5 }, check: refused((q) => q.temperature !== undefined) },
  magistral: { check: thought("let me", "42") }, reasoning_object: { check: thought("let me", "42") },
  kimi_usage: { check: tokens(12) }, groq_usage: { check: tokens(12) }, fraction_usage: { check: tokens(12) },
  huge_usage: {
    check: (r, name) => {
      const all = [r.ai.at(-1), ...r.tuples].map((m) => m?.usage_metadata).filter(Boolean);
      check(all.length > 0 && all.every((u) => u.total_tokens >= u.input_tokens && u.input_tokens > 0 && u.output_tokens > 0), `${name}: counts`, all);
    },
  },
  streams_anyway: { check: content("ab") },
  message_not_delta: { check: content("ab") }, bom: { check: content("ab") }, pretty_printed: { check: content("ab") },
  done_open: { check: soon(content("ab")) }, finish_open: { check: soon(content("ab")) }, done_only: { check: soon(content("ab")) },
  gemini_list: { check: words("Function call is missing a thought_signature") }, openrouter_raw: { check: words("Provider returned error", "prompt is too spicy") },
  finish_error: { check: words("finish_reason") }, error_in_choice: { check: words("upstream fell over") }, cloudflare_errors: { check: words("Could not route to this model") },
  aws_message: { check: words("User is not authorized") }, broken_utf8_error: { check: words("caf\ufffd closed") },
  web_page: { check: (r, name) => { modelError(r, name); words("base URL")(r, name); } }, wrong_type: { check: (r, name) => { modelError(r, name); words("content is of the wrong type")(r, name); } },
  redirect_elsewhere: { check: (r, name) => { words("308", "https://elsewhere.example/")(r, name); modelError(r, name); equal(r.requests.length, 1, `${name}: asked once`); } },
  whole_reset: { check: content("ab") }, refused_and_reset: { check: words("who are you") },
  no_http: { check: (r, name) => { modelError(r, name); words("does not speak HTTP")(r, name); } },
  gzip: { check: (r, name) => { equal(r.error, null, `${name}: no error`); check(r.ai.at(-1)?.content.length > 0, `${name}: decoded`, r.ai); } },
};

const cases = new Set(lines.map((l) => l.case));
equal(Object.keys(tests).filter((name) => !cases.has(name)), [], "every check has its case");

async function run(line) {
  const name = `${line.case}-${line.asked}`;
  if (!name.includes(pattern)) return;
  const t = tests[line.case];
  await scenario(name, async () => {
    if (!check(t !== undefined, `${name}: has a check`)) return;
    for (const model of t.models?.[line.asked] ?? [name]) {
      const r = await ask(line.asked, t.list?.(line) ?? [line], { model, configurable: t.configurable, messages: t.messages });
      if (verbose) console.log(name, JSON.stringify({ ...r, events: undefined, requests: r.requests.map((q) => q.body) }, null, 1));
      await t.check(r, name);
    }
  });
}

// Most of the time is pauses before a next attempt, so many go on at once.
const left = [...lines];
await Promise.all(Array.from({ length: 16 }, async () => { while (left.length > 0) await run(left.shift()); }));
// Too large for the file of cases.
for (const asked of ["stream", "whole"]) {
  const name = `long_line-${asked}`;
  if (!name.includes(pattern)) continue;
  await scenario(name, async () => {
    const text = "long ".repeat(3 << 20);
    const r = await ask(asked, [sse({ role: "assistant", content: text })], { model: name });
    check(r.error === null, `${name}: no error`, r.error);
    equal(r.ai.at(-1)?.content.length, text.length, `${name}: stored whole`);
    if (asked === "stream") equal(joined(r).length, text.length, `${name}: streamed whole`);
  });
}
await scenario("long_error", async () => {
  if (!"long_error".includes(pattern)) return;
  const r = await ask("whole", [{ status: 400, headers: {}, connection: "closed", body: JSON.stringify({ error: { message: "\u00e9".repeat(3000) } }) }], { model: "long_error" });
  check(r.error?.message.startsWith("400 éé") && r.error.message.isWellFormed() && !r.error.message.includes("\ufffd"), "long_error: cut at a character", r.error);
});

closeUpstream();
finish();
