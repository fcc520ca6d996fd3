// make-shapes.mjs FOLDER - reduces recordings of the official server
// (06-stream-*.txt) to what shapes.mjs compares: event names, their order,
// which have ids, and the key sets.  Writes shapes.json.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseEvents } from "./lib.mjs";
import { reduce } from "./shape.mjs";

const folder = process.argv[2];
const names = ["values", "updates", "messages-tuple", "messages-tools", "tools-turn", "stateless", "error"];
const out = [];
for (const name of names) {
  const text = readFileSync(path.join(folder, `06-stream-${name}.txt`), "utf8");
  for (const section of text.split(/^### /m).slice(1)) {
    const lines = section.split("\n");
    const request = lines.filter((l) => l.startsWith("> ")).map((l) => l.slice(2));
    if (!section.includes("text/event-stream")) continue;
    const body = section.slice(section.indexOf("\n\n", section.indexOf("HTTP/1.1")) + 2);
    out.push({
      name: `${name}: ${lines[0]}`,
      stateless: / \/runs\/stream/.test(request[0]),
      body: JSON.parse(request.at(-1)),
      events: reduce(parseEvents(body)),
    });
  }
}
writeFileSync(new URL("shapes.json", import.meta.url), JSON.stringify(out, null, 1) + "\n");
console.log(`${out.length} recordings`);
