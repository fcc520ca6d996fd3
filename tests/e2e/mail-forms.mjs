// mail-forms.mjs - the forms of a message over HTTP, each read back in the others' words, and
// the protocols of FIPA as the router checks them: what is illegal, late or overdue.
import { call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";
import { matches } from "./core-lib.mjs";
import { contents, frame, pack, poll, register, sendAs, unpack, uuid } from "./mail-lib.mjs";

const s = await startServer({ dir: scratch() });
const text = (agent, body) => call(s, "POST", agent ? `/agents/${agent}/messages` : "/messages", body, { "content-type": "text/x-fipa-acl" });
async function frames(agent, ...bodies) {
  const r = await fetch(`${s.url}/agents/${agent}/messages`, { method: "POST", body: Buffer.concat(bodies.map(frame)), headers: { "content-type": "application/x-cohort-acl" } });
  const raw = await r.text();
  return { status: r.status, text: raw, json: JSON.parse(raw) };
}
for (const name of ["ann", "bob", "cid"]) await register(s, name);
const clear = async () => { for (const name of ["ann", "bob", "cid"]) await poll(s, name); };

// ---- forms -------------------------------------------------------------------------

await scenario("the string encoding", async () => {
  const sent = await text("ann", `(request
    :sender (agent-identifier :name ann)
    :receiver (set (agent-identifier :name bob) (agent-identifier :name cid))
    :reply-to (agent-identifier :name cid)
    :content "say \\"hi\\" in C:\\dir"
    :language fipa-sl0 :encoding utf-8 :ontology planning
    :protocol own-protocol :conversation-id c-1 :reply-with q1 :in-reply-to q0
    :reply-by 20990102T030405678Z
    :x-note (json "{\\"a\\":[1,null]}"))`);
  matches(sent.json, { message_id: uuid, receivers: 2 }, "is accepted");
  const [got] = await poll(s, "bob", { wait: 5000 });
  matches(got, { performative: "request", sender: "ann", content: "say \"hi\" in C:\\dir", language: "fipa-sl0", encoding: "utf-8", ontology: "planning",
    protocol: "own-protocol", conversation_id: "c-1", reply_with: "q1", in_reply_to: "q0", reply_to: "cid", "x-note": { a: [1, null] } }, "and has every parameter in JSON");
  equal([Date.parse(got.reply_by), got.receiver], [Date.parse("2099-01-02T03:04:05.678Z"), ["bob", "cid"]], "its date and its receivers");
  equal(contents(await poll(s, "cid")), contents([got]), "the other receiver has it, too");
  await text("ann", '(INFORM :receiver bob :language json :content "{\\"n\\":[1,2]}")');
  await text("ann", '(inform :receiver (set bob) :content #8"say "hi")');
  equal(contents(await poll(s, "bob")), [{ n: [1, 2] }, 'say "hi"'], "JSON content, and counted text");
});

await scenario("frames", async () => {
  const full = { performative: "query-ref", receiver: ["bob", "cid"], reply_to: "cid", protocol: "own", conversation_id: "c-2", reply_with: "q2", in_reply_to: "q1", content: { deep: [{ "ä": 1.5 }] } };
  const r = await frames("ann", pack(full), pack({ performative: "inform", receiver: "bob", content: "x".repeat(100000) }), Buffer.from([1, 99]), pack({ performative: "agree", receiver: "bob" }));
  matches(r.json.results, [{ message_id: uuid, receivers: 2 }, { message_id: uuid }, { error: { code: "SYNTAX", detail: /act/ } }, { message_id: uuid }], "each frame has its result");
  const got = await poll(s, "bob", { wait: 5000 });
  matches(got[0], { ...full, sender: "ann", message_id: r.json.results[0].message_id }, "a round trip");
  equal([got.length, got[1].content.length, got[2].performative, "content" in got[2]], [3, 100000, "agree", false], "a large one, and one without content");
  equal(unpack(pack(full)), full, "as packed");
  const short = await fetch(`${s.url}/agents/ann/messages`, { method: "POST", body: Buffer.from([0, 0, 0, 9, 1]), headers: { "content-type": "application/x-cohort-acl" } });
  equal([short.status, /frame 1 ends early/.test((await short.json()).detail)], [422, true], "a frame that ends early");
  await clear();
});

await scenario("the sender is the server's to say", async () => {
  const ann = (await call(s, "GET", "/agents/ann")).json;
  for (const name of ["ann", ann.agent_id]) equal((await text("ann", `(inform :sender ${name} :receiver bob :content "${name}")`)).status, 200, "its own name and id are allowed");
  equal((await poll(s, "bob")).map((m) => m.sender), ["ann", "ann"], "and the sender is the agent");
  const forged = await text("ann", "(inform :sender cid :receiver bob)");
  equal([forged.status, forged.text.startsWith("(not-understood"), /sender/.test(forged.text)], [422, true, true], "another's is refused");
  const nobody = await text(null, "(inform :sender cid :receiver bob)");
  equal([nobody.status, /sender/.test(nobody.text)], [422, true], "and of one who is no agent");
  const json = await sendAs(s, "ann", "bob", 1, { sender: "cid" });
  equal([json.status, /^sender/.test(json.json.detail)], [422, true], "in JSON");
  const framed = await frames("ann", pack({ performative: "inform", receiver: "bob", sender: "cid" }));
  matches(framed.json.results, [{ error: { code: "INVALID", detail: /sender/ } }], "and in a frame");
  equal(await poll(s, "bob"), [], "none of them came");
});

await scenario("what is not understood", async () => {
  for (const [body, words] of [["(infrm :receiver bob)", /infrm/], ["(inform :receiver bob", /./], ["(inform :receiver bob :colour red)", /colour/], ["inform", /./]]) {
    const r = await text("ann", body);
    equal([r.status >= 400 && r.status < 500, r.headers.get("content-type"), r.text.startsWith("(not-understood"), words.test(r.text), /:name ams/.test(r.text), /ann/.test(r.text)],
      [true, "text/x-fipa-acl; charset=utf-8", true, true, true, true], `${body} is answered with not-understood by ams`);
  }
  for (const body of ["(not-understood :receiver", "(not-understood :colour red)"]) {
    const r = await text("ann", body);
    equal([r.status >= 400, r.text.startsWith("(")], [true, false], "never another not-understood");
  }
  equal((await text("ann", "(not-understood :receiver bob :content x)")).status, 200, "one that is well-formed is a message");
  equal((await poll(s, "bob")).map((m) => m.performative), ["not-understood"], "and comes");
});

// ---- protocols ----------------------------------------------------------------------

let talks = 0;
function talk(protocol) {
  const conversation_id = `talk-${++talks}`;
  return { conversation_id, say: (from, to, performative, more = {}) => sendAs(s, from, to, more.content ?? null, { performative, protocol, conversation_id, ...more }) };
}

await scenario("fipa-request", async () => {
  const { say } = talk("fipa-request");
  const first = await say("ann", "bob", "inform");
  equal([first.status, /request/.test(first.json.detail)], [409, true], `it begins with request (${first.json.detail})`);
  equal((await say("ann", "bob", "request", { reply_with: "r" })).status, 200, "a request");
  const wrong = await say("bob", "ann", "propose");
  equal([wrong.status, ["agree", "refuse", "inform", "failure"].every((act) => wrong.json.detail.includes(act)), wrong.json.detail.includes("propose")], [409, true, true], `told with what is legal (${wrong.json.detail})`);
  equal((await say("bob", "ann", "agree")).status, 200, "agreed");
  const again = await say("bob", "ann", "agree");
  equal([again.status, /inform/.test(again.json.detail), /refuse,/.test(again.json.detail)], [409, true, false], "not twice");
  equal((await say("bob", "ann", "inform", { content: "done" })).status, 200, "done");
  const over = await say("bob", "ann", "inform");
  equal([over.status, /over/.test(over.json.detail)], [409, true], `it is over (${over.json.detail})`);
  equal((await poll(s, "ann")).map((m) => m.performative), ["agree", "inform"], "only what is legal was routed");
  await clear();
});

await scenario("the same in text and frames", async () => {
  const q = talk("fipa-request");
  const r = await text("ann", `(agree :receiver bob :protocol fipa-request :conversation-id ${q.conversation_id})`);
  equal([r.status, /request/.test(r.text)], [409, true], "an illegal act in text");
  const f = await frames("ann", pack({ performative: "agree", receiver: "bob", protocol: "fipa-request", conversation_id: q.conversation_id }));
  matches(f.json.results, [{ error: { code: "CONFLICT", detail: /request/ } }], "in a frame");
  equal(await poll(s, "bob"), [], "none came");
});

await scenario("fipa-contract-net", async () => {
  const { say } = talk("fipa-contract-net");
  const reply_by = new Date(Date.now() + 700).toISOString();
  equal((await say("ann", ["bob", "cid"], "cfp", { reply_by, reply_with: "bids" })).json.receivers, 2, "a call for proposals");
  const early = await say("ann", "bob", "accept-proposal");
  equal([early.status, early.json.detail.includes("accept-proposal")], [409, true], `nothing to accept yet (${early.json.detail})`);
  equal((await say("bob", "ann", "propose", { content: { price: 5 } })).status, 200, "a proposal in time");
  const bid = await say("bob", "ann", "propose", { content: { price: 4 } });
  equal(bid.status, 409, "one a participant");
  equal((await say("ann", "bob", "accept-proposal")).status, 200, "is accepted");
  equal((await poll(s, "cid")).map((m) => m.performative), ["cfp"], "both were asked");
  await until(() => Date.now() > Date.parse(reply_by) + 20, "the end of the proposals");
  equal((await poll(s, "ann")).map((m) => m.performative), ["propose"], "which is no failure: one bid");
  const late = await say("cid", "ann", "propose", { content: { price: 1 }, reply_with: "late" });
  equal(late.status, 200, "a late proposal");
  const [answer] = await poll(s, "cid", { wait: 5000 });
  matches(answer, { performative: "reject-proposal", protocol: "fipa-contract-net", in_reply_to: "late" }, "is answered with reject-proposal");
  equal(await poll(s, "ann"), [], "and does not reach the initiator");
  equal((await say("bob", "ann", "inform", { content: "built" })).status, 200, "the award ends");
  await clear();
});

await scenario("a deadline of the others", async () => {
  for (const [protocol, act] of [["fipa-request", "request"], ["fipa-query", "query-ref"], ["fipa-subscribe", "subscribe"], ["fipa-propose", "propose"]]) {
    const { say, conversation_id } = talk(protocol);
    equal((await say("ann", "bob", act, { reply_by: new Date(Date.now() + 300).toISOString(), reply_with: "r" })).status, 200, `${protocol}: asked`);
    const [failure] = await poll(s, "ann", { wait: 10000 });
    matches(failure, { performative: "failure", sender: "ams", protocol, conversation_id, in_reply_to: "r" }, `${protocol}: a failure from ams`);
    const late = await say("bob", "ann", "refuse");
    check(late.status === 409 && /over|reply_by|deadline|late/.test(late.json.detail), `${protocol}: an answer after it is refused`, late.json);
  }
  const { say, conversation_id } = talk("fipa-contract-net");
  await say("ann", "bob", "cfp");
  await say("bob", "ann", "propose");
  await say("ann", "bob", "accept-proposal", { reply_by: new Date(Date.now() + 300).toISOString(), reply_with: "award" });
  await until(async () => (await poll(s, "ann", { wait: 5000 })).some((m) => m.performative === "failure" && m.sender === "ams" && m.conversation_id === conversation_id && m.in_reply_to === "award"), "a failure of the award");
  check(true, "an award that is not kept in time is a failure from ams, too");
  await clear();
});

await scenario("cancel, and not-understood in a conversation", async () => {
  const a = talk("fipa-request");
  await a.say("ann", "bob", "request");
  equal((await a.say("ann", "bob", "cancel")).status, 200, "the initiator cancels");
  equal((await a.say("ann", "bob", "cancel")).status, 409, "once");
  equal((await a.say("bob", "ann", "inform")).status, 200, "and is answered");
  const b = talk("fipa-query");
  await b.say("ann", "bob", "query-if");
  equal((await b.say("bob", "ann", "not-understood")).status, 200, "the participant did not understand");
  equal((await b.say("bob", "ann", "inform")).status, 409, "which ends it");
  const c = talk("no-such-protocol");
  equal((await c.say("bob", "ann", "accept-proposal")).status, 200, "a protocol that is not checked passes");
  await clear();
});

await s.stop();
finish();
