// world.mjs - the tool server that the agents of a cluster call: it knows which node asks
// (by its address), and finds what must never be: two nodes at work on one run at once.
import http from "node:http";

// nodeOf(address): which node; trouble(i, since): was node i killed, stopped, cut off or
// drained since then; stopped(i): is it stopped now.
export async function startWorld({ nodeOf, trouble, stopped, delay, violation }) {
  const runs = new Map();                  // by tag: who asks for it now
  const handed = [];                       // runs that went from one node to another: {tag, from, to, at}
  const doubts = [];                       // moves that nothing explains yet
  let calls = 0;

  function begins(tag, k, node, close) {
    const now = performance.now(), r = runs.get(tag);
    calls++;
    if (r === undefined) { runs.set(tag, { node, at: now, began: now, open: new Map([[node, close]]), seen: [k] }); return; }
    for (const other of r.open.keys())
      if (other !== node && !stopped(other)) violation(`run ${tag}: node ${node} makes call ${k} while a call of node ${other} is open`);
    if (r.node !== node) {
      // What happened to it cut off its last call, or came later; a node that stood still
      // says that it has lost its lease when it goes on (settle).
      if (!trouble(r.node, r.began)) doubts.push({ node: r.node, since: r.began, what: `run ${tag}: call ${k} comes from node ${node}, and nothing has happened to node ${r.node} since its last call ${Math.round(now - r.at)} ms ago (${new Date().toISOString()})` });
      handed.push({ tag, from: r.node, to: node, at: now });
    }
    r.node = node;
    r.at = r.began = now;
    r.seen.push(k);
    r.open.set(node, close);
  }

  // On a busy machine this process may be kept from looking for longer than a run takes to go from
  // one node to another.  Then all that came meanwhile is read in a few turns, a new connection's
  // request behind others that came later; but the end of a caller that has gone is read then too.
  const turns = async () => { for (let n = 0; n < 4; n++) await new Promise((r) => setImmediate(r)); };
  const server = http.createServer(async (req, res) => {
    const url = new URL(req.url, "http://x"), tag = url.searchParams.get("tag"), k = Number(url.searchParams.get("k"));
    if (tag === null) { res.writeHead(404); res.end(); return; }
    const node = nodeOf(req.socket.remoteAddress);
    await turns();
    if (req.socket.gone) return;
    const close = {};
    begins(tag, k, node, close);
    const over = () => { const r = runs.get(tag); if (r.open.get(node) === close) { r.open.delete(node); r.at = performance.now(); } };
    res.on("close", over);
    req.socket.over = over;
    setTimeout(() => { res.writeHead(200, { "content-type": "text/plain" }); res.end(`${tag}:${k}`); }, delay());
  });
  server.on("connection", (socket) => socket.on("end", () => { socket.gone = true; socket.over?.(); }));
  server.keepAliveTimeout = 60000;
  await new Promise((r) => server.listen(0, "127.0.0.1", r));
  return {
    url: `http://127.0.0.1:${server.address().port}`, host: `127.0.0.1:${server.address().port}`,
    runs, handed, calls: () => calls,
    // When all nodes serve again.
    settle: () => { for (const d of doubts.splice(0)) if (!trouble(d.node, d.since)) violation(d.what); },
    // Runs whose last call came from node i and that have not made their last one.
    under: (i, since) => [...runs].filter(([, r]) => r.node === i && r.at >= since && !r.seen.includes(4)).map(([tag]) => tag),
    close: () => { server.closeAllConnections(); server.close(); },
  };
}
