// views.js - the views of the console, one row each; shell.js shows them.
//
// path: of the address #/PATH/REST; icon: of dom.js; load() gives the module, which exports
// show(host, rest, context), see shell.js:
//   { path: "work", title: "Work", icon: "board", load: () => import("./work.js") },
// Chat has none: app.js shows it, at #/ and #/t/ID.
export const views = [
  { path: "", title: "Chat", icon: "chat" },
];
