// door.mjs - what a streamed token costs the server, through OpenAI's interface and
// through runs.stream: processor time of the server over tokens that clients heard.
//
//   COHORT=$PWD/build-o2/cohort node tests/bench/door.mjs [STREAMS [TOKENS]]
import { readFileSync } from "node:fs";
import { startMock, startServer } from "../e2e/lib.mjs";

const streams = Number(process.argv[2] ?? 8), tokens = Number(process.argv[3] ?? 4000), rounds = 5;
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "2", "--tokens", String(tokens)]);
const server = await startServer({ mock, memory: true, args: ["--shards", "1"] });
const messages = [{ role: "user", content: "hi" }];
const ways = {
  "POST /runs/stream, messages-tuple": ["/runs/stream", { assistant_id: "agent", input: { messages }, stream_mode: "messages-tuple" }],
  "POST /v1/chat/completions": ["/v1/chat/completions", { model: "agent", messages, stream: true }],
  "POST /v1/responses": ["/v1/responses", { model: "agent", input: "hi", stream: true, store: false }],
};

// User and system time so far, in milliseconds.
function cpu() {
  const f = readFileSync(`/proc/${server.child.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(f[11]) + Number(f[12])) * 10;
}
async function one(target, body) {
  const res = await fetch(server.url + target, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  let bytes = 0;
  for await (const part of res.body) bytes += part.length;
  return bytes;
}
const median = (l) => l.sort((a, b) => a - b)[Math.floor(l.length / 2)];
const seen = Object.fromEntries(Object.keys(ways).map((w) => [w, { us: [], bytes: 0 }]));
for (let i = 0; i <= rounds; i++) {
  for (const [way, [target, body]] of Object.entries(ways)) {
    const before = cpu();
    const bytes = (await Promise.all([...Array(streams)].map(() => one(target, body)))).reduce((a, b) => a + b);
    if (i === 0) continue;                     // warm
    seen[way].us.push((cpu() - before) * 1000 / (streams * tokens));
    seen[way].bytes = bytes / (streams * tokens);
  }
}
console.log(`${streams} streams of ${tokens} tokens at once, ${rounds} rounds; server: 1 shard; median`);
for (const [way, s] of Object.entries(seen))
  console.log(`${way.padEnd(36)} ${median(s.us).toFixed(2)} us of processor a token, ${s.bytes.toFixed(0)} bytes a token`);
await server.stop();
await mock.stop();
