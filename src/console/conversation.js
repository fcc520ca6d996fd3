// conversation.js - what a thread says, from its state and the events that change it.
// It knows nothing of the page and of the network.
//
// The state's messages are the truth.  A message that is being streamed is beside them
// until the state has it; a message that was just sent, until the state has it or the
// sending has failed.

// States come from agents of all kinds: nothing in a message is taken to be of its type.
const arrayOf = (x) => (Array.isArray(x) ? x : []);
const textIn = (x) => (typeof x === "string" ? x : x === undefined || x === null ? "" : JSON.stringify(x));

// ---- the parts of a message ----

const mimes = { image: "image/png", audio: "audio/wav", video: "video/mp4", file: "application/octet-stream" };

function media(kind, b) {
	const source = b.source ?? b[kind] ?? b;
	const data = source.data ?? source.base64 ?? b.base64 ?? source.file_data;
	const mime = textIn(b.mime_type ?? b.mimeType ?? source.media_type ?? source.mime_type ?? mimes[kind]);
	const address = b[`${kind}_url`]?.url ?? b[`${kind}_url`] ?? source.url;
	const whole = typeof data === "string" && !data.startsWith("data:") ? `data:${mime};base64,${data}` : data;
	const name = textIn(b.filename ?? source.filename ?? b.name);
	return { kind: "media", media: kind, mime, name, url: textIn(address ?? whole) };
}

// One block of content, as LangChain, OpenAI and Anthropic write it.
function part(b) {
	if (typeof b === "string") return { kind: "text", text: b };
	switch (b?.type) {
		case "text":
		case "output_text":
		case "input_text":
			return { kind: "text", text: textIn(b.text) };
		case "reasoning":
		case "thinking":
			return {
				kind: "reasoning",
				text: textIn(b.reasoning ?? b.thinking ?? b.text ?? arrayOf(b.summary).map((s) => textIn(s?.text)).join("\n\n")),
			};
		case "redacted_thinking":
			return { kind: "reasoning", text: "Thoughts that the model's provider keeps to itself." };
		case "tool_call":
		case "tool_call_chunk":
		case "tool_use":
		case "invalid_tool_call":
			return { kind: "tool", id: b.id, name: textIn(b.name), args: b.args ?? b.input ?? {}, wrong: b.error };
		case "image_url":
		case "image":
			return media("image", b);
		case "audio":
		case "input_audio":
			return media("audio", b);
		case "video":
			return media("video", b);
		case "file":
		case "document":
			return media("file", b);
		default:
			return { kind: "other", value: b };
	}
}

const roles = { user: "human", assistant: "ai", AIMessageChunk: "ai", AIMessage: "ai", HumanMessage: "human", ToolMessage: "tool" };

// A message of the state: { id, role, parts, call, failed }.
export function read(m) {
	if (typeof m === "string") return read({ type: "human", content: m });
	const said = m.type ?? m.role ?? "ai";
	const parts = [];
	const calls = new Set();
	const add = (p) => {
		if (p.text === "" || (p.kind === "tool" && calls.has(p.id))) return;
		if (p.kind === "tool") calls.add(p.id);
		parts.push(p);
	};
	add({ kind: "reasoning", text: textIn(m.additional_kwargs?.reasoning_content) });
	for (const b of Array.isArray(m.content) ? m.content : [m.content ?? ""]) add(part(b));
	for (const c of arrayOf(m.tool_calls)) add(part({ ...c, type: "tool_call" }));
	for (const c of arrayOf(m.invalid_tool_calls)) add(part({ error: "its arguments are not JSON", ...c, type: "invalid_tool_call" }));
	return {
		id: m.id,
		role: Object.hasOwn(roles, said) ? roles[said] : textIn(said),
		parts,
		call: m.tool_call_id,
		failed: m.status === "error",
	};
}

// A task's error is JSON in a string: { name, message }.
function errorText(error) {
	try {
		return JSON.parse(error).message ?? String(error);
	} catch {
		return String(error);
	}
}

export const textOf = (message) => message.parts.filter((p) => p.kind === "text").map((p) => p.text).join("\n\n");

// ---- the conversation ----

export class Conversation {
	values = {};
	messages = []; // raw, of the state
	answers = new Map(); // tool call id -> { output, failed }, of the state
	live = new Map(); // id -> message that is streamed
	sent = []; // messages of this page that the state has not yet
	outputs = new Map(); // the same, before the state has it
	inner = new Map(); // namespace -> { name, status, text }: sub-agents of this run
	interrupts = [];
	run = null; // { id } under way
	ended = new Set(); // ids of runs: an answer may come after the events
	error = null;
	state = null; // the newest, as it was read
	since = 0; // when that was made: older values are history

	load(state) {
		this.state = state;
		this.since = Date.parse(state.created_at) || 0;
		if (!this.run) this.live.clear();
		this.take(state.values ?? {});
		const spaces = new Map(this.interrupts.map((i) => [i.id, i.namespace]));
		const waits = (state.tasks ?? []).flatMap((t) => t.interrupts ?? []);
		this.interrupts = waits.map((i) => ({ ...i, namespace: spaces.get(i.id) }));
		const failed = (state.tasks ?? []).find((t) => t.error);
		this.error = !this.run && failed ? errorText(failed.error) : this.error;
	}

	take(values) {
		this.values = values;
		const isMessage = (m) => typeof m === "string" || (typeof m === "object" && m !== null);
		this.messages = arrayOf(values.messages).filter(isMessage);
		this.answers = new Map(
			this.messages
				.filter((m) => m.type === "tool")
				.map((m) => [m.tool_call_id, { output: textOf(read(m)) || m.content, failed: m.status === "error" }]),
		);
		const ids = new Set(this.messages.map((m) => m.id));
		for (const id of this.live.keys()) if (ids.has(id)) this.live.delete(id);
		this.sent = this.sent.filter((m) => !ids.has(m.id));
	}

