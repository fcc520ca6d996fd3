// net.mjs - network namespaces for nodes of a cluster on one machine.
//
// Each node has a namespace with three links: `db` to PostgreSQL, `bus` to NATS, `front`
// to those who ask it.  A link is cut by taking it off its bridge: no packet comes, and
// nobody is told, as with a broken switch.  What listens on 127.0.0.1 here (models, tools,
// webhooks of a test) is 127.0.0.1 there too, and a node listens on a loopback address of
// its own that is reached from here, so that a test need not know about all this.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const ip = (...args) => execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
const quietly = (...args) => { try { ip(...args); } catch { /* it is not there */ } };

// Undefined, or why there can be none.
export function noNamespaces() {
  if (process.getuid() !== 0) return "not root";
  try { ip("netns", "list"); return undefined; } catch (e) { return `no ip netns: ${e.message.split("\n")[0]}`; }
}

const links = { db: 1, bus: 2, front: 3 };

// lane: two runs at the same time have different ones (0 to 9).
export function namespaces(lane, n) {
  const net = (link, host) => `10.${60 + lane}.${links[link]}.${host}`;
  const bridge = (link) => `ch${lane}-${link}`, space = (i) => `ch${lane}-node${i}`, end = (i, link) => `ch${lane}-${link}${i}`;
  const home = (i) => `127.${70 + lane}.${i + 1}.1`;
  const here = { db: net("db", 254), bus: net("bus", 254), front: net("front", 254) };

  function remove() {
    for (let i = 0; i < n; i++) {
      quietly("netns", "del", space(i));
      for (const link of Object.keys(links)) quietly("link", "del", end(i, link));
    }
    for (const link of Object.keys(links)) quietly("link", "del", bridge(link));
  }

  function makeNode(i) {
    const inside = (...args) => execFileSync("nsenter", [`--net=/run/netns/${space(i)}`, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    ip("netns", "add", space(i));
    inside("ip", "link", "set", "lo", "up");
    for (const link of Object.keys(links)) {
      ip("link", "add", end(i, link), "type", "veth", "peer", "name", link, "netns", space(i));
      ip("link", "set", end(i, link), "master", bridge(link), "up");
      inside("ip", "addr", "add", `${net(link, i + 1)}/24`, "dev", link);
      inside("ip", "link", "set", link, "up");
    }
    // 127.0.0.0/8 is the machine of the test, but for the node's own address.
    inside("sh", "-c", "for f in all front; do echo 1 >/proc/sys/net/ipv4/conf/$f/route_localnet; echo 0 >/proc/sys/net/ipv4/conf/$f/rp_filter; done");
    inside("ip", "addr", "del", "127.0.0.1/8", "dev", "lo");
    inside("ip", "addr", "add", `${home(i)}/32`, "dev", "lo");
    inside("ip", "route", "add", "127.0.0.0/8", "via", here.front, "src", net("front", i + 1));
    ip("route", "add", "table", "local", `${home(i)}/32`, "via", net("front", i + 1), "src", "127.0.0.1", "dev", bridge("front"));
  }

  remove();
  for (const link of Object.keys(links)) {
    ip("link", "add", bridge(link), "type", "bridge");
    ip("addr", "add", `${here[link]}/24`, "dev", bridge(link));
    ip("link", "set", bridge(link), "up");
  }
  execFileSync("sh", ["-c", `echo 1 >/proc/sys/net/ipv4/conf/${bridge("front")}/route_localnet`]);
  for (let i = 0; i < n; i++) makeNode(i);
  process.on("exit", remove);

  return {
    here, remove,
    home,
    // Its path: the PATH of a test's server may be none.
    via: (i) => [execFileSync("sh", ["-c", "command -v nsenter"], { encoding: "utf8" }).trim(), `--net=/run/netns/${space(i)}`],
    cut: (i, link) => ip("link", "set", end(i, link), "nomaster"),
    mend: (i, link) => { if (existsSync(`/sys/class/net/${end(i, link)}`)) ip("link", "set", end(i, link), "master", bridge(link)); },
  };
}
