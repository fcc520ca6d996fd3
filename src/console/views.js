// views.js - the views of the console, one row each; shell.js shows them.
//
// path: of the address #/PATH/REST; icon: of dom.js; load() gives the module, which exports
// show(host, rest, context), see shell.js:
//   { path: "work", title: "Work", icon: "board", load: () => import("./work.js") },
// Chat has none: app.js shows it, at #/ and #/t/ID.
export const views = [
	{ path: "", title: "Chat", icon: "chat" },
	{ path: "inbox", title: "Inbox", icon: "inbox", load: () => import("./inbox.js") },
	{ path: "agents", title: "Agents", icon: "graph", load: () => import("./agents.js") },
	{ path: "work", title: "Work", icon: "board", load: () => import("./work.js") },
	{ path: "messages", title: "Messages", icon: "mail", load: () => import("./messages.js") },
	{ path: "runs", title: "Runs", icon: "steps", load: () => import("./transcript.js") },
	{ path: "usage", title: "Usage", icon: "bars", load: () => import("./usage.js") },
	{ path: "reports", title: "Reports", icon: "gauge", load: () => import("./reports.js") },
	{ path: "settings", title: "Settings", icon: "sliders", load: () => import("./settings.js") },
];
