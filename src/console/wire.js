// wire.js - every request of the console: plain calls, commands and events.
// Paths are relative to where the page is, so a prefix of the server's counts.

const base = new URL("..", import.meta.url);

// status 0: the server could not be reached.
export class Refused extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

// Told when a request came back with 401.
export const signedOut = new EventTarget();

export async function request(method, path, { body, headers, signal } = {}) {
	let response;
	try {
		response = await fetch(new URL(path.slice(1), base), {
			method,
			signal,
			credentials: "same-origin",
			cache: "no-store",
			headers: { ...(method === "GET" ? {} : { "content-type": "application/json" }), ...headers },
			body: body === undefined ? undefined : JSON.stringify(body),
		});
	} catch (e) {
		if (signal?.aborted) throw e;
		throw new Refused(0, "The server cannot be reached.");
	}
	if (response.ok) return response;
	const text = await response.text().catch(() => "");
	let said = text;
	try {
		said = JSON.parse(text).detail ?? JSON.parse(text).message ?? text;
	} catch {
		/* plain words */
	}
	if (response.status === 401) signedOut.dispatchEvent(new Event("signedout"));
	throw new Refused(response.status, said || `The server answered ${response.status}.`);
}

export async function call(method, path, body, more) {
	const response = await request(method, path, { body, ...more });
	const text = await response.text();
	return text === "" ? null : JSON.parse(text);
}

// ---- server-sent events ----

// { event, data, id } of a response, as they come.
export async function* frames(response, alive) {
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	let frame = {};
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		alive?.();
		const lines = (rest + value).split("\n");
		rest = lines.pop();
		for (const line of lines) {
			if (line === "" || line === "\r") {
				if (frame.data !== undefined) yield frame;
				frame = {};
			}
			const colon = line.indexOf(":");
			if (colon <= 0) continue;
			frame[line.slice(0, colon)] = line.slice(colon + 1).trim();
		}
	}
}

export const pause = (ms, signal) =>
	new Promise((resolve) => {
		const timer = setTimeout(resolve, ms);
		signal?.addEventListener(
			"abort",
			() => {
				clearTimeout(timer);
				resolve();
			},
			{ once: true },
		);
	});

// ---- agents and threads ----

const thread = (id) => `/threads/${encodeURIComponent(id)}`;
const listed = ["thread_id", "created_at", "updated_at", "metadata", "status"];

export const info = () => call("GET", "/info");

// All of a list, at most about `most`, by pages.
export async function searched(path, most, how) {
	for (const all = []; ; ) {
		const page = await call("POST", path, { ...how, limit: 100, offset: all.length });
		all.push(...page);
		if (page.length < 100 || all.length >= most) return all;
	}
}

export const assistants = () => searched("/assistants/search", 1000, { sort_by: "name", sort_order: "asc" });

export const schemas = (id) => call("GET", `/assistants/${encodeURIComponent(id)}/schemas`);

export const threads = (limit) => call("POST", "/threads/search", { limit, sort_by: "updated_at", sort_order: "desc", select: listed });
// What their first messages say, as a title for those that have no other.
export const firstWords = (ids) =>
	call("POST", "/threads/search", { ids, limit: ids.length, select: ["thread_id"], extract: { first: "values.messages[0].content" } });

export const waiting = () => call("GET", "/interrupts?status=waiting&limit=100");
export const deleteThread = (id) => call("DELETE", thread(id));
export const rename = (id, title) => call("PATCH", thread(id), { metadata: { title } }, { headers: { prefer: "return=minimal" } });
export const state = (id) => call("GET", `${thread(id)}/state`);
export const stateAt = (id, checkpoint) => call("GET", `${thread(id)}/state/${encodeURIComponent(checkpoint)}`);
export const history = (id, limit, before) =>
	call("POST", `${thread(id)}/history`, {
		limit,
		...(before ? { before } : {}),
		select: ["checkpoint", "parent_checkpoint", "metadata", "next", "created_at"],
	});
export const runs = (id, limit = 1) => call("GET", `${thread(id)}/runs?limit=${limit}`);
export const cancel = (id, run) => call("POST", `${thread(id)}/runs/${run}/cancel?action=interrupt`);

// ---- who is there ----

// Credentials are sent once; the browser keeps the cookie, which no script can read.
export const whoami = () => call("GET", "/session");
export const signIn = (secret) => call("POST", "/session", {}, { headers: { authorization: `Bearer ${secret}` } });
export const signOut = () => call("DELETE", "/session");
