/*
 * work_clock.c - the machine's clock may be set back; the tracker's is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work_fix.h"

#include <string.h>

#include "work/host/workspace_priv.h"

#define HOUR (3600 * 1000)

static struct str
kept(struct fix *f, const char *path)
{
	static char text[4][64];
	static unsigned turn;
	char *to = text[turn++ % COUNT(text)];

	snprintf(to, sizeof text[0], "%.*s", FMT(fix_get(f, path)));
	return str_of(to);
}

/* Every way an item changes, an hour earlier each time. */
TEST(work_a_change_is_never_before_the_last)
{
	static const char *const calls[][2] = {
		{ "update", "{'id':'t-a','notes':'n'}" },
		{ "label_add", "{'id':'t-a','label':'l'}" },
		{ "comment", "{'id':'t-a','text':'t'}" },
		{ "dep_add", "{'from_id':'t-a','to_id':'t-b'}" },
		{ "delete", "{'ids':['t-b'],'force':true}" },
		{ "claim", "{'id':'t-a'}" }, { "release", "{'id':'t-a'}" },
		{ "close", "{'id':'t-a'}" }, { "reopen", "{'id':'t-a'}" },
		{ "batch", "{'operations':[{'operation':'update','args':"
		    "{'id':'t-a','priority':1}}]}" },
		{ "rename_prefix", "{'prefix':'u'}" },
	};
	struct str was, now;
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a'}");
	fix_ok(&f, "create", "{'id':'t-b','title':'b'}");
	was = kept(&f, "updated_at");
	for (size_t i = 0; i < COUNT(calls); i++) {
		f.now -= HOUR;
		fix_ok(&f, calls[i][0], "%s", calls[i][1]);
		fix_ok(&f, "show", "{'id':'%s'}", i + 1 == COUNT(calls) ? "u-a" : "t-a");
		now = kept(&f, "updated_at");
		if (str_cmp(now, was) < 0)
			test_fail(__FILE__, __LINE__, "%s: %.*s after %.*s",
			    calls[i][0], FMT(now), FMT(was));
		was = now;
	}
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event a JOIN work_event b"
	    " ON b.seq = a.seq + 1 WHERE b.at < a.at") == 0);
	fix_close(&f);
}

/* A heartbeat of a clock that was set back shortened the lease. */
TEST(work_a_heartbeat_never_shortens_a_lease)
{
	struct str was;
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a'}");
	fix_ok(&f, "claim", "{'id':'t-a'}");
	was = kept(&f, "lease.until");
	f.now -= 2 * HOUR;
	fix_ok(&f, "claim", "{'id':'t-a'}");
	CHECK(str_cmp(kept(&f, "lease.until"), was) >= 0);
	f.now += 2 * HOUR;
	f.actor = "bob";
	CHECK_RC(fix_call(&f, "claim", "{'id':'t-a'}"), ERR_CONFLICT);
	fix_close(&f);
}

/* What another process stamped before the clock was set back counts too. */
TEST(work_the_clock_is_everybodys)
{
	struct fix f;
	struct work *late;

	fix_open(&f);
	fix_ok(&f, "create", "{'id':'t-a','title':'a'}");
	late = f.w;
	f.w = work_new(&f.db);
	f.now -= HOUR;
	fix_ok(&f, "update", "{'id':'t-a','notes':'n'}");
	CHECK(str_cmp(kept(&f, "updated_at"), kept(&f, "created_at")) >= 0);
	f.now += 3 * HOUR;
	fix_ok(&f, "update", "{'id':'t-a','notes':'m'}");
	work_free(f.w);
	f.w = late;
	f.now -= HOUR;
	work_follow(f.w);                    /* as workdb.c does in each transaction */
	fix_ok(&f, "update", "{'id':'t-a','notes':'o'}");
	CHECK(fix_count(&f, "SELECT count(DISTINCT at) FROM work_event"
	    " WHERE seq > (SELECT min(seq) + 1 FROM work_event)") == 1);
	fix_close(&f);
}

/* A merge takes the later edit: one that was made after another's must be it,
 * though the other's clock was ahead. */
TEST(work_an_edit_is_later_than_what_it_edits)
{
	struct fix f;

	fix_open(&f);
	fix_ok(&f, "import", "{'items':[{'id':'t-a','title':'a','created_at':"
	    "'2026-01-01T00:00:00Z','updated_at':'2099-01-01T00:00:00.5+01:00'},"
	    "{'id':'t-b','title':'b','created_at':'2026-01-01T00:00:00Z',"
	    "'updated_at':'9999-12-31T23:59:59.999Z'}]}");
	fix_ok(&f, "update", "{'id':'t-a','notes':'n'}");
	CHECK_STR(fix_get(&f, "updated_at"), "2098-12-31T23:00:00.501Z");
	fix_ok(&f, "update", "{'id':'t-b','notes':'n'}");
	CHECK_STR(fix_get(&f, "updated_at"), "9999-12-31T23:59:59.999Z");
	fix_ok(&f, "comment", "{'id':'t-a','text':'now'}");
	CHECK(str_starts(fix_get(&f, "created_at"), S("2025-")));
	CHECK(fix_count(&f, "SELECT count(*) FROM work_event"
	    " WHERE at > 1800000000000") == 0);
	fix_close(&f);
}

/* A daemon's time goes on while the wall's stands still or is behind. */
TEST(workdb_time_goes_on_where_the_walls_is_set_back)
{
	struct workdb d = { .read_only = true };
	msec first = workdb_now(&d), next;

	d.wall += HOUR;                      /* it was an hour later then */
	next = workdb_now(&d);
	CHECK(next >= first + HOUR && next < first + HOUR + 60 * 1000);
	d.wall_mono -= 5 * NS_PER_S;         /* five seconds ago */
	CHECK(workdb_now(&d) >= next + 5000);
	d.wall -= 2 * HOUR;
	CHECK(workdb_now(&d) < first + 60 * 1000);
}
