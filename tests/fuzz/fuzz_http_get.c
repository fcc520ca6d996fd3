/*
 * fuzz_http_get.c - URLs of http_get: whom we think to ask is whom libcurl would
 * ask, or the URL is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>

#include "task/task_priv.h"

static void
add_part(CURLU *u, CURLUPart part, const char *before, struct buf *out)
{
	char *text = NULL;

	if (curl_url_get(u, part, &text, CURLU_NO_DEFAULT_PORT) == CURLUE_OK)
		buf_add_fmt(out, "%s%s", before, text);
	curl_free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *url = mem_cstr((struct str){ (const char *)data, n });
	struct str authority;
	struct buf asked = BUF(MB);
	CURLU *u = curl_url();

	assert(u != NULL);
	if (strlen(url) == n && http_get_authority(str_of(url), &authority) &&
	    curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		char *user = NULL;

		add_part(u, CURLUPART_HOST, "", &asked);
		add_part(u, CURLUPART_PORT, ":", &asked);
		assert(curl_url_get(u, CURLUPART_USER, &user, 0) != CURLUE_OK);
		curl_free(user);
		/* libcurl writes addresses in full: 127.1, 0x7f.1 */
		if (!str_eq_nocase(authority, buf_str(&asked)))
			for (size_t i = 0; i < authority.n; i++)
				assert(str_hex_digit(authority.p[i]) >= 0 ||
				    memchr(".:xX", authority.p[i], 4) != NULL);
	}
	curl_url_cleanup(u);
	buf_release(&asked);
	free(url);
	return 0;
}
