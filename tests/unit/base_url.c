/*
 * base_url.c - what is shown of an address that holds a password.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/url.h"

#include <string.h>

/* Goal: nobody reads a password in a log, whatever form it was given in. */
TEST(url_is_shown_without_its_passwords)
{
	static const struct { const char *text, *shown; } rows[] = {
		{ "sqlite", "sqlite" },
		{ "postgres://h/db", "postgres://h/db" },
		{ "postgres://ann@h/db", "postgres://ann@h/db" },
		{ "postgres://ann:s3@h:5432,h2/db", "postgres://ann:***@h:5432,h2/db" },
		{ "postgresql://ann:a@b/c?d@h/db", "postgresql://ann:***@h/db" },
		{ "postgres://h/db?user=ann&password=s3&sslmode=require",
		    "postgres://h/db?user=ann&password=***&sslmode=require" },
		{ "postgres:///db?sslpassword=s3", "postgres:///db?sslpassword=***" },
		{ "host=h dbname=d", "host=h dbname=d" },
		{ "host=h password = 's 3' dbname=d", "host=h password=***" },
		{ "mysql://ann:s3@h/db", "mysql://***@h/db" },
		{ "nats://h:4222", "nats://h:4222" },
		{ "nats://token@h:4222", "nats://***@h:4222" },
		{ "nats://a:s3@h:4222,tls://b:s4@i:4222,j:4222",
		    "nats://***@h:4222,tls://***@i:4222,j:4222" },
		{ "h:4222,nats://a:s3@i", "h:4222,nats://***@i" },
		{ "a:s3@h:4222", "***@h:4222" },
		{ "a:s3@h,nats://b:s4@i,c:s5@j", "***@h,nats://***@j" },
		{ "NATS://a:s3@h", "***@h" },
		{ "postgresql+psycopg2://ann:s3@h/db", "postgresql+psycopg2://ann:***@h/db" },
		{ "postgres:/ann:s3@h/db", "postgres:***@h/db" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b = BUF(1000);

		url_add_shown(&b, str_of(rows[i].text));
		CHECK_STR(buf_str(&b), rows[i].shown);
		CHECK(url_has_secret(str_of(rows[i].text)) ==
		    (strcmp(rows[i].text, rows[i].shown) != 0));
		buf_release(&b);
	}
}
