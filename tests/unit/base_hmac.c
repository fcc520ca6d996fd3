/*
 * base_hmac.c - the published vectors, and strictness of the text forms.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/hmac.h"

#include <string.h>

static struct str
hex_of(const uint8_t hash[SHA256_SIZE], struct buf *b)
{
	buf_clear(b);
	hex_add(b, hash, SHA256_SIZE);
	return buf_str(b);
}

TEST(sha256_vectors)
{
	struct buf b = BUF(64);
	uint8_t hash[SHA256_SIZE];

	sha256(STR_NONE, hash);
	CHECK_STR(hex_of(hash, &b),
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256(S("abc"), hash);
	CHECK_STR(hex_of(hash, &b),
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	buf_release(&b);
}

/* RFC 4231, cases 1 to 4, 6 and 7 (5 is a truncated output). */
TEST(hmac_vectors)
{
	static const struct {
		const char *key;             /* hex, or one byte and a count */
		size_t repeat;
		const char *data;
		size_t data_repeat;
		const char *mac;
	} cases[] = {
		{ "0b", 20, "4869205468657265", 1,
		  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "4a656665", 1, "7768617420646f2079612077616e7420666f72206e6f7468696e673f", 1,
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ "aa", 20, "dd", 50,
		  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ "0102030405060708090a0b0c0d0e0f10111213141516171819", 1, "cd", 50,
		  "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
		{ "aa", 131, "54657374205573696e67204c6172676572205468616e20426c6f636b2d53"
		  "697a65204b6579202d2048617368204b6579204669727374", 1,
		  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
		{ "aa", 131, "5468697320697320612074657374207573696e672061206c617267657220"
		  "7468616e20626c6f636b2d73697a65206b657920616e642061206c617267657220"
		  "7468616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
		  "647320746f20626520686173686564206265666f7265206265696e672075736564"
		  "2062792074686520484d414320616c676f726974686d2e", 1,
		  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
	};
	struct buf hex = BUF(64);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf key = BUF(1000), data = BUF(1000);
		struct str k = str_of(cases[i].key), d = str_of(cases[i].data);
		uint8_t bytes[256], mac[SHA256_SIZE];

		CHECK(hex_decode(k, bytes, k.n / 2));
		for (size_t n = 0; n < cases[i].repeat; n++)
			buf_add(&key, (struct str){ (char *)bytes, k.n / 2 });
		CHECK(hex_decode(d, bytes, d.n / 2));
		for (size_t n = 0; n < cases[i].data_repeat; n++)
			buf_add(&data, (struct str){ (char *)bytes, d.n / 2 });
		hmac_sha256(buf_str(&key), buf_str(&data), mac);
		CHECK_STR(hex_of(mac, &hex), cases[i].mac);
		buf_release(&key);
		buf_release(&data);
	}
	buf_release(&hex);
}

TEST(base64url_vectors)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg" }, { "fo", "Zm8" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "-__-" } };
	struct buf b = BUF(100);

	for (size_t i = 0; i < COUNT(pairs); i++) {
		buf_clear(&b);
		base64url_add(&b, pairs[i][0], strlen(pairs[i][0]));
		CHECK_STR(buf_str(&b), pairs[i][1]);
		buf_clear(&b);
		CHECK(base64url_decode(str_of(pairs[i][1]), &b));
		CHECK_STR(buf_str(&b), pairs[i][0]);
	}
	buf_release(&b);
}

TEST(base64url_is_strict)
{
	static const char *const bad[] = { "Zg==", "Z", "Zm9vY", "Zh", "Zm9", "Zm9v\n",
		"+_aa", "a/aa", "a aa", "Zm9v.", "\xc3\xa9\xc3\xa9" };
	struct buf b = BUF(100), tight = BUF(2);

	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK(!base64url_decode(str_of(bad[i]), &b));
		CHECK_INT(b.n, 0);
	}
	CHECK(!base64url_decode(S("Zm9v"), &tight));
	buf_release(&b);
	buf_release(&tight);
}

TEST(hex_is_exact)
{
	uint8_t bytes[2];

	CHECK(hex_decode(S("aBfF"), bytes, 2) && bytes[0] == 0xab && bytes[1] == 0xff);
	CHECK(!hex_decode(S("abf"), bytes, 2));
	CHECK(!hex_decode(S("abff0"), bytes, 2));
	CHECK(!hex_decode(S("abfg"), bytes, 2));
	CHECK(hmac_equal("abc", "abd", 2) && !hmac_equal("abc", "abd", 3));
}
