// provider-wire.mjs [-v] [PATTERN] - what Anthropic's and Gemini's servers, and those
// that speak like them, really answer (the lines of model-wire.jsonl that have a
// `wire`, served byte for byte), and what must become of it: in the run's stream, in
// the stored message and in the request that follows. Then every fault of the mock on
// every wire, signatures that the mock checks, and where each wire is asked. No key is
// ever told.
import { readFileSync, writeFileSync } from "node:fs";
import { call, check, equal, finish, parseEvents, scenario, startMock } from "./lib.mjs";
import { ask, closeUpstream, joined, models, startCohort, upstreamUrl } from "./wire-lib.mjs";

const verbose = process.argv.includes("-v");
const pattern = process.argv.slice(2).find((a) => a !== "-v") ?? "";
const lines = readFileSync(new URL("model-wire.jsonl", import.meta.url), "utf8").trim().split("\n").map((l) => JSON.parse(l)).filter((l) => l.wire !== undefined);
const keys = { anthropic: "sk-ant-very-secret-1", google_genai: "AIza-very-secret-2", "azure-eu": "az-very-secret-3", other: "sk-other-secret-4", openai: "sk-very-secret-5" };

const config = (url) => `providers:
  openai: {base_url: "${url}/v1", api_key: env:KEY_OPENAI}
  anthropic: {base_url: "${url}", api_key: env:KEY_ANTHROPIC}
  google_genai: {base_url: "${url}", api_key: env:KEY_GOOGLE}
  azure-eu: {type: azure_openai, base_url: "${url}", api_key: env:KEY_AZURE, api_version: 2024-10-21}
  azure-v1: {type: azure_openai, base_url: "${url}/openai/v1", api_key: env:KEY_AZURE}
  other: {type: openai, base_url: "${url}/other/v1", api_key: env:KEY_OTHER}
models:
  thinker: {targets: ["anthropic:mock"], has: [tools, reasoning]}
`;
const env = { KEY_OPENAI: keys.openai, KEY_ANTHROPIC: keys.anthropic, KEY_GOOGLE: keys.google_genai, KEY_AZURE: keys["azure-eu"], KEY_OTHER: keys.other, MODEL_NAME: "openai:m" };
const server = await startCohort(env, config(upstreamUrl));

// ---- what a model answers at the end of a loop ------------------------------------
const sse = (body) => ({ status: 200, headers: { "content-type": "text/event-stream" }, connection: "closed", body });
const json = (o) => ({ status: 200, headers: { "content-type": "application/json" }, connection: "closed", body: JSON.stringify(o) });
const message = { id: "msg_n", type: "message", role: "assistant", model: "m", content: [{ type: "text", text: "done" }], stop_reason: "end_turn", usage: { input_tokens: 1, output_tokens: 1 } };
const candidate = { candidates: [{ content: { parts: [{ text: "done" }], role: "model" }, finishReason: "STOP", index: 0 }] };
const done = (line) => line.wire === "anthropic" ? json(message) : line.asked === "stream" ? sse(`data: ${JSON.stringify(candidate)}\n\n`) : json(candidate);

// ---- what is right --------------------------------------------------------------
const content = (text) => (r, name) => {
  equal(r.error, null, `${name}: no error`);
  equal(r.ai.at(-1)?.content, text, `${name}: stored content`);
  if (r.asked === "stream") equal(joined(r), text, `${name}: streamed content`);
};

const tokens = (details) => (r, name) => {
  content("ab")(r, name);
  for (const [key, want] of Object.entries(details))
    equal(key.split(".").reduce((o, k) => o?.[k], r.ai.at(-1)?.usage_metadata), want, `${name}: stored ${key}`);
  if (r.asked === "stream") equal(r.tuples.map((t) => t.usage_metadata).filter(Boolean), [r.ai.at(-1)?.usage_metadata], `${name}: streamed tokens`);
};

