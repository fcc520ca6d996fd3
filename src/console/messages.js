// messages.js - what agents say to each other: who talks to whom, conversations as sequence
// charts, dead letters, and books that have to balance.  #/messages[/talk/ID | /dead | /books]
import { confirm, encode, h, visible } from "./dom.js";
import { graph, sequence } from "./figures.js";
import { barButton, button, card, count, emptyState, errorState, facts, folded, json, name, number, poll, status, table, tag, when } from "./parts.js";

const PAGE = 500;
const MOST = 5000; // messages that are read
const DRAWN = 200; // arrows of one chart
const NODES = 16;

// Pages of a list that tells in a header where the next begins.
async function pages(context, path, most) {
	const all = [];
	for (let next = "0"; next !== null && all.length < most; ) {
		const response = await context.wire.request("GET", `${path}?limit=${PAGE}&offset=${next}`, { signal: context.signal });
		all.push(...(await response.json()));
		next = response.headers.get("x-pagination-next");
		all.more = next !== null;
	}
	return all;
}

const agentsOf = async ({ wire }) => new Map((await wire.searched("/agents/search", 2000)).map((a) => [a.agent_id, a]));

// ---- who is who ----

const idShort = (id) => (/^[0-9a-f]{8}-/.test(id) ? `\u2026${id.slice(-8)}` : id);

function nameOf(agents, id, said) {
	const text = agents.get(id)?.name || (typeof said === "string" && !/^(cap|all):/.test(said) ? said : "") || (id ? idShort(id) : "client");
	return visible(text.slice(0, 100));
}

const act = (m) => visible(String(m.message?.performative ?? "?").slice(0, 40));
const talkOf = (m) => m.message?.conversation_id ?? null;
const talkLink = (id) => h("a", { href: `#/messages/talk/${encode(id)}`, dir: "auto" }, visible(String(id).slice(0, 80)));

// { names, of(message) -> [from, to] }: names by their place.
function people(agents, messages) {
	const names = [];
	const at = (text) => {
		if (!names.includes(text)) names.push(text);
		return names.indexOf(text);
	};
	const pairs = messages.map((m) => [at(nameOf(agents, m.sender, m.message?.sender)), at(nameOf(agents, m.receiver, m.message?.receiver))]);
	return { names, pairs };
}

// ---- traffic ----

function traffic(agents, messages) {
	const { names, pairs } = people(agents, messages);
	const by = new Map();
	messages.forEach((m, i) => {
		const key = pairs[i].join(" ");
		const row = by.get(key) ?? { from: pairs[i][0], to: pairs[i][1], n: 0, waiting: 0, dead: 0, acts: new Map(), last: m.created_at };
		row.n++;
		row.waiting += m.waiting;
		row.dead += m.dead;
		row.acts.set(act(m), (row.acts.get(act(m)) ?? 0) + 1);
		row.last = m.created_at;
		by.set(key, row);
	});
	const rows = [...by.values()].sort((a, b) => b.n - a.n);
	const top = [...new Set(rows.flatMap((r) => [r.from, r.to]))].slice(0, NODES);
	const edges = rows
		.filter((r) => top.includes(r.from) && top.includes(r.to) && r.from !== r.to)
		.map((r) => ({ from: top.indexOf(r.from), to: top.indexOf(r.to), n: r.n, bad: r.dead > 0, tip: `${names[r.from]} to ${names[r.to]}: ${r.n}${r.dead > 0 ? `, ${r.dead} dead` : ""}` }));
	const acts = (r) => [...r.acts].sort((a, b) => b[1] - a[1]).slice(0, 4).map(([a, n]) => tag(`${a} ${n}`));
	const shown = table(
		[
			["From", (r) => name(names[r.from])],
			["To", (r) => name(names[r.to])],
			count("Messages", "n"),
			["Acts", acts],
			count("Waiting", "waiting"),
			["Dead", (r) => (r.dead > 0 ? tag(number(r.dead), "bad") : "0"), "end"],
			["Last", (r) => when(r.last)],
		],
		rows.slice(0, 200),
		{ label: "Who talks to whom" },
	);
	const drawing = graph(top.map((i) => names[i]), edges, `Who talks to whom: ${edges.length} ways between ${top.length} agents`);
	return h("div.pair.wide-first", card("Who talks to whom", shown), card(names.length > NODES ? `The ${NODES} that say most` : "As a graph", drawing));
}

