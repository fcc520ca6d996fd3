// overhead.mjs - what a feature costs: the agent flow of 50 users on two servers in turns, one
// of them with the feature; flows a second, their time, and the CPU a flow takes at each.
//   node tests/bench/overhead.mjs traces|encryption [ROUNDS [SECONDS]]
// The collector of traces only counts bytes: in production it is another machine's work.
import { randomBytes } from "node:crypto";
import net from "node:net";
import { runBench } from "../e2e/bench-lib.mjs";
import { metric, startMock, startServer } from "../e2e/lib.mjs";

const [feature = "traces", rounds = "6", seconds = "15"] = process.argv.slice(2);

// Answers each request without reading its JSON.
function startSink() {
  const sink = { requests: 0, bytes: 0 };
  const answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
  const server = net.createServer((socket) => {
    let left = 0, head = Buffer.alloc(0);
    socket.on("data", (d) => {
      sink.bytes += d.length;
      for (;;) {
        if (left > 0) {
          const n = Math.min(left, d.length);
          left -= n, d = d.subarray(n);
          if (left > 0) return;
          sink.requests++, socket.write(answer);
        }
        if (d.length === 0) return;
        head = Buffer.concat([head, d]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        left = Number(/content-length: *(\d+)/i.exec(head.toString("latin1", 0, end))[1]);
        d = head.subarray(end + 4), head = Buffer.alloc(0);
      }
    });
    socket.on("error", () => {});
  });
  return new Promise((r) => server.listen(0, "127.0.0.1", () => {
    Object.assign(sink, { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() });
    r(sink);
  }));
}

const collector = await startSink();
const features = {
  traces: { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } },
  encryption: { args: ["--encryption-key", randomBytes(32).toString("hex")] },
};
if (!features[feature]) throw new Error(`expected one of ${Object.keys(features)}, got ${feature}`);
const mock = await startMock();
const plain = await startServer({ mock }), other = await startServer({ mock, ...features[feature] });
const args = ["flow", "--url", plain.url, "--pid", plain.child.pid, "--name", "plain", "--peer", other.url, "--peer-pid", other.child.pid,
  "--peer-name", feature, "--vus", "50", "--duration", `${seconds}s`, "--rounds", rounds];
const out = await runBench(args.map(String), { timeout: 3600000 });
const r = out.result;
if (!r) throw new Error(`the bench ended with ${out.code}:\n${out.stdout}${out.stderr}`);
console.log(out.failed.join("\n") || /^ok +the generator.*$/m.exec(out.stdout)?.[0] || "no word of the generator");
const cost = (name) => [name, name + "_high", name + "_low"].map((k) => `${((1 / r[k] - 1) * 100).toFixed(1)} %`);
for (const [what, name] of [["time of a flow, p50", "ratio_sequence_p50_ms"], ["CPU of a flow", "ratio_cpu_ms_per_sequence"]]) {
  const [mid, low, high] = cost(name);
  console.log(`${what}: ${mid} more (${low} to ${high})`);
}
console.log(`flows a second: ${((1 - 1 / r.ratio_sequences_per_s) * 100).toFixed(1)} % fewer (${((1 - 1 / r.ratio_sequences_per_s_low) * 100).toFixed(1)} % to ${((1 - 1 / r.ratio_sequences_per_s_high) * 100).toFixed(1)} %)`);
if (feature === "traces") console.log(`${await metric(other, "cohort_trace_spans_exported_total").catch(() => "?")} spans in ${collector.requests} requests of ${(collector.bytes / 1e6).toFixed(1)} MB`);
for (const s of [plain, other, mock]) await s.stop();
collector.stop();