const calls = (...want) => (r, name) => {
  equal(r.error, null, `${name}: no error`);
  const got = r.ai[0]?.tool_calls ?? [];
  equal(got.map((c) => c.args.key), want, `${name}: the calls`);
  check(new Set(got.map((c) => c.id)).size === want.length && got.every((c) => c.id), `${name}: ids`, got);
  equal(r.tools.map((t) => [t.tool_call_id, t.status]), got.map((c) => [c.id, "success"]), `${name}: each was answered`);
  equal(r.ai.at(-1)?.content, "done", `${name}: the model answered`);
  equal(r.requests.length, 2, `${name}: two requests`);
};

// The blocks, or parts, of the model's turn in the second request.
const sentBack = (fn) => (r, name) => {
  equal(r.error, null, `${name}: no error`);
  equal(r.requests.length, 2, `${name}: two requests`);
  const body = r.requests[1]?.body ?? {};
  fn((body.messages ?? body.contents)?.[1]?.content ?? body.contents?.[1]?.parts ?? [], name, r);
  equal(r.ai.at(-1)?.content, "done", `${name}: the model answered`);
};

const words = (...texts) => (r, name) => {
  for (const text of texts)
    check(r.error !== null && r.error.message.includes(text), `${name}: the words reach the client`, r.error ?? r.messages);
};
const once = (fn) => (r, name) => { fn(r, name); equal(r.requests.length, 1, `${name}: asked once`); };
const soon = (fn) => (r, name) => { check(r.ms < 20000, `${name}: it did not wait for the connection`, r.ms); fn(r, name); };
const reason = (want) => (r, name) => { content("ab")(r, name); equal(r.ai.at(-1)?.response_metadata.finish_reason, want, `${name}: finish_reason`); };

const then = { list: (line) => [line, done(line)] };
const again = (least, most) => ({
  ...then,
  check: (r, name) => {
    content("done")(r, name);
    const pause = r.requests[1]?.at - r.requests[0].at;
    check(pause >= least && pause < most, `${name}: the pause`, pause);
  },
});

const thought = (text, blocks) => ({
  ...then,
  check: sentBack((sent, name, r) => {
    equal(sent.map((b) => b.type), [...blocks, "tool_use"], `${name}: the blocks`);
    if (blocks[0] === "thinking") equal(sent[0], { type: "thinking", thinking: text, signature: "c2ln" }, `${name}: unchanged`);
    if (blocks[1] === "redacted_thinking") {
      equal(sent[1], { type: "redacted_thinking", data: "eHk=" }, `${name}: sealed`);
      equal(r.ai[0].content.map((b) => b.type), blocks, `${name}: stored in blocks`);
    }
    if (r.asked === "stream") equal(r.tuples.map((t) => t.additional_kwargs?.reasoning_content ?? "").join(""), text, `${name}: streamed reasoning`);
  }),
});

