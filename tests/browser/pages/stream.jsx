// stream.jsx - the chat over useStream of @langchain/react: the thread protocol.
import { useRef, useState } from "react";
import { useMessageMetadata, useMessages, useStream, useSubmissionQueue } from "@langchain/react";
import { apiUrl, assistantId, Chat, firstThread, keepThread, show, textOf, transport } from "./chat.jsx";

const human = (content) => ({ messages: [{ type: "human", content }] });
const plain = (m) => ({ id: m.id, type: m.getType(), text: textOf(m.content) });
const output = (o) => textOf(o?.content ?? o ?? "");

function Scope({ stream, of }) {
  const messages = useMessages(stream, of);
  return <li>{of.namespace.map((n) => n.split(":")[0]).join("/")} {messages.map((m) => `${m.getType()}: ${textOf(m.content)}`).join(" | ")}</li>;
}

function Page() {
  const [threadId, setThreadId] = useState(firstThread);
  const stream = useStream({ apiUrl, assistantId, threadId, transport, onThreadId: (id) => { keepThread(id); setThreadId(id); } });
  const queue = useSubmissionQueue(stream);
  return <Chat chat={{
    messages: stream.messages.map(plain),
    calls: stream.toolCalls.map((c) => ({ id: c.callId ?? c.id, name: c.name, state: c.status, output: output(c.output) })),
    interrupts: stream.interrupts,
    scopes: [...stream.subgraphs.values()].map((s) => <Scope key={s.id} stream={stream} of={s} />),
    status: stream.isThreadLoading ? "loading" : stream.isLoading ? "running" : "idle",
    threadId: stream.threadId, error: stream.error, queued: queue.size,
    send: (text) => stream.submit(human(text)),
    enqueue: (text) => stream.submit(human(text), { multitaskStrategy: "enqueue" }),
    stop: () => stream.stop(),
    respond: (i, value) => stream.respond(value, { interruptId: i.id }),
    useFork: (id) => {
      // SDK 1.11 goes on to tell the parents of later checkpoints; the first one is the fork point.
      const parent = useMessageMetadata(stream, id)?.parentCheckpointId, from = useRef();
      from.current ??= parent;
      return from.current && ((text) => stream.submit(human(text), { forkFrom: from.current }));
    },
  }} />;
}
show(Page);
