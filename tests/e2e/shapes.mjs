// shapes.mjs - our event streams against recordings of the official server:
// names, order, ids, key sets (shapes.json, made by make-shapes.mjs).  That server
// does not end with `event: end`, so ours is told not to.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, finish, parseEvents, scenario, scratch, startMock, startServer } from "./lib.mjs";
import { reduce } from "./shape.mjs";

const recordings = JSON.parse(readFileSync(new URL("shapes.json", import.meta.url)));
const script = path.join(scratch(), "script.json");
writeFileSync(script, JSON.stringify({
  rules: [
    { match: { role: "tool", last: "" }, reply: "It is sunny in Paris ." },
    { match: "weather?", tool_calls: [{ name: "store_search", args: { namespace: ["cities"] } }] },
  ],
  default: { reply: "Hello from mock LLM ." },
}));
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--script", script]);
const quiet = ["--streams-end-event=false"];
const good = await startServer({ mock, args: quiet });
const failing = await startServer({ mock: await startMock(["--script", await failScript()]), args: quiet });

async function failScript() {
  const file = path.join(scratch(), "fail.json");
  writeFileSync(file, JSON.stringify({ rules: [], default: { reply: "", status: 400 } }));
  return file;
}

for (const r of recordings) {
  await scenario(r.name, async () => {
    const server = r.body.assistant_id === "boom" ? failing : good;
    const body = { ...r.body, assistant_id: "agent" };
    let base = "";
    if (!r.stateless) base = `/threads/${(await call(server, "POST", "/threads", {})).json.thread_id}`;
    const res = await call(server, "POST", `${base}/runs/stream`, body);
    check(res.status === 200 && /^text\/event-stream/.test(res.headers.get("content-type")), `${r.name}: is a stream`, res.text);
    check(/\/runs\/[0-9a-f-]{36}$/.test(res.headers.get("content-location") ?? ""), `${r.name}: Content-Location`);
    const events = parseEvents(res.text);
    const ids = events.filter((e) => e.id !== undefined).map((e) => Number(e.id));
    check(ids.every((id, i) => id === i), `${r.name}: ids are dense from 0`, ids);
    const got = reduce(events);
    for (let i = 0; i < Math.max(got.length, r.events.length); i++)
      if (!check(JSON.stringify(got[i]) === JSON.stringify(r.events[i]), `${r.name}: event ${i}`,
        `got ${JSON.stringify(got[i])}\n     not ${JSON.stringify(r.events[i])}`)) break;
  });
}
finish();
