/*
 * wasm_guest.c - what guests say, read strictly.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "wasm/guest.h"

static void
check_said(const char *json, bool reply, const char *text)
{
	struct wasm_outgoing o = { 0 };
	struct buf b = BUF(KB);
	struct err e;

	if (wasm_outgoing_read(&o, str_of(json), reply, &e) != OK) {
		buf_add(&b, str_of(e.text));
	} else {
		buf_add_fmt(&b, "%.*s|%.*s|", FMT(o.to), FMT(o.act));
		val_add_json(&b, o.fields);
	}
	CHECK_STR(buf_str(&b), text);
	wasm_outgoing_release(&o);
	buf_release(&b);
}

TEST(wasm_guest_message_is_read)
{
	check_said("{\"to\":\"bob\",\"content\":1}", false, "bob|inform|{\"content\":1}");
	check_said("{\"to\":[\"a\",\"cap:x\"],\"performative\":\"request\",\"protocol\":\"p\"}",
	    false, " a cap:x|request|{\"protocol\":\"p\"}");
	check_said("{\"content\":null,\"performative\":\"refuse\"}", true,
	    "|refuse|{\"content\":null}");
	check_said("{}", false, "to: expected an address or a list of at most 64, each at most "
	    "1024 bytes");
	check_said("{\"to\":[1]}", false, "to: expected an address or a list of at most 64, each "
	    "at most 1024 bytes");
	check_said("{\"to\":\"a\"}", true, "to: not accepted here: a reply goes to the sender of the message");
	check_said("{\"to\":\"a\",\"performative\":1}", false, "performative: expected a text, got "
	    "a number");
	check_said("[1]", true, "expected an object, as in {\"content\": 1}, got an array");
}

/* Goal: two names never share a namespace, and a label has no period. */
TEST(wasm_guest_namespace)
{
	struct buf b = BUF(WASM_NAMESPACE_BYTES);

	wasm_namespace_add(&b, S("a.b%2Ec"));
	CHECK_STR(buf_str(&b), "wasm.a%2Eb%252Ec");
	buf_release(&b);
}
