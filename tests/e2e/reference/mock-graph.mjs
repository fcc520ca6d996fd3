// mock-graph.mjs - the agent of bench-peer.mjs for the official JavaScript server: one
// call of the mock model at MOCK_URL, streamed, as the built-in `agent` makes it.
import { AIMessageChunk } from "@langchain/core/messages";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

class Mock extends BaseChatModel {
  _llmType() { return "mock"; }
  async _generate(m, o, manager) {
    let sum;
    for await (const c of this._streamResponseChunks(m, o, manager)) sum = sum ? sum.concat(c) : c;
    return { generations: [sum] };
  }
  async *_streamResponseChunks(m, _o, manager) {
    const res = await fetch(`${process.env.MOCK_URL}/v1/chat/completions`, { method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "mock-gpt-4o", stream: true, messages: m.map((x) => ({ role: x.getType() === "human" ? "user" : "assistant", content: x.content })) }) });
    const text = new TextDecoder();
    let rest = "";
    for await (const bytes of res.body) {
      const lines = (rest + text.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line.startsWith("data: {")) continue;
        const { id, choices } = JSON.parse(line.slice(6)), piece = choices[0]?.delta?.content;
        if (!piece) continue;
        const chunk = new ChatGenerationChunk({ text: piece, message: new AIMessageChunk({ content: piece, id }) });
        yield chunk;
        await manager?.handleLLMNewToken(piece, undefined, undefined, undefined, undefined, { chunk });
      }
    }
  }
}
const model = new Mock({});
export const agent = new StateGraph(MessagesAnnotation).addNode("agent", async (s) => ({ messages: [await model.invoke(s.messages)] }))
  .addEdge(START, "agent").addEdge("agent", END).compile();
