// graphs.mjs - the agents and the script of tests/agents/chat again, for the
// official JavaScript server, so that the pages can be tried on it:
//   cp tests/browser/reference/* tests/agents/chat/script.json SOMEWHERE, npm install
//   there, node serve.mjs 8124, then REFERENCE=http://127.0.0.1:8124 node chat.mjs
// Not a part of any test run.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { AIMessage, AIMessageChunk, ToolMessage } from "@langchain/core/messages";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { tool } from "@langchain/core/tools";
import { Annotation, END, MessagesAnnotation, START, StateGraph, interrupt } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { z } from "zod";

const { rules, default: otherwise } = JSON.parse(readFileSync(new URL("./script.json", import.meta.url)));
const role = (m) => ({ human: "user" })[m.getType()] ?? m.getType();
const fits = (rule, m) => {
  const { role: r = "user", last = "" } = typeof rule.match === "string" ? { last: rule.match } : rule.match;
  return role(m) === r && m.text.includes(last);
};

class Scripted extends BaseChatModel {
  constructor() { super({}); }
  _llmType() { return "scripted"; }
  async _generate(m, o, manager) {
    let sum;
    for await (const c of this._streamResponseChunks(m, o, manager)) sum = sum ? sum.concat(c) : c;
    return { generations: [sum] };
  }
  async *_streamResponseChunks(messages, options, manager) {
    const says = rules.find((r) => fits(r, messages.at(-1))) ?? otherwise, id = `run-${randomUUID()}`;
    const part = async function* (message, text) {
      const chunk = new ChatGenerationChunk({ text, message: new AIMessageChunk({ id, ...message }) });
      yield chunk;
      await manager?.handleLLMNewToken(text, undefined, undefined, undefined, undefined, { chunk });
    };
    for (const [i, c] of (says.tool_calls ?? []).entries())
      yield* part({ content: "", tool_call_chunks: [{ index: i, id: `call_${randomUUID()}`, name: c.name, args: JSON.stringify(c.args), type: "tool_call_chunk" }] }, "");
    for (const [i, w] of (says.reply?.split(" ") ?? []).entries()) {
      options.signal?.throwIfAborted();
      yield* part({ content: i ? ` ${w}` : w }, i ? ` ${w}` : w);
      if (says.token_ms) await new Promise((r) => setTimeout(r, says.token_ms));
    }
  }
}
const model = new Scripted();
const weather = tool(({ city }) => `It is sunny in ${city}.`, { name: "weather", description: "The weather in a city.", schema: z.object({ city: z.string() }) });
const pay = tool(({ to, amount }) => `Paid ${amount} to ${to}.`, { name: "pay", description: "Pays somebody.", schema: z.object({ to: z.string(), amount: z.number() }) });
const node = new ToolNode([weather, pay]);

async function tools(state, config) {
  const message = state.messages.at(-1), call = message.tool_calls[0];
  if (call.name !== "pay") return node.invoke(state, config);
  const { decisions: [d] } = interrupt({
    action_requests: [{ name: call.name, args: call.args, description: "Pays somebody." }],
    review_configs: [{ action_name: "pay", allowed_decisions: ["approve", "edit", "reject"] }],
  });
  if (d.type === "reject") return { messages: [new ToolMessage({ content: d.message, status: "error", name: call.name, tool_call_id: call.id })] };
  const args = d.type === "edit" ? d.edited_action.args : call.args;
  return node.invoke({ messages: [new AIMessage({ content: "", tool_calls: [{ ...call, args }] })] }, config);
}
export const desk = new StateGraph(MessagesAnnotation)
  .addNode("agent", async (s) => ({ messages: [await model.invoke(s.messages)] })).addNode("tools", tools)
  .addEdge(START, "agent").addConditionalEdges("agent", (s) => s.messages.at(-1).tool_calls?.length ? "tools" : END, ["tools", END])
  .addEdge("tools", "agent").compile();

const inside = new StateGraph(MessagesAnnotation)
  .addNode("answer", async (s) => ({ messages: [await model.invoke(s.messages)] }))
  .addEdge(START, "answer").addEdge("answer", END).compile();
export const team = new StateGraph(MessagesAnnotation)
  .addNode("helper", inside).addNode("close", () => ({ messages: [new AIMessage("That was all.")] }))
  .addEdge(START, "helper").addEdge("helper", "close").addEdge("close", END).compile();

export const inbox = new StateGraph(Annotation.Root({ ...MessagesAnnotation.spec, answer: Annotation() }))
  .addNode("say", async (s) => ({ messages: [await model.invoke(s.messages)] }))
  .addNode("ask", () => ({ answer: interrupt([{
    action_request: { action: "send_mail", args: { to: "Ann" } },
    config: { allow_accept: true, allow_edit: true, allow_respond: true, allow_ignore: true }, description: "Send it?",
  }]) }))
  .addNode("told", (s) => ({ messages: [new AIMessage(`answered ${JSON.stringify(s.answer)}`)] }))
  .addEdge(START, "say").addEdge("say", "ask").addEdge("ask", "told").addEdge("told", END).compile();

const asksWithin = new StateGraph(Annotation.Root({ inner: Annotation() }))
  .addNode("put", () => ({ inner: interrupt("inside?") })).addEdge(START, "put").addEdge("put", END).compile();
export const crowd = new StateGraph(Annotation.Root({ ...MessagesAnnotation.spec, left: Annotation(), right: Annotation(), inner: Annotation() }))
  .addNode("a_left", () => ({ left: interrupt("left?") })).addNode("b_right", () => ({ right: interrupt("right?") }))
  .addNode("within", asksWithin)
  .addNode("told", (s) => ({ messages: [new AIMessage(`${s.left}, ${s.right}, ${s.inner}`)] }))
  .addEdge(START, "a_left").addEdge(START, "b_right").addEdge(["a_left", "b_right"], "within")
  .addEdge("within", "told").addEdge("told", END).compile();
