/*
 * mail_memory.c - all mailboxes together hold no more than the process may.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/account.h"
#include "mail_fix.h"

#include <string.h>

static struct fix f;
static struct fix_agent ann, bob;

/* Goal: many mailboxes, each with room, hold no more than the process may. */
TEST(post_has_a_limit_of_all_mailboxes)
{
	static char bytes[100000];
	struct post_letter large = { .act = ACL_INFORM, .packed = { bytes, sizeof bytes } };
	size_t sent = 0;

	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	fix_agent_open(&f, &bob, 0);
	memset(bytes, 'x', sizeof bytes);
	CHECK_RC(fix_send(&f, &ann, 'a', 0, 0), OK);
	account_set_capacity(&account_mail, account_used(&account_mail) + 450000);
	for (int rc = OK; rc == OK; sent += rc == OK) {
		large.to = sent % 2 == 0 ? ann.at : bob.at;
		rc = post_send(f.post, &large, f.now);
		CHECK(rc == OK || rc == ERR_AGAIN);
	}
	CHECK_INT(sent, 5);                  /* the one that fills it is taken */
	CHECK_RC(fix_send(&f, &bob, 'b', 0, 0), ERR_AGAIN);
	fix_run(&f);
	CHECK_RC(fix_send(&f, &bob, 'b', 0, 0), OK);
	fix_run(&f);
	CHECK_INT(fix_books(&f).delivered, 7);
	fix_close(&f);
	CHECK_INT(account_used(&account_mail), 0);
}
