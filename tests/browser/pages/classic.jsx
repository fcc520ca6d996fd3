// classic.jsx - the chat over useStream of @langchain/langgraph-sdk/react: runs,
// their event streams and the thread's history.
import { useState } from "react";
import { useStream } from "@langchain/langgraph-sdk/react";
import { apiUrl, assistantId, Chat, firstThread, keepThread, show, textOf } from "./chat.jsx";

const human = (content) => ({ messages: [{ type: "human", content }] });

function Page() {
  const [threadId, setThreadId] = useState(firstThread);
  const stream = useStream({
    apiUrl, assistantId, threadId, onThreadId: (id) => { keepThread(id); setThreadId(id); },
    reconnectOnMount: true, fetchStateHistory: true,
  });
  const run = (text, more) => stream.submit(human(text), {
    streamSubgraphs: true, streamResumable: true,
    optimisticValues: (v) => ({ ...v, messages: [...(v.messages ?? []), ...human(text).messages] }), ...more,
  });
  return <Chat chat={{
    messages: stream.messages.map((m) => ({ id: m.id, type: m.type, text: textOf(m.content) })),
    calls: stream.toolCalls.map((c) => ({ id: c.id, name: c.call.name, state: c.state, output: textOf(c.result?.content) })),
    interrupts: stream.interrupts.filter((i) => i.id),
    scopes: [],
    status: stream.isThreadLoading ? "loading" : stream.isLoading ? "running" : "idle",
    threadId, error: stream.error, queued: 0,
    send: (text) => run(text),
    enqueue: (text) => run(text, { multitaskStrategy: "enqueue" }),
    stop: () => stream.stop(),
    respond: (i, value) => stream.submit(null, { command: { resume: { [i.id]: value } }, strictResume: true, streamSubgraphs: true, streamResumable: true }),
    useFork: (id) => {
      const at = stream.getMessagesMetadata({ id })?.firstSeenState;
      const checkpoint = at?.parent_checkpoint;
      return at && ((text) => run(text, { checkpoint }));
    },
  }} />;
}
show(Page);