const tests = {
  a_text: { check: tokens({ input_tokens: 8, output_tokens: 7, total_tokens: 15, "input_token_details.cache_read": 1, "input_token_details.cache_creation": 2 }) },
  a_crlf: { check: content("ab") }, a_cr_only: { check: content("ab") }, a_comments: { check: content("ab") }, a_no_event_names: { check: content("ab") }, a_bom: { check: content("ab") },
  a_utf8: { check: content("h\u00e9\u{1f642} \u6f22\u5b57") }, a_bad_utf8: { check: content("a\ufffdb") }, a_data_lines: { check: content("ab") },
  a_empty_deltas: { check: content("ab") }, a_no_message_stop: { check: content("ab") }, a_open_after_stop: { check: soon(content("ab")) },
  a_cut: { check: words("cut short") }, a_reset: { check: words("") }, a_nothing: { check: words("ended before it began") },
  a_usage_late: { check: tokens({ total_tokens: 12 }) }, a_no_usage: { check: content("ab") },
  a_calls: { ...then, check: calls("k1", "k2") }, a_input_at_start: { ...then, check: calls("k1") },
  a_args_cut: {
    ...then,
    check: (r, name) => {
      equal(r.error, null, `${name}: no error`);
      check(r.ai[0]?.invalid_tool_calls?.length === 1, `${name}: invalid`, r.ai[0]);
      equal(r.requests[1]?.body.messages.map((m) => m.content.map((b) => b.type)), [["text"], ["tool_use"], ["tool_result"]], `${name}: what it is sent`);
      equal(r.requests[1]?.body.messages[2].content[0].is_error, true, `${name}: as an error`);
    },
  },
  a_server_tool: { check: content("ab") }, a_unknown: { check: content("ab") },
  a_thinking: thought("I need it", ["thinking", "redacted_thinking", "text"]), a_signature_only: thought("", ["thinking"]), a_unsigned: thought("hm", []),
  a_citations: { check: (r, name) => equal(r.ai.at(-1)?.content, [{ type: "text", text: "ab", citations: [{ type: "char_location", cited_text: "x" }] }], `${name}: stored`) },
  a_refusal: { check: reason("refusal") }, a_new_reason: { check: reason("brand_new") },
  a_error_event: { check: words("Overloaded today") }, a_error_200: { check: words("the model foo does not exist") },
  a_malformed: { check: words("malformed chunk") }, a_web_page: { check: words("web page") },
  a_529: again(4, 5000), a_429: again(995, 6000),
  a_401: { check: once(words("401", "invalid x-api-key [redacted]")) }, a_413: { check: once(words("413", "maximum size")) }, a_too_long: { check: once(words("prompt is too long")) },
  a_temperature: {
    ...then, configurable: { temperature: 0.5 },
    check: (r, name) => { content("done")(r, name); equal(r.requests.map((q) => q.body.temperature), [0.5, undefined], `${name}: asked again without`); },
  },
  a_streams_whole: { check: content("ab") }, a_whole_reset: { check: content("ab") },
  g_text: { check: tokens({ input_tokens: 5, output_tokens: 7, total_tokens: 12, "input_token_details.cache_read": 1, "output_token_details.reasoning": 3 }) },
  g_lf: { check: content("ab") }, g_comments: { check: content("ab") }, g_utf8: { check: content("h\u00e9\u{1f642} \u6f22\u5b57") }, g_pretty: { check: content("ab") },
  g_pretty_stream: { check: content("ab") }, g_list: { check: content("ab") }, g_empty_parts: { check: content("ab") }, g_finish_everywhere: { check: content("ab") },
  g_usage_own_chunk: { check: tokens({ total_tokens: 12 }) },
  g_calls: { ...then, check: (r, name) => { calls("k1", "k2")(r, name); sentBack((sent) => equal(sent.map((p) => [p.functionCall?.name, p.thoughtSignature]), [["store_put", "c2ln"], ["store_put", undefined]], `${name}: signatures`))(r, name); } },
  g_calls_apart: { ...then, check: (r, name) => { calls("k1", "k2")(r, name); sentBack((sent) => equal(sent.map((p) => [p.functionCall?.id, p.thoughtSignature]), [["i1", "c2ln"], ["i2", undefined]], `${name}: ids`))(r, name); } },
  g_signed_text: { ...then, check: sentBack((sent, name) => equal(sent.map((p) => [p.text, p.functionCall?.name, p.thoughtSignature]), [["let me", undefined, "czA="], ["", undefined, "czE="], [undefined, "store_put", "c2ln"]], `${name}: parts`)) },
  g_thoughts: {
    check: (r, name) => {
      content("ab")(r, name);
      equal(r.ai.at(-1)?.additional_kwargs.reasoning_content, "hm so", `${name}: stored`);
      equal(r.tuples.map((t) => t.additional_kwargs?.reasoning_content ?? "").join(""), "hm so", `${name}: streamed`);
    },
  },
  g_safety: { check: once(words("SAFETY", "blocked")) }, g_safety_late: { check: reason("SAFETY") }, g_prompt_blocked: { check: once(words("the prompt was blocked: PROHIBITED_CONTENT")) },
  g_malformed_call: again(300, 6000),
  g_cut: { check: words("cut short") }, g_reset: { check: words("") }, g_half: { check: words("") }, g_malformed: { check: words("malformed chunk") },
  g_error_chunk: { check: words("The model is overloaded.") }, g_error_list: { check: once(words("400", "missing a thought_signature")) },
  g_429: again(1495, 8000), g_bad_key: { check: once(words("API key not valid", "[redacted]")) },
  g_no_candidates: { check: words("no candidates") }, g_wrong_type: { check: words("wrong type") },
};

