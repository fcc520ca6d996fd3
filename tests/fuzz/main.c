/*
 * main.c - runs a fuzz target over files instead of a fuzzer: every file of
 * every folder given, so that what a fuzzer once found stays fixed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int
run_file(const char *path)
{
	static uint8_t data[4 << 20];
	uint8_t *exact;
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	n = fread(data, 1, sizeof data, f);
	fclose(f);
	/* Exactly n bytes, so that a sanitizer sees a read past the end. */
	exact = malloc(n > 0 ? n : 1);
	if (exact == NULL)
		return 1;
	memcpy(exact, data, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned files = 0;
	int bad = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *entry = d != NULL ? readdir(d) : NULL;

		for (; entry != NULL; entry = readdir(d)) {
			char path[PATH_MAX];

			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
			bad |= run_file(path);
			files++;
		}
		if (d != NULL)
			closedir(d);
	}
	printf("%u passed, %d failed\n", files, bad);
	return bad != 0 || files == 0;
}
