// chat.jsx - what every page shows, whatever hook is below it.  `chat` is:
//   messages [{id, type, text}], calls [{id, name, state, output}], interrupts
//   [{id, value}], scopes (elements), status, threadId, error, queued,
//   send(text), enqueue(text), stop(), respond(interrupt, value), useFork(id):
//   undefined or (text) => a run beside the one that message began.
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

const query = new URLSearchParams(location.search);
export const apiUrl = query.get("api"), assistantId = query.get("assistant");
export const firstThread = query.get("thread"), transport = query.get("transport") ?? "sse";
// A reload must find the thread again.
export function keepThread(id) {
  query.set("thread", id);
  history.replaceState(null, "", `?${query}`);
}

export const textOf = (content) =>
  typeof content === "string" ? content : (content ?? []).map((b) => b.text ?? "").join("");

function Message({ chat, message, draft }) {
  const fork = chat.useFork(message.id);
  return (
    <li data-type={message.type} data-id={message.id}>
      <b>{message.type}</b> <span className="text">{message.text}</span>
      {message.type === "human" && <button className="fork" disabled={!fork} onClick={() => fork(draft)}>Edit: say what is below instead</button>}
    </li>
  );
}

function Interrupt({ chat, interrupt, draft }) {
  const request = interrupt.value?.action_requests?.[0];
  const decide = (...decisions) => chat.respond(interrupt, { decisions });
  return (
    <li data-id={interrupt.id}>
      <code>{JSON.stringify(request ? { name: request.name, args: request.args } : interrupt.value)}</code>
      {request ? <>
        <button className="approve" onClick={() => decide({ type: "approve" })}>Approve</button>
        <button className="edit" onClick={() => decide({ type: "edit", edited_action: { name: request.name, args: JSON.parse(draft) } })}>Edit</button>
        <button className="reject" onClick={() => decide({ type: "reject", message: draft })}>Reject</button>
      </> : <button className="answer" onClick={() => chat.respond(interrupt, draft)}>Answer</button>}
    </li>
  );
}

const words = (error) => error === undefined || error === null ? "" : String(error.message ?? JSON.stringify(error));

export function Chat({ chat }) {
  const [draft, setDraft] = useState("");
  const [refused, setRefused] = useState("");
  const act = (f) => () => { setRefused(""); Promise.resolve(f(draft)).catch((e) => setRefused(words(e))); };
  const quiet = { ...chat, respond: (i, v) => { setRefused(""); Promise.resolve(chat.respond(i, v)).catch((e) => setRefused(words(e))); } };
  return (
    <main>
      <p>status <b id="status">{chat.status}</b>, thread <code id="thread">{chat.threadId ?? ""}</code></p>
      <p>error <b id="error">{words(chat.error)}</b> <b id="refused">{refused}</b></p>
      <ol id="messages">{chat.messages.map((m, i) => <Message key={`${m.id}-${i}`} chat={chat} message={m} draft={draft} />)}</ol>
      <p>Tools</p>
      <ul id="calls">{chat.calls.map((c, i) => <li key={`${c.id}-${i}`} data-id={c.id} data-name={c.name} data-state={c.state}>{c.name} {c.state} <span className="output">{c.output}</span></li>)}</ul>
      <p>Within</p>
      <ul id="scopes">{chat.scopes}</ul>
      <p>Waiting for you</p>
      <ul id="interrupts">{chat.interrupts.map((i) => <Interrupt key={i.id} chat={quiet} interrupt={i} draft={draft} />)}</ul>
      <p>queued <b id="queued">{chat.queued}</b></p>
      <textarea id="draft" value={draft} onChange={(e) => setDraft(e.target.value)} />
      <button id="send" onClick={act(chat.send)}>Send</button>
      <button id="enqueue" onClick={act(chat.enqueue)}>Queue</button>
      <button id="stop" onClick={act(chat.stop)}>Stop</button>
    </main>
  );
}

// Development mode mounts, unmounts and mounts each effect: so do users.
export const show = (Page) => createRoot(document.getElementById("root")).render(<StrictMode><Page /></StrictMode>);