const cases = new Set(lines.map((l) => l.case));
equal(Object.keys(tests).filter((name) => !cases.has(name)), [], "every check has its case");

async function run(line) {
  const name = `${line.case}-${line.asked}`;
  if (!name.includes(pattern)) return;
  const t = tests[line.case];
  await scenario(name, async () => {
    if (!check(t !== undefined, `${name}: has a check`)) return;
    if (line.body) line.body = line.body.replace("KEY", keys[line.wire]);
    const r = await ask(server, line.wire, line.asked, t.list?.(line) ?? [line], { model: name, configurable: t.configurable });
    if (verbose) console.log(name, JSON.stringify({ ...r, events: undefined, requests: r.requests.map((q) => q.body) }, null, 1));
    for (const key of Object.values(keys)) check(!JSON.stringify([r.error, r.messages, r.events]).includes(key), `${name}: no key is told`);
    await t.check(r, name);
  });
}
const left = [...lines];
await Promise.all(Array.from({ length: 16 }, async () => { while (left.length > 0) await run(left.shift()); }));

// Where each provider is asked, and with what.
await scenario("where", async () => {
  const chat = json({ id: "c", choices: [{ index: 0, message: { role: "assistant", content: "done" }, finish_reason: "stop" }] });
  const rows = [
    ["anthropic", json(message), "/v1/messages", `x-api-key: ${keys.anthropic}`],
    ["google_genai", json(candidate), "/v1beta/models/w-google_genai:generateContent", `x-goog-api-key: ${keys.google_genai}`],
    ["azure-eu", chat, "/openai/deployments/w-azure-eu/chat/completions?api-version=2024-10-21", `api-key: ${keys["azure-eu"]}`],
    ["azure-v1", chat, "/openai/v1/chat/completions", `api-key: ${keys["azure-eu"]}`],
    ["other", chat, "/other/v1/chat/completions", `Authorization: Bearer ${keys.other}`],
  ];
  for (const [provider, answer, path, header] of rows) {
    if (!`where-${provider}`.includes(pattern)) continue;
    const r = await ask(server, provider, "whole", [answer], { model: `w-${provider}` });
    content("done")(r, `where-${provider}`);
    equal(r.requests[0]?.path, path, `where-${provider}: the path`);
    check(r.requests[0]?.head.includes(`\r\n${header}\r\n`), `where-${provider}: the key`, r.requests[0]?.head);
    check(Object.values(keys).filter((k) => r.requests[0]?.head.includes(k)).length === 1, `where-${provider}: and no other key`);
  }
});
for (const key of Object.values(keys)) check(!server.log.includes(key), "no key in the log");
await server.stop();
closeUpstream();

// ---- the mock's faults on every wire ------------------------------------------------
const mock = await startMock(["--response", "one two three four five six", "--delay-ms", "1", "--stream-delay-ms", "1", "--slow-ms", "50"]);
const faulty = await startCohort(env, config(mock.url));

async function say(model, text, stream, tid) {
  tid ??= (await call(faulty, "POST", "/threads", {})).json.thread_id;
  const body = { assistant_id: "agent", input: { messages: [{ role: "user", content: text }] }, config: { configurable: { model_name: model } } };
  const res = await call(faulty, "POST", `/threads/${tid}/runs/${stream ? "stream" : "wait"}`, stream ? { ...body, stream_mode: ["messages-tuple"] } : body);
  const state = await call(faulty, "GET", `/threads/${tid}/state`);
  return { tid, error: stream ? parseEvents(res.text).find((e) => e.event === "error")?.json ?? null : res.json?.__error__ ?? null, messages: state.json?.values?.messages ?? [] };
}

