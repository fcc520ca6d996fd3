// recorded-model.mjs - the model of the recordings of the official server: it says the same to
// the same words.
import http from "node:http";

const usage = { prompt_tokens: 11, completion_tokens: 5, total_tokens: 16, prompt_tokens_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 0 } };
// {model: a server to close, env: what points a server of ours at it}
export async function recordedModel() {
  let answers = 0;
  const model = http.createServer((req, res) => {
    let body = "";
    req.on("data", (d) => { body += d; });
    req.on("end", () => {
      const q = JSON.parse(body || "{}"), m = q.messages?.at(-1) ?? {}, text = JSON.stringify(m.content ?? "");
      if (/fail500/.test(text)) { res.writeHead(500, { "content-type": "application/json" }); return res.end('{"error":{"message":"mock boom"}}'); }
      const say = m.role === "tool" ? ["It", " is", " sunny", " in", " Paris", " ."] : ["Hello", " from", " mock", " LLM", " ."];
      const call_ = m.role !== "tool" && /weather\?/.test(text);
      const fn = (f) => ({ tool_calls: [{ index: 0, function: { arguments: f } }] });
      const deltas = call_ ? [{ role: "assistant", content: null }, { tool_calls: [{ index: 0, id: "call_mock1", type: "function", function: { name: "get_weather", arguments: "" } }] }, fn("{\"ci"), fn("ty\":\""), fn("Paris\"}")]
        : [{ role: "assistant", content: "" }, ...say.map((content) => ({ content }))];
      const one = { id: `chatcmpl-mock${++answers}`, created: 1700000000, model: "mock-gpt", object: "chat.completion.chunk" };
      res.writeHead(200, { "content-type": "text/event-stream" });
      for (const delta of deltas) res.write(`data: ${JSON.stringify({ ...one, choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`);
      res.write(`data: ${JSON.stringify({ ...one, choices: [{ index: 0, delta: {}, finish_reason: call_ ? "tool_calls" : "stop" }] })}\n\n`);
      res.end(`data: ${JSON.stringify({ ...one, choices: [], usage })}\n\ndata: [DONE]\n\n`);
    });
  });
  await new Promise((r) => model.listen(0, "127.0.0.1", r));
  return { model, env: { OPENAI_BASE_URL: `http://127.0.0.1:${model.address().port}/v1`, OPENAI_API_KEY: "sk-mock", MODEL_NAME: "openai:mock-gpt" } };
}
