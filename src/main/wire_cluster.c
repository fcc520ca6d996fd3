/*
 * wire_cluster.c - see wire_cluster.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/wire_cluster.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/url.h"
#include "net/host.h"
#include "store/node.h"

void
cluster_name_of(const struct config *c, char out[LIMIT_CLUSTER_NAME_BYTES + 1])
{
	struct str given = config_str(c, SETTING_CLUSTER_NAME);
	char host[LIMIT_CLUSTER_NAME_BYTES - 12] = "";

	if (gethostname(host, sizeof host - 1) < 0 || host[0] == '\0')
		snprintf(host, sizeof host, "node");
	if (given.n > 0)
		snprintf(out, LIMIT_CLUSTER_NAME_BYTES + 1, "%.*s", FMT(given));
	else
		snprintf(out, LIMIT_CLUSTER_NAME_BYTES + 1, "%s-%ld", host, (long)getpid());
}

void
cluster_address_of(const struct config *c, uint16_t port, struct buf *b)
{
	struct str host = config_str(c, SETTING_HOST);
	char name[LIMIT_CLUSTER_NAME_BYTES] = "";

	if (host_is_any(host) && gethostname(name, sizeof name - 1) == 0 && name[0] != '\0')
		host = str_of(name);
	buf_add_fmt(b, str_index(host, ':') >= 0 ? "[%.*s]:%u" : "%.*s:%u", FMT(host), port);
}

void
cluster_info_of(const struct config *c, struct buf *b)
{
	char host[LIMIT_CLUSTER_NAME_BYTES] = "";

	if (gethostname(host, sizeof host - 1) < 0)
		host[0] = '\0';
	buf_add_fmt(b, "{\"version\":\"" COHORT_VERSION "\",\"format\":%lld,\"host\":",
	    (long long)store_server_format());
	json_add_str(b, str_of(host));
	buf_add_fmt(b, ",\"pid\":%ld,\"nats\":%s}", (long)getpid(),
	    config_str(c, SETTING_CLUSTER_NATS).n > 0 ? "true" : "false");
}

int
cluster_bus_open(struct bus **out, const struct config *c, struct err *e)
{
	char name[LIMIT_CLUSTER_NAME_BYTES + 1];
	struct bus_options o = {
		.urls = config_str(c, SETTING_CLUSTER_NATS),
		.cluster = config_str(c, SETTING_CLUSTER_PREFIX),
		.creds = config_str(c, SETTING_CLUSTER_NATS_CREDS),
		.ca = config_str(c, SETTING_CLUSTER_NATS_CA),
		.cert = config_str(c, SETTING_CLUSTER_NATS_CERT),
		.key = config_str(c, SETTING_CLUSTER_NATS_KEY),
	};

	*out = NULL;
	if (o.urls.n == 0)
		return OK;
	cluster_name_of(c, name);
	o.name = str_of(name);
	return bus_open(out, &o, e);
}

/* What it waits for, and why, now and then. */
static void
say_waits(const struct config *c, nsec waited, const struct err *e)
{
	struct buf to = BUF(8 * KB);

	url_add_shown(&to, config_str(c, SETTING_STORE));
	log_warn("main", "waits_for_database", "database=%.*s waited_ms=%lld at_most_ms=%lld "
	    "reason=%s", FMT(buf_str(&to)), (long long)(waited / NS_PER_MS),
	    (long long)config_int(c, SETTING_CLUSTER_WAIT), e->text);
	buf_release(&to);
}

int
cluster_store_open(struct store **out, const struct store_options *o, const struct config *c,
    void (*waits)(void *ctx), void *ctx, struct err *e)
{
	nsec began = clock_mono(), end = began + config_int(c, SETTING_CLUSTER_WAIT) * NS_PER_MS;
	nsec now, say = 0;
	int rc = store_open(out, o, e);

	while (rc == ERR_BUSY && (now = clock_mono()) < end) {
		if (say == 0)
			waits(ctx);
		if (now >= say) {
			say_waits(c, now - began, e);
			say = now + LIMIT_CLUSTER_WAIT_SAY_MS * NS_PER_MS;
		}
		poll(NULL, 0, LIMIT_PG_RETRY_MS);
		rc = store_open(out, o, e);
	}
	if (say > 0 && rc == OK)
		log_info("main", "database_is_there", "waited_ms=%lld",
		    (long long)((clock_mono() - began) / NS_PER_MS));
	return rc;
}
