// follow.js - the thread protocol: the events of one thread for as long as it is shown,
// and the commands that start runs on it.
//
// One connection carries all runs.  When it breaks it is opened again, after a pause
// that doubles up to a limit, behind the last event that came.  A page that nobody looks
// at has none: a browser has six for all its pages of one server.
import { call, frames, pause, Refused, request, runs } from "./wire.js";

const PAUSE = 500;
const PAUSE_MAX = 8000; // ms between two attempts
const SILENCE = 20000; // ms; the server says something every 5 s
const UNSEEN = 5000; // ms until a hidden page gives its connection up
const TURN = 30; // ms
const CHANNELS = ["values", "lifecycle", "input", "messages", "tools"];

const at = (id) => `/threads/${encodeURIComponent(id)}`;

// on: { event(e), connected(yes, again), refused(e) }.  The thread need not exist yet.
// Returns a function that ends it.
export function follow(id, on, channels = CHANNELS) {
	const end = new AbortController();
	loop(id, on, channels, end.signal);
	return () => end.abort();
}

const seen = (signal) =>
	new Promise((resolve) => {
		const look = () => {
			if (document.hidden && !signal.aborted) return;
			document.removeEventListener("visibilitychange", look);
			signal.removeEventListener("abort", look);
			resolve();
		};
		document.addEventListener("visibilitychange", look);
		signal.addEventListener("abort", look);
		look();
	});

async function loop(id, on, channels, signal) {
	for (let wait = PAUSE, since, again = false; !signal.aborted; again = true) {
		await seen(signal);
		const one = new AbortController();
		const stop = () => one.abort();
		let timer;
		let unseen;
		const hidden = () => {
			clearTimeout(unseen);
			if (document.hidden) unseen = setTimeout(stop, UNSEEN);
		};
		signal.addEventListener("abort", stop);
		document.addEventListener("visibilitychange", hidden);
		const alive = () => {
			clearTimeout(timer);
			timer = setTimeout(stop, SILENCE);
		};
		try {
			alive();
			const response = await request("POST", `${at(id)}/stream/events`, {
				signal: one.signal,
				body: { channels, ...(since === undefined ? {} : { since }) },
			});
			wait = PAUSE;
			on.connected(true, again);
			let drawn = performance.now();
			for await (const frame of frames(response, alive)) {
				const e = JSON.parse(frame.data);
				since = e.seq;
				on.event(e);
				if (performance.now() - drawn < TURN) continue;
				await pause(0); // much has come at once: the page is drawn in between
				drawn = performance.now();
			}
		} catch (e) {
			if (!signal.aborted && e.status >= 400 && e.status < 500 && ![408, 429].includes(e.status)) {
				on.refused(e);
				return;
			}
		} finally {
			clearTimeout(timer);
			clearTimeout(unseen);
			document.removeEventListener("visibilitychange", hidden);
			one.abort();
			signal.removeEventListener("abort", stop);
		}
		if (document.hidden || signal.aborted) continue;
		on.connected(false, again);
		await pause(wait * (0.75 + Math.random() / 2), signal);
		wait = Math.min(wait * 2, PAUSE_MAX);
	}
}

// ---- commands ----

const statuses = { invalid_argument: 422, permission_denied: 403, no_such_run: 409, no_such_interrupt: 409, no_such_checkpoint: 404 };
let serial = 0;

async function command(id, method, params) {
	const answer = await call("POST", `${at(id)}/commands`, { id: ++serial, method, params });
	if (answer?.type === "error") throw new Refused(statuses[answer.error] ?? 500, answer.message);
	return answer?.result ?? {};
}

// from: the checkpoint to go on from, or undefined for the newest.  Returns the run's id.
export async function start(id, assistant, input, from) {
	const params = { assistant_id: assistant, input, ...(from ? { config: { configurable: { checkpoint_id: from } } } : {}) };
	return (await command(id, "run.start", params)).run_id;
}

// What somebody configured for a run, without what the server adds.
const added = /^(run_id|thread_id|graph_id|assistant_id|checkpoint_.*|user-agent|x-.*|__.*|langgraph_.*)$/;

function configured(config) {
	const own = Object.entries(config?.configurable ?? {}).filter(([k]) => !added.test(k));
	return own.length > 0 ? { config: { configurable: Object.fromEntries(own) } } : {};
}

// responses: [{ interrupt, response }], for all that waits.  The run goes on as it began: with
// what was configured for it.
export async function answer(id, responses) {
	const [last] = await runs(id);
	const one = ({ interrupt, response }) => ({ namespace: interrupt.namespace ?? [], interrupt_id: interrupt.id, response });
	await command(id, "input.respond", { responses: responses.map(one), ...configured(last?.kwargs?.config) });
}