function talks(agents, messages) {
	const by = new Map();
	for (const m of messages) {
		const id = talkOf(m);
		if (id === null) continue;
		const row = by.get(id) ?? { id, n: 0, acts: [], who: new Set(), protocol: m.message.protocol, dead: 0, waiting: 0 };
		row.n++;
		row.dead += m.dead;
		row.waiting += m.waiting;
		row.acts.push(act(m));
		row.who.add(nameOf(agents, m.sender, m.message.sender)).add(nameOf(agents, m.receiver, m.message.receiver));
		row.last = m.created_at;
		row.state = m.state;
		by.set(id, row);
	}
	const state = (r) => status(r.dead > 0 ? "dead" : r.waiting > 0 ? "waiting" : r.state);
	const acts = (r) => (r.acts.length > 3 ? `${r.acts[0]} \u2026 ${r.acts.at(-1)}` : r.acts.join(", "));
	const columns = [
		["Conversation", (r) => talkLink(r.id)],
		["Between", (r) => name([...r.who].slice(0, 5).join(", ") + (r.who.size > 5 ? ` and ${r.who.size - 5} more` : ""))],
		["Protocol", (r) => name(r.protocol ?? "")],
		["Acts", acts],
		count("Messages", "n"),
		["", state],
		["Last", (r) => when(r.last)],
	];
	return card("Conversations", table(columns, [...by.values()].reverse().slice(0, 300), { label: "Conversations", empty: "No message names a conversation." }));
}

// ---- books ----

export const balance = (b) => b.sent - b.delivered - b.dead - b.expired - b.pending;

function books(agents) {
	const sum = { sent: 0, delivered: 0, pending: 0, dead: 0, expired: 0, retried: 0, refused: 0 };
	const rows = [...agents.values()].filter((a) => a.books);
	for (const a of rows) for (const k of Object.keys(sum)) sum[k] += a.books[k] ?? 0;
	const off = rows.filter((a) => balance(a.books) !== 0);
	const mark = (b) => (balance(b) === 0 ? tag("balanced", "good") : tag(`off by ${number(balance(b))}`, "bad"));
	const columns = [
		["Agent", (a) => [name(a.name || idShort(a.agent_id)), " ", a.total ? null : status(a.state)]],
		...[["Sent", "sent"], ["Delivered", "delivered"], ["Waiting", "pending"], ["Dead", "dead"], ["Expired", "expired"], ["Retried", "retried"], ["Refused", "refused"]].map(([title, k]) => [title, (a) => number(a.books[k]), "end"]),
		["Books", (a) => mark(a.books)],
	];
	const order = [...off, ...rows.filter((a) => balance(a.books) === 0).sort((a, b) => b.books.sent - a.books.sent)];
	const verdict = h(
		"p",
		{ class: off.length > 0 ? "verdict bad" : "verdict good", role: "status" },
		h("strong", off.length > 0 ? `The books of ${off.length} ${off.length === 1 ? "agent do" : "agents do"} not balance` : "The books balance"),
		h("span", `${number(sum.sent)} sent = ${number(sum.delivered)} delivered + ${number(sum.pending)} waiting + ${number(sum.dead)} dead + ${number(sum.expired)} expired`),
	);
	const all = rows.length > 1 ? [{ name: "All", total: true, books: sum }] : [];
	return [verdict, card("Books of each agent", table(columns, [...all, ...order].slice(0, 500), { label: "Books", empty: "There are no agents." }))];
}

// ---- one conversation ----

function said(agents, m) {
	const rest = { ...m.message };
	delete rest.content;
	const head = [tag(act(m), m.dead > 0 ? "bad" : "accent"), name(nameOf(agents, m.sender, m.message?.sender)), "\u2192", name(nameOf(agents, m.receiver, m.message?.receiver)), h("span.spring"), status(m.state), when(m.created_at)];
	return folded(h("span.said-head", head), () => [
		m.message === null ? h("p.quiet", "What it said is not kept.") : null,
		m.message?.content !== undefined ? json(m.message.content, "content") : null,
		m.message === null ? null : json(rest, "message"),
	]);
}

