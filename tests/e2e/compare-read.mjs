// compare-read.mjs - reads a recorded conversation: blocks of a title, a
// request and its answer.
import { readFileSync } from "node:fs";
import { parseEvents } from "./lib.mjs";

export function readTranscript(file) {
  const blocks = [];
  let b;
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (line.startsWith("### ")) blocks.push(b = { title: line.slice(4), request: [], answer: [], stored: undefined });
    else if (!b) continue;
    else if (line.startsWith("> ") && b.answer.length === 0) b.request.push(line.slice(2));
    else if (/^(after remove( all)?|\s+-> stored): /.test(line)) b.stored = JSON.parse(line.replace(/^[^[]*/, ""));
    else if (b.answer.length > 0 || line.startsWith("HTTP/")) b.answer.push(line);
  }
  return blocks.filter((x) => x.request.length > 0).map(parse);
}

// A body may be malformed: then it is sent as it is.
function asJson(text) {
  try { return JSON.parse(text); } catch { return text; }
}

function parse(b) {
  const [method, target] = b.request[0].split(" "), headers = {};
  let body;
  for (const l of b.request.slice(1)) {
    if (/^[[{]/.test(l)) body = asJson(l);
    else { const i = l.indexOf(": "); headers[l.slice(0, i).toLowerCase()] = l.slice(i + 2); }
  }
  const status = Number(b.answer[0].split(" ")[1]), blank = b.answer.indexOf("");
  const answerHeaders = Object.fromEntries(b.answer.slice(1, blank).map((l) => [l.slice(0, l.indexOf(":")).toLowerCase(), l.slice(l.indexOf(":") + 2)]));
  const text = b.answer.slice(blank + 1).join("\n").trim();
  return { title: b.title, method, target, headers, body, status, answerHeaders, ...readAnswer(text, answerHeaders["content-type"]), stored: b.stored };
}

export function readAnswer(text, type = "") {
  if (/event-stream/.test(type)) return { events: parseEvents(text) };
  try { return { json: text === "" ? undefined : JSON.parse(text) }; } catch { return { text }; }
}
