// shell.js - the views beside the chat: the rail that leads to them, and the one shown.
//
// A view is a row of views.js.  Its module is loaded when it is first shown, and exports
//
//   show(host, rest, context)   draws into the element `host`, which is fresh each time.
//     rest: what follows #/PATH/, its parts decoded: "#/agents/a%2Fb/x" gives ["a/b", "x"]
//     It may be async.  What it throws is shown in its place (parts.js, errorState).
//     It may return a function that is called when the view is left.
//
// context has
//   wire       wire.js
//   agents     the assistants of the caller, as of signing in
//   signal     an AbortSignal: aborted when the view is left.  Streams, timers and requests
//              that are given it end by themselves
//   title(text, note)  of the page and its bar; note: a line below, may be left out
//   tools(...elements) the buttons at the right of the bar
//   navigate(hash)     goes to "#/...", as a link would
//   replace(hash)      changes the address only: what is shown already has another one
//   announce(text)     to a screen reader
//   badge(path, n)     the number at a row of the rail; 0: none
import { $, h, icon, iconButton, say } from "./dom.js";
import { walk } from "./keys.js";
import { errorState, loading } from "./parts.js";
import * as wire from "./wire.js";

// "#/agents/a%2Fb" -> { row, rest: ["a/b"] }; null: the chat.
function parse(views, hash) {
	const [path, ...rest] = hash.replace(/^#\/?/, "").split("/");
	const row = views.find((v) => v.load && v.path === path);
	const decode = (text) => {
		try {
			return decodeURIComponent(text);
		} catch {
			return text;
		}
	};
	return row ? { row, rest: rest.filter((r) => r !== "").map(decode) } : null;
}

export class Shell {
	// on: { openDrawer(), closeDrawer(), title(text) }
	constructor(views, on) {
		this.views = views;
		this.on = on;
		this.agents = [];
		this.leave = new AbortController();
		const link = (v) =>
			h("li", h("a.rail-link", { href: `#/${v.path}`, "data-view": v.path }, icon(v.icon), h("span", v.title), h("span.count", { hidden: true })));
		$("views").append(...views.map(link));
		walk($("views"), ".rail-link");
		$("page-left").append(iconButton("menu", "Views", on.openDrawer, { class: "icon-button narrow-only" }));
	}

	link(path) {
		return $("views").querySelector(`[data-view="${CSS.escape(path)}"]`);
	}

	badge(path, n) {
		const count = this.link(path)?.querySelector(".count");
		if (!count) return;
		count.hidden = !n;
		count.textContent = n > 99 ? "99+" : String(n);
	}

	current(path) {
		for (const a of $("views").querySelectorAll("a"))
			if (a.dataset.view === path) a.setAttribute("aria-current", "page");
			else a.removeAttribute("aria-current");
	}

	// The chat's link leads back to the thread that was shown.
	chatAt(hash) {
		this.link("").setAttribute("href", hash);
	}

	// Shows what the address asks for; false: that is the chat, and nothing here is shown.
	route(hash) {
		const to = parse(this.views, hash);
		this.leave.abort();
		this.on.closeDrawer();
		$("main").hidden = Boolean(to);
		$("page").hidden = !to;
		$("app").classList.toggle("viewing", Boolean(to));
		$("skip").textContent = to ? "Skip to the content" : "Skip to the message box";
		this.current(to ? to.row.path : "");
		if (!to) {
			this.shownPath = null;
			$("page-body").replaceChildren();
			this.on.title(null);
			return false;
		}
		this.open(to);
		return true;
	}

	async open({ row, rest }) {
		const leave = new AbortController();
		const { signal } = leave;
		const host = h("div", { class: `view view-${row.path}` });
		const now = (f) => (...args) => signal.aborted || f(...args);
		const context = {
			wire,
			agents: this.agents,
			signal,
			title: now((text, note) => this.title(text, note)),
			tools: now((...elements) => $("page-tools").replaceChildren(...elements)),
			navigate: now((to) => {
				location.hash = to;
			}),
			replace: now((to) => history.replaceState(null, "", to)),
			announce: say,
			badge: (path, n) => this.badge(path, n),
		};
		const wasHere = this.shownPath === row.path;
		this.leave = leave;
		this.shownPath = row.path;
		$("page-tools").replaceChildren();
		this.title(row.title);
		host.append(loading());
		$("page-body").replaceChildren(host);
		$("page-body").scrollTop = 0;
		if (!wasHere || !$("page").contains(document.activeElement)) $("page-title").focus();
		try {
			const { show } = await row.load();
			if (signal.aborted) return;
			const stop = await show(host, rest, context);
			if (typeof stop !== "function") return;
			if (signal.aborted) stop();
			else signal.addEventListener("abort", () => stop(), { once: true });
		} catch (e) {
			if (signal.aborted || e.status === 401) return;
			if (!(e.status >= 0)) console.error(e);
			host.replaceChildren(errorState(e, () => this.route(location.hash)));
		}
	}

	title(text, note = "") {
		$("page-title").textContent = text;
		$("page-note").textContent = note;
		this.on.title(text);
	}

	stop() {
		this.leave.abort();
		this.shownPath = null;
	}
}