async function talk(host, id, context) {
	const [agents, messages] = await Promise.all([agentsOf(context), pages(context, `/conversations/${encode(id)}`, MOST)]);
	const { names, pairs } = people(agents, messages);
	const rows = messages.slice(0, DRAWN).map((m, i) => ({ from: pairs[i][0], to: pairs[i][1], text: act(m), bad: m.dead > 0, tip: `${act(m)}: ${names[pairs[i][0]]} to ${names[pairs[i][1]]}, ${m.state}` }));
	const drawn = names.length <= 12 ? sequence(names, rows, `${rows.length} messages between ${names.length} agents`) : h("p.quiet", `${names.length} agents are too many for a drawing.`);
	const more = messages.length > DRAWN ? h("p.quiet", `The first ${DRAWN} of ${number(messages.length)} are drawn.`) : null;
	context.title("Conversation", visible(id));
	const first = messages[0]?.message ?? {};
	host.replaceChildren(
		h("p", h("a", { href: "#/messages" }, "All messages")),
		facts([["Conversation", name(id)], ["Protocol", first.protocol && name(first.protocol)], ["Messages", number(messages.length)], ["Began", when(messages[0]?.created_at)]]),
		card("Who said what", drawn, more),
		card("Messages", messages.slice(0, 500).map((m) => said(agents, m))),
	);
}

// ---- dead letters ----

const reasons = { "no-agent": "there is no such agent", stopped: "the agent stopped", failed: "it failed each time", full: "the mailbox stayed full", refused: "the agent refused it" };

async function dead(host, context) {
	const [agents, letters] = await Promise.all([agentsOf(context), pages(context, "/messages/dead", MOST)]);
	const again = () => dead(host, context);
	const of = (l) => `/messages/dead/${encode(l.message_id)}`;
	const send = (method, path, words) =>
		context.wire.call(method, path).then(() => context.announce(words)).then(again, (e) => host.prepend(errorState(e, again)));
	const retry = (l) => send("POST", `${of(l)}/retry`, "Delivered once more");
	const drop = async (l) => (await confirm("Drop this letter?", "Nobody will get it any more.", "Drop")) && send("DELETE", of(l), "Dropped");
	const columns = [
		["Act", (l) => tag(act(l), "bad")],
		["From", (l) => name(nameOf(agents, null, l.message?.sender))],
		["To", (l) => name(nameOf(agents, l.receiver, l.message?.receiver))],
		["Why", (l) => visible(reasons[l.reason] ?? String(l.reason))],
		count("Tries", "tries"),
		["Conversation", (l) => (talkOf(l) ? talkLink(talkOf(l)) : "")],
		["Died", (l) => when(l.dead_at)],
		["", (l) => h("span.row-actions", button("Retry", () => retry(l)), button("Drop", () => drop(l)))],
	];
	host.replaceChildren(letters.length > 0 ? card(`${number(letters.length)} dead letters`, table(columns, letters.slice(0, 500), { label: "Dead letters" })) : emptyState("check", "No dead letters", "Every durable message was delivered, or waits."));
}

// ---- the view ----

async function overview(host, context, part) {
	let seen = "";
	await poll(context, 4000, async () => {
		const [agents, messages] = await Promise.all([agentsOf(context), part === "books" ? [] : pages(context, "/messages", MOST)]);
		const text = JSON.stringify([[...agents.values()].map((a) => [a.agent_id, a.state, a.books]), messages.length, messages.reduce((n, m) => n + m.waiting + 7 * m.dead, 0)]);
		if (text === seen || host.contains(document.activeElement?.closest("a, button, .table-box") ?? null)) return;
		seen = text;
		const none = emptyState("mail", "No durable messages", "Agents' messages are listed here when they are durable. The books count all of them.");
		if (part === "books") host.replaceChildren(...books(agents));
		else if (messages.length === 0) host.replaceChildren(...books(agents).slice(0, 1), none);
		else host.replaceChildren(books(agents)[0], messages.more ? h("p.quiet", `The oldest ${number(messages.length)} messages.`) : "", traffic(agents, messages), talks(agents, messages));
	});
}

export async function show(host, [part, id], context) {
	const body = h("div.stack");
	const link = (to, text) => h("a", { href: `#/messages${to}`, "aria-current": (part ?? "") === to.slice(1) ? "page" : null }, text);
	if (part !== "talk") host.replaceChildren(h("nav.toolbar", { "aria-label": "Messages" }, link("", "Traffic"), link("/books", "Books"), link("/dead", "Dead letters")), body);
	else host.replaceChildren(body);
	context.tools(barButton("again", "Read again", () => context.navigate(`#/messages${part ? `/${part}` : ""}`)));
	if (part === "talk") await talk(body, id ?? "", context);
	else if (part === "dead") await dead(body, context);
	else await overview(body, context, part);
}