	has(id) {
		return this.messages.some((m) => m.id === id);
	}

	// Raw messages first; those on their way behind them.
	list() {
		return [...this.messages, ...[...this.live.values()].filter((m) => !m.key), ...this.sent];
	}

	// What tools answered, by the id of the call.
	results() {
		return { get: (id) => this.answers.get(id) ?? this.outputs.get(id) };
	}

	begin(run) {
		if (this.run?.id === run || this.ended.has(run)) return;
		this.run = { id: run };
		this.state = null;
		this.error = null;
		this.interrupts = [];
		this.inner.clear();
		this.outputs.clear();
		const first = this.sent.findIndex((m) => m.queued);
		this.sent = this.sent.map((m, i) => (i === first ? { ...m, queued: false } : m));
	}

	end(run, error) {
		this.ended.add(run);
		if (this.run && this.run.id !== run) return;
		this.run = null;
		this.error = error;
		for (const m of this.live.values()) m.done = true;
		for (const s of this.inner.values()) if (s.status === "running") s.status = "ended";
	}

	// One event of the protocol; true: the state should be read again.
	apply({ event_id: id, method, params: { namespace = [], timestamp, data, node } }) {
		const root = namespace.length === 0;
		switch (method) {
			case "lifecycle":
				return this.lifecycle(namespace, data, /^synth:(.*):/.exec(id)?.[1]);
			case "values":
				if (root && timestamp >= this.since) this.take(data ?? {});
				break;
			case "messages":
				this.message(namespace, node, data);
				break;
			case "tools":
				this.tool(data);
				break;
			case "input.requested":
				if (!this.interrupts.some((i) => i.id === data.interrupt_id))
					this.interrupts.push({
						id: data.interrupt_id,
						value: data.payload ?? data.value,
						response_schema: data.response_schema,
						namespace,
					});
				break;
			case "input.answered":
				this.interrupts = this.interrupts.filter((i) => !arrayOf(data.interrupt_ids).includes(i.id));
				break;
		}
		return false;
	}

	// Of a root event the id names the run.
	lifecycle(namespace, data, run) {
		if (namespace.length > 0) {
			const key = namespace.join("|");
			const name = data.graph_name ?? namespace.at(-1).split(":")[0];
			const s = this.inner.get(key) ?? { name, depth: namespace.length, text: "" };
			s.status = ["started", "running"].includes(data.event) ? "running" : data.event;
			this.inner.set(key, s);
			return false;
		}
		if (data.event === "running") {
			this.forgetUnfinished(() => true);
			this.begin(run);
			return false;
		}
		this.end(run, data.event === "failed" ? (data.error ?? "The run failed.") : null);
		return true;
	}

	// After a restart of the server a node begins its message anew.
	forgetUnfinished(which) {
		for (const m of this.live.values()) if (!m.done && which(m)) this.live.delete(m.id);
	}

	message(namespace, node, data) {
		const key = namespace.join("|");
		if (data.event === "message-start") {
			if (data.role && data.role !== "ai") return;
			this.forgetUnfinished((m) => m.node === node && m.key === key);
			if (this.has(data.id)) return;
			this.live.set(data.id, { id: data.id, role: "ai", parts: [], node, key, live: true });
			return;
		}
		const m = this.live.get(data.message_id);
		if (!m) return;
		const i = data.index ?? 0;
		if (data.event === "content-block-start") m.parts[i] = { ...part(data.content), live: true };
		else if (data.event === "content-block-delta") this.delta((m.parts[i] ??= { kind: "text", text: "" }), data.delta ?? {});
		else if (data.event === "content-block-finish") {
			if (data.content) m.parts[i] = part(data.content);
		} else if (data.event === "error" && data.code === "retracted") this.live.delete(m.id);
		else if (data.event === "message-finish" || data.event === "error") m.done = true;
		if (m.key) this.showInner(m, key);
	}

	delta(p, d) {
		if (d.type === "text-delta") p.text = (p.text ?? "") + (d.text ?? "");
		else if (d.type === "reasoning-delta") {
			p.kind = "reasoning";
			p.text = (p.text ?? "") + (d.reasoning ?? "");
		} else if (d.type === "block-delta") {
			const { id = p.id, name = p.name, args = p.args } = d.fields ?? {};
			Object.assign(p, { id, name, args });
		} else if (d.type === "tool-call-delta") p.args = (typeof p.args === "string" ? p.args : "") + (d.args ?? "");
		else if (d.type === "data-delta") p.url = (p.url ?? "") + (d.data ?? "");
	}

	// The last words of a sub-agent are shown while it works.
	showInner(m, key) {
		const s = this.inner.get(key) ?? { name: key.split("|").at(-1).split(":")[0], depth: key.split("|").length, status: "running" };
		s.text = m.parts.filter((p) => p?.kind === "text").map((p) => p.text).join("\n\n");
		this.inner.set(key, s);
		if (m.done) this.live.delete(m.id);
	}

	tool(data) {
		const { event } = data;
		if (event === "tool-finished") this.outputs.set(data.tool_call_id, { output: outputText(data.output), failed: false });
		else if (event === "tool-error") this.outputs.set(data.tool_call_id, { output: data.message, failed: true });
		else if (event === "tool-output-delta") {
			const o = this.outputs.get(data.tool_call_id) ?? { output: "", live: true };
			o.output += typeof data.delta === "string" ? data.delta : JSON.stringify(data.delta);
			this.outputs.set(data.tool_call_id, o);
		}
	}
}

const outputText = (o) => o && typeof o === "object" && "content" in o ? textOf(read({ type: "tool", ...o })) || o.content : o;