const text = (m) => typeof m?.content === "string" ? m.content : (m?.content ?? []).filter((b) => b.type === "text").map((b) => b.text).join("");
const faults = [
  ["400", false], ["401", false], ["429x1", true], ["500x1", true], ["503x1", true], ["529x1", true], ["dropx1", true],
  ["reset", false], ["malformed", false], ["error-in-stream", false], ["slow-start", true],
];
const jobs = [];
for (const provider of ["openai", "anthropic", "google_genai"])
  for (const [fault, well] of faults)
    for (const stream of [true, false])
      jobs.push(async () => {
        const name = `mock-${provider}-${fault}-${stream ? "stream" : "whole"}`;
        if (!name.includes(pattern) || (!stream && fault === "error-in-stream")) return;
        await scenario(name, async () => {
          const r = await say(`${provider}:mock`, `mock:${fault} ${name}`, stream);
          if (well) equal(text(r.messages.at(-1)), "one two three four five six", `${name}: the answer`);
          check(well ? r.error === null : r.error !== null, `${name}: ${well ? "no error" : "an error"}`, r.error);
          check(!JSON.stringify(r).includes("secret"), `${name}: no key is told`);
        });
      });
await Promise.all(Array.from({ length: 12 }, async () => { while (jobs.length > 0) await jobs.shift()(); }));

// A stall ends when the run is cancelled.
for (const provider of ["anthropic", "google_genai"])
  await scenario(`mock-${provider}-stall`, async () => {
    if (!`mock-${provider}-stall`.includes(pattern)) return;
    const tid = (await call(faulty, "POST", "/threads", {})).json.thread_id;
    const run = (await call(faulty, "POST", `/threads/${tid}/runs`, { assistant_id: "agent", input: { messages: [{ role: "user", content: "mock:stall" }] }, config: { configurable: { model_name: `${provider}:mock` } } })).json;
    const res = await call(faulty, "POST", `/threads/${tid}/runs/${run.run_id}/cancel?wait=true`);
    check(res.status < 300, `${provider}: cancelled`, res.text);
  });
for (const key of Object.values(keys)) check(!faulty.log.includes(key), "no key in the log of faults");
await faulty.stop();
await mock.stop();

// ---- signatures that the mock checks --------------------------------------------------
// Thoughts, a call, its result, and the next turn of the user: every request goes
// through the checks of the mock.
{
  const script = `${faulty.dir}/script.json`;
  writeFileSync(script, JSON.stringify({ rules: [{ match: { role: "tool" }, reply: "It is late." }, { match: "time", reply: "I look.", tool_calls: [{ name: "current_time", args: {} }] }], default: { reply: "fine" } }));
  await scenario("signatures", async () => {
    if (!"signatures".includes(pattern)) return;
    const signing = await startMock(["--script", script, "--delay-ms", "1", "--stream-delay-ms", "1"]);
    const c = await startCohort(env, config(signing.url));
    for (const model of ["anthropic:mock", "google_genai:mock", "thinker"])
      for (const stream of [true, false]) {
        const name = `signatures-${model}-${stream ? "stream" : "whole"}`;
        const tid = (await call(c, "POST", "/threads", {})).json.thread_id;
        for (const said of ["mock:think what time is it", "and what time now, mock:think"]) {
          const body = { assistant_id: "agent", input: { messages: [{ role: "user", content: said }] }, config: { configurable: { model_name: model } } };
          const res = await call(c, "POST", `/threads/${tid}/runs/${stream ? "stream" : "wait"}`, stream ? { ...body, stream_mode: ["values"] } : body);
          check(res.status === 200 && !res.text.includes("__error__") && !/event: error/.test(res.text), `${name}: no error`, res.text.slice(-600));
        }
        const messages = (await call(c, "GET", `/threads/${tid}/state`)).json.values.messages;
        equal(messages.map((m) => m.type), ["human", "ai", "tool", "ai", "human", "ai", "tool", "ai"], `${name}: the thread`);
        check(JSON.stringify(messages[1]).includes("mock-"), `${name}: a signature is stored`, messages[1]);
      }
    await c.stop();
    await signing.stop();
  });
}
models.clear();
finish();
